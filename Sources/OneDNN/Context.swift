import CDNNL

/// The CPU engine and one of its streams: primitives are created for the engine and run on the stream.
///
/// Used by one thread at a time. oneDNN's cache of compiled primitives recognises the engine, so contexts
/// share compiled code.
public final class Context {
  let engine: dnnl_engine_t
  let stream: dnnl_stream_t

  /// Creates an engine and its stream.
  ///
  /// - Throws: ``OneDNNError`` if the library is built without the CPU.
  public init() throws(OneDNNError) {
    let engine = try made("dnnl_engine_create") { dnnl_engine_create(&$0, dnnl_cpu, 0) }
    do throws(OneDNNError) {
      stream = try made("dnnl_stream_create") {
        dnnl_stream_create(&$0, engine, dnnl_stream_default_flags.rawValue)
      }
    } catch {
      dnnl_engine_destroy(engine)
      throw error
    }
    self.engine = engine
  }

  deinit {
    dnnl_stream_destroy(stream)
    dnnl_engine_destroy(engine)
  }
}

import CDNNL

/// The engine of the CPU and a stream of it, which primitives are created for and run on.
///
/// Used by one thread at a time. The cache of compiled primitives inside oneDNN recognises the
/// engine, so contexts share compiled code.
public final class Context {
  let engine: dnnl_engine_t
  let stream: dnnl_stream_t

  /// Creates an engine and its stream.
  ///
  /// - Throws: ``OneDNNError`` if the library is built without the CPU.
  public init() throws(OneDNNError) {
    var engine: dnnl_engine_t?
    try check(dnnl_engine_create(&engine, dnnl_cpu, 0), "dnnl_engine_create")
    guard let engine else {
      throw OneDNNError(call: "dnnl_engine_create", status: "no engine", subject: "")
    }
    var stream: dnnl_stream_t?
    let status = dnnl_stream_create(
      &stream, engine, dnnl_stream_default_flags.rawValue)
    guard status == dnnl_success, let stream else {
      dnnl_engine_destroy(engine)
      try check(status, "dnnl_stream_create")
      throw OneDNNError(call: "dnnl_stream_create", status: "no stream", subject: "")
    }
    self.engine = engine
    self.stream = stream
  }

  deinit {
    dnnl_stream_destroy(stream)
    dnnl_engine_destroy(engine)
  }
}

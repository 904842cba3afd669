import Tensors

/// The working memory of one worker, shared by all plans that the worker runs.
///
/// Plans say what they need while they are compiled; the memory is allocated once, when the first
/// of them is given data or runs. One plan at a time may use it.
public final class Arena: @unchecked Sendable {
  private var reserved = 0
  private var buffer: FloatBuffer?

  /// Creates an arena that nothing is reserved in.
  public init() {}

  /// The reserved memory, in bytes.
  public var byteCount: Int { reserved * MemoryLayout<Float>.stride }

  /// Makes sure that `count` elements will be there.
  func reserve(count: Int) {
    precondition(buffer == nil || count <= reserved, "a plan was compiled after another was used")
    reserved = max(reserved, count)
  }

  /// The memory, allocated by the first call.
  var base: UnsafeMutablePointer<Float> {
    if let buffer { return buffer.pointer }
    let new = FloatBuffer(count: reserved)
    buffer = new
    return new.pointer
  }
}

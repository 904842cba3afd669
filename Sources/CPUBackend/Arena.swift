import Tensors

/// Floats that the programs of one workspace share.
///
/// Schedules say what they need when they are compiled; the memory is allocated once, when the first
/// program is given data or runs. One program at a time may use it.
final class Arena {
  private var reserved = 0
  private var buffer: FloatBuffer?

  /// Creates an arena that nothing is reserved in.
  init() {}

  /// The reserved memory, in bytes.
  var byteCount: Int { reserved * MemoryLayout<Float>.stride }

  /// Makes sure that `count` elements will be there.
  func reserve(count: Int) {
    precondition(
      buffer == nil || count <= reserved, "a schedule was compiled after a program was used")
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

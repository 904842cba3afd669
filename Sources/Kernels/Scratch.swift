import Tensors

/// The memory that kernels which run one at a time pack operands in.
///
/// Kernels say what they need when they are made; the memory is allocated once, by the first that runs, and again
/// only if one that needs more is made later. One thread at a time.
public final class Scratch {
  private var reserved = 0
  private var buffer = FloatBuffer(count: 0)

  /// Creates a scratch that nothing is reserved in.
  public init() {}

  /// The reserved memory, in bytes.
  public var byteCount: Int { reserved * MemoryLayout<Float>.stride }

  /// Makes sure that `count` elements will be there.
  func reserve(count: Int) { reserved = max(reserved, count) }

  /// The memory, at the border of a cache line.
  var pointer: UnsafeMutablePointer<Float> {
    if buffer.count < reserved { buffer = FloatBuffer(count: reserved) }
    return buffer.pointer
  }
}

import Tensors

/// Numbers of a plan that are summed over all microbatches of a step at the end of a segment.
struct Total {
  /// Where they are.
  enum Memory {
    /// The value of a node.
    case value(Location)
    /// Memory of a kernel.
    case buffer(FloatBuffer)
  }

  let memory: Memory
  let count: Int

  /// The first number.
  func pointer(arena: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> {
    switch memory {
    case .value(let location):
      precondition(location.memory == .arena, "a total outside of the arena")
      return arena + location.offset
    case .buffer(let buffer): return buffer.pointer
    }
  }
}

import Numerics

/// A place in one of the memories that a plan works on, fixed when the plan is compiled.
struct Location: Hashable, Sendable {
  enum Memory: UInt8, Sendable {
    case arena, parameters, gradient, constants
  }

  let memory: Memory
  /// Elements from the start of that memory.
  let offset: Int
}

/// Where the memories of a plan start in one run.
struct Bases {
  let arena: UnsafeMutablePointer<Float>
  let parameters: UnsafeMutablePointer<Float>
  let gradient: UnsafeMutablePointer<Float>
  let constants: UnsafeMutablePointer<Float>
  /// What random numbers depend on in this run.
  let draws: Draws

  @inline(__always)
  subscript(location: Location) -> UnsafeMutablePointer<Float> {
    switch location.memory {
    case .arena: arena + location.offset
    case .parameters: parameters + location.offset
    case .gradient: gradient + location.offset
    case .constants: constants + location.offset
    }
  }
}

import Execution
import Numerics

/// The work of a step in one run.
typealias Call = (Bases) -> Void

/// A step that is ready to run; an array of these holds closures as they are, an array of closures wraps each.
struct BoundStep {
  let call: Call
}

/// The starts of all regions in one run.
struct Bases {
  let arena: UnsafeMutablePointer<Float>
  let parameters: UnsafeMutablePointer<Float>
  /// The flat gradient of one sum of the group: of the first, unless a step is being computed sum by sum.
  var gradient: UnsafeMutablePointer<Float>
  /// The flat gradients of all sums.
  let gradients: GradientVectors
  let constants: UnsafeMutablePointer<Float>
  let statistics: UnsafeMutablePointer<Float>
  let labels: UnsafeMutablePointer<Int32>
  let indices: UnsafeMutablePointer<UInt8>
  /// The origin of random numbers in this run.
  let draws: Draws

  @inline(__always)
  subscript(location: Location) -> UnsafeMutablePointer<Float> {
    switch location.region {
    case .arena: arena + location.offset
    case .parameters: parameters + location.offset
    case .gradient: gradient + location.offset
    case .constants: constants + location.offset
    case .statistics: statistics + location.offset
    case .labels, .argmaxIndices, .roundedParameters, .roundedOperands:
      preconditionFailure("no floats in this region")
    }
  }
}

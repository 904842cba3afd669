// The function of every elementwise operation: the one place where kernels say what they compute.

import CVectors
import VectorKernels

extension ElementCode {
  /// Applies the function by some loops.
  ///
  /// - Parameters:
  ///   - number: The factor of a scale, the exponent of a power, or the limit of a cap.
  ///   - loops: The loops over the elements.
  @inline(__always)
  func apply(_ number: Double, by loops: some ElementLoops) {
    let (zero, one) = (Lanes(repeating: 0), Lanes(repeating: 1))
    switch self {
    case .scale:
      let factor = Lanes(repeating: Float(number))
      loops.unary { $0 * factor }
    case .exp: loops.unary { Elementary.exp($0) }
    case .expm1: loops.unary { Elementary.expm1($0) }
    case .log: loops.unary { Elementary.log($0) }
    case .log1p: loops.unary { Elementary.log1p($0) }
    case .softplus: loops.unary { Elementary.softplus($0) }
    case .cap:
      let limit = Lanes(repeating: Float(number))
      loops.unary { Lanes.choose(limit, where: limit, isBelow: $0, else: $0) }
    case .square: loops.unary { $0 * $0 }
    case .sigmoid: loops.unary { Elementary.sigmoid($0) }
    case .erf: loops.unary { Elementary.erf($0) }
    case .tanh: loops.unary { Elementary.tanh($0) }
    case .relu: loops.unary { Lanes.choose(zero, where: $0, isBelow: zero, else: $0) }
    case .sqrt: loops.unary { cvectors_sqrt($0) }
    case .abs: loops.unary { Lanes(bits: $0.bits.masked(.max)) }
    case .sign:
      loops.unary {
        let rest = Lanes.choose(zero - one, where: $0, isBelow: zero, else: $0)
        return Lanes.choose(one, where: zero, isBelow: $0, else: rest)
      }
    case .power:
      guard let whole = Int32(exactly: number) else {
        let exponent = Lanes(repeating: Float(number))
        return loops.unary { Elementary.exp(exponent * Elementary.log($0)) }
      }
      loops.unary { x in
        var (result, factor, rest) = (one, x, whole.magnitude)
        while rest > 0 {
          if rest & 1 == 1 { result = result * factor }
          factor = factor * factor
          rest >>= 1
        }
        return whole < 0 ? one / result : result
      }
    case .add: loops.binary { $0 + $1 }
    case .subtract: loops.binary { $0 - $1 }
    case .multiply: loops.binary { $0 * $1 }
    case .divide: loops.binary { $0 / $1 }
    case .maximum:
      let half = Lanes(repeating: 0.5)
      loops.binary { a, b in
        // Equal, or not numbers.
        let rest = a * half + b * half
        return Lanes.choose(
          b, where: a, isBelow: b, else: Lanes.choose(a, where: b, isBelow: a, else: rest))
      }
    // Of a cotangent and the output of the activation.
    case .reluGradient: loops.binary { Lanes.choose($0, where: zero, isBelow: $1, else: zero) }
    case .sigmoidGradient: loops.binary { $0 * ($1 * (one - $1)) }
    case .tanhGradient: loops.binary { $0 * (one - $1 * $1) }
    }
  }
}

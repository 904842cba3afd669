// Elementwise kernels, built once for each instruction set.

import CVectors
import VectorKernels

/// The kernels, for the instruction set that this module is built for.
package enum Implementation: VectorKernels {
  package static func add(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, b, into: c, count: count) { $0 + $1 } }

  package static func subtract(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, b, into: c, count: count) { $0 - $1 } }

  package static func multiply(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, b, into: c, count: count) { $0 * $1 } }

  package static func scale(
    _ a: UnsafePointer<Float>, by factor: Float, into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let factor = Lanes(repeating: factor)
    forEachLanes(a, into: c, count: count) { $0 * factor }
  }

  package static func exp(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.exp($0) } }

  package static func log(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.log($0) } }

  package static func expm1(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.expm1($0) } }

  package static func log1p(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.log1p($0) } }

  package static func softplus(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.softplus($0) } }

  package static func cap(
    _ a: UnsafePointer<Float>, at limit: Float, into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let limit = Lanes(repeating: limit)
    forEachLanes(a, into: c, count: count) {
      Lanes.choose(limit, where: limit, isBelow: $0, else: $0)
    }
  }

  package static func square(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { $0 * $0 } }

  package static func sigmoid(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.sigmoid($0) } }

  package static func erf(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.erf($0) } }

  package static func tanh(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.tanh($0) } }

  package static func relu(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let zero = Lanes(repeating: 0)
    forEachLanes(a, into: c, count: count) {
      Lanes.choose(zero, where: $0, isBelow: zero, else: $0)
    }
  }

  package static func sqrt(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { cvectors_sqrt($0) } }

  package static func abs(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Lanes(bits: $0.bits.masked(.max)) } }

  package static func sign(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let (zero, one) = (Lanes(repeating: 0), Lanes(repeating: 1))
    forEachLanes(a, into: c, count: count) {
      let rest = Lanes.choose(zero - one, where: $0, isBelow: zero, else: $0)
      return Lanes.choose(one, where: zero, isBelow: $0, else: rest)
    }
  }

  package static func power(
    _ a: UnsafePointer<Float>, _ exponent: Double, into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    guard let whole = Int32(exactly: exponent) else {
      let exponent = Lanes(repeating: Float(exponent))
      forEachLanes(a, into: c, count: count) { Elementary.exp(exponent * Elementary.log($0)) }
      return
    }
    let one = Lanes(repeating: 1)
    forEachLanes(a, into: c, count: count) { x in
      var (result, factor, rest) = (one, x, whole.magnitude)
      while rest > 0 {
        if rest & 1 == 1 { result = result * factor }
        factor = factor * factor
        rest >>= 1
      }
      return whole < 0 ? one / result : result
    }
  }

  package static func reluGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let zero = Lanes(repeating: 0)
    forEachLanes(cotangent, y, into: c, count: count) {
      Lanes.choose($0, where: zero, isBelow: $1, else: zero)
    }
  }

  package static func sigmoidGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let one = Lanes(repeating: 1)
    forEachLanes(cotangent, y, into: c, count: count) { $0 * ($1 * (one - $1)) }
  }

  package static func tanhGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let one = Lanes(repeating: 1)
    forEachLanes(cotangent, y, into: c, count: count) { $0 * (one - $1 * $1) }
  }
}

// Computations in which element i of the result depends on element i of the operands.

import Numerics

/// Elementwise kernels over `count` elements; the result may overwrite an operand, in place.
///
/// An element gets the same bits wherever it stands and however many there are. Those of `Elementary`
/// are as exact as it says, the rest is rounded as written. One pass each, no allocation.
public enum Elementwise {
  /// Writes `a + b`.
  public static func add(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, b, into: c, count: count) { $0 + $1 } }

  /// Writes `a − b`.
  public static func subtract(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, b, into: c, count: count) { $0 - $1 } }

  /// Writes `a · b`.
  public static func multiply(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, b, into: c, count: count) { $0 * $1 } }

  /// Writes `factor · a`.
  public static func scale(
    _ a: UnsafePointer<Float>, by factor: Float, into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let factor = Lanes(repeating: factor)
    forEachLanes(a, into: c, count: count) { $0 * factor }
  }

  /// Writes `eᵃ`.
  public static func exp(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.exp($0) } }

  /// Writes the natural logarithm of `a`.
  public static func log(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.log($0) } }

  /// Writes `a²`.
  public static func square(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { $0 * $0 } }

  /// Writes `1 / (1 + e⁻ᵃ)`.
  public static func sigmoid(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.sigmoid($0) } }

  /// Writes the error function of `a`.
  public static func erf(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { for i in 0..<count { c[i] = Float(Elementary.erf(Double(a[i]))) } }

  /// Writes the hyperbolic tangent of `a`.
  public static func tanh(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Elementary.tanh($0) } }

  /// Writes `max(a, 0)`, NaN where `a` is.
  public static func relu(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let zero = Lanes(repeating: 0)
    forEachLanes(a, into: c, count: count) {
      Lanes.choose(zero, where: $0, isBelow: zero, else: $0)
    }
  }

  /// Writes `√a`.
  public static func sqrt(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { $0.squareRoot() } }

  /// Writes `|a|`.
  public static func abs(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { forEachLanes(a, into: c, count: count) { Lanes(bits: $0.bits.masked(.max)) } }

  /// Writes −1, 0 or 1, as `a` is negative, zero or positive; NaN where `a` is.
  public static func sign(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let (zero, one) = (Lanes(repeating: 0), Lanes(repeating: 1))
    forEachLanes(a, into: c, count: count) {
      let rest = Lanes.choose(zero - one, where: $0, isBelow: zero, else: $0)
      return Lanes.choose(one, where: zero, isBelow: $0, else: rest)
    }
  }

  /// Writes `a^exponent`: by repeated squaring for whole exponents, else `e^(exponent · log a)`.
  public static func power(
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

  /// Writes the cotangent of `x` from that of `y = relu(x)`: `cotangent` where `y > 0`, else 0.
  public static func reluGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let zero = Lanes(repeating: 0)
    forEachLanes(cotangent, y, into: c, count: count) {
      Lanes.choose($0, where: zero, isBelow: $1, else: zero)
    }
  }

  /// Writes the cotangent of `x` from that of `y = sigmoid(x)`: `cotangent · y · (1 − y)`.
  public static func sigmoidGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let one = Lanes(repeating: 1)
    forEachLanes(cotangent, y, into: c, count: count) { $0 * ($1 * (one - $1)) }
  }

  /// Writes the cotangent of `x` from that of `y = tanh(x)`: `cotangent · (1 − y²)`.
  public static func tanhGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) {
    let one = Lanes(repeating: 1)
    forEachLanes(cotangent, y, into: c, count: count) { $0 * (one - $1 * $1) }
  }

  /// Writes `value` everywhere.
  public static func fill(_ value: Float, into c: UnsafeMutablePointer<Float>, count: Int) {
    c.update(repeating: value, count: count)
  }

  /// Copies `a`; nothing to do in place.
  public static func copy(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { c.update(from: a, count: count) }
}

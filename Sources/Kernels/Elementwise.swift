// Computations in which element i of the result depends on element i of the operands.

import VectorKernels

/// Elementwise kernels over `count` elements; the result may overwrite an operand, in place.
///
/// An element gets the same bits wherever it stands and however many there are. Those of `Elementary`
/// are as exact as it says, the rest is rounded as written. One pass each, no allocation.
public enum Elementwise {
  /// Writes `a + b`.
  public static func add(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.add(a, b, into: c, count: count) }

  /// Writes `a − b`.
  public static func subtract(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.subtract(a, b, into: c, count: count) }

  /// Writes `a · b`.
  public static func multiply(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.multiply(a, b, into: c, count: count) }

  /// Writes `factor · a`.
  public static func scale(
    _ a: UnsafePointer<Float>, by factor: Float, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.scale(a, by: factor, into: c, count: count) }

  /// Writes `eᵃ`.
  public static func exp(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.exp(a, into: c, count: count) }

  /// Writes `eᵃ − 1`.
  public static func expm1(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.expm1(a, into: c, count: count) }

  /// Writes `log(1 + a)`.
  public static func log1p(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.log1p(a, into: c, count: count) }

  /// Writes `log(1 + eᵃ)`.
  public static func softplus(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.softplus(a, into: c, count: count) }

  /// Writes `min(a, limit)`, NaN where `a` is.
  public static func cap(
    _ a: UnsafePointer<Float>, at limit: Float, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.cap(a, at: limit, into: c, count: count) }

  /// Writes the natural logarithm of `a`.
  public static func log(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.log(a, into: c, count: count) }

  /// Writes `a²`.
  public static func square(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.square(a, into: c, count: count) }

  /// Writes `1 / (1 + e⁻ᵃ)`.
  public static func sigmoid(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.sigmoid(a, into: c, count: count) }

  /// Writes the error function of `a`.
  public static func erf(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.erf(a, into: c, count: count) }

  /// Writes the hyperbolic tangent of `a`.
  public static func tanh(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.tanh(a, into: c, count: count) }

  /// Writes `max(a, 0)`, NaN where `a` is.
  public static func relu(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.relu(a, into: c, count: count) }

  /// Writes `√a`.
  public static func sqrt(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.sqrt(a, into: c, count: count) }

  /// Writes `|a|`.
  public static func abs(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.abs(a, into: c, count: count) }

  /// Writes −1, 0 or 1, as `a` is negative, zero or positive; NaN where `a` is.
  public static func sign(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.sign(a, into: c, count: count) }

  /// Writes `a^exponent`: by repeated squaring for whole exponents, else `e^(exponent · log a)`.
  public static func power(
    _ a: UnsafePointer<Float>, _ exponent: Double, into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.power(a, exponent, into: c, count: count) }

  /// Writes the cotangent of `x` from that of `y = relu(x)`: `cotangent` where `y > 0`, else 0.
  public static func reluGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.reluGradient(cotangent, output: y, into: c, count: count) }

  /// Writes the cotangent of `x` from that of `y = sigmoid(x)`: `cotangent · y · (1 − y)`.
  public static func sigmoidGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.sigmoidGradient(cotangent, output: y, into: c, count: count) }

  /// Writes the cotangent of `x` from that of `y = tanh(x)`: `cotangent · (1 − y²)`.
  public static func tanhGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.tanhGradient(cotangent, output: y, into: c, count: count) }

  /// Writes `value` everywhere.
  public static func fill(_ value: Float, into c: UnsafeMutablePointer<Float>, count: Int) {
    c.update(repeating: value, count: count)
  }

  /// Copies `a`; nothing to do in place.
  public static func copy(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { c.update(from: a, count: count) }
}

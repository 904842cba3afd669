// Computations in which element i of the result depends on element i of the operands.

/// Elementwise kernels over `count` elements; the result may overwrite an operand, in place.
///
/// An element gets the same bits wherever it stands and however many there are. Those of `Elementary`
/// are as exact as it says, the rest is rounded as written. One pass each, no allocation.
public enum Elementwise {
  /// Applies an operation of one operand.
  ///
  /// - Parameters:
  ///   - code: The operation.
  ///   - number: The factor of a scale, the exponent of a power, or the limit of a cap.
  ///   - a: The operand.
  ///   - c: The result.
  ///   - count: The number of elements.
  package static func apply(
    _ code: ElementCode, number: Double = 0, _ a: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.apply(code, number, a, a, into: c, count: count) }

  /// Applies an operation of two operands.
  package static func apply(
    _ code: ElementCode, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { kernels.apply(code, 0, a, b, into: c, count: count) }

  /// Writes `value` everywhere.
  public static func fill(_ value: Float, into c: UnsafeMutablePointer<Float>, count: Int) {
    c.update(repeating: value, count: count)
  }

  /// Copies `a`; nothing to do in place.
  public static func copy(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int
  ) { c.update(from: a, count: count) }
}

// The kernels of one instruction set.

/// The kernels that gain from wider vectors, in one form per instruction set.
///
/// The sources of all forms are the same, built for a CPU of their own, and so are the bits: Swift does not
/// contract products and sums. What a function computes is said where `Kernels` offers it. No function is
/// generic, so that no code for a larger instruction set can end up in another module.
package protocol VectorKernels: Sendable {
  /// Applies an operation to elements at the same place; the result may overwrite an operand.
  ///
  /// - Parameters:
  ///   - code: The operation.
  ///   - number: The factor of a scale, the exponent of a power, or the limit of a cap.
  ///   - a: The first operand.
  ///   - b: The second operand; of an operation of one, anything.
  ///   - c: The result.
  ///   - count: The number of elements.
  static func apply(
    _ code: ElementCode, _ number: Double, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int)
  /// Applies an operation of two operands to each row of a matrix and one row; the result may overwrite the
  /// matrix.
  static func apply(
    _ code: ElementCode, _ a: UnsafePointer<Float>, row b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, rows: Int, columns: Int)
  /// Applies an operation of two operands to elements that broadcasting pairs up; the result may overwrite
  /// an operand of as many elements.
  static func apply(
    _ code: ElementCode, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, over matrix: BroadcastMatrix)
  /// Applies several operations, block after block.
  static func run(
    _ steps: UnsafePointer<ElementStep>, stepCount: Int, _ places: UnsafePointer<ElementPlace>,
    count: Int, block: Int)

  // Row by row.
  static func softmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>)
  static func logSoftmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>)
  static func logSumExp(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>)
  static func softmaxCrossEntropy(
    logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>, rows: Int, classes: Int,
    into c: UnsafeMutablePointer<Float>)
  static func softmaxCrossEntropyGradient(
    cotangent: UnsafePointer<Float>, logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    rows: Int, classes: Int, losses: UnsafeMutablePointer<Float>?,
    into c: UnsafeMutablePointer<Float>)
}

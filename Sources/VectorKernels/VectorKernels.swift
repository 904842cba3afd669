// What the kernels of one instruction set can do.

/// The kernels that gain from wider vectors, in one form per instruction set.
///
/// The sources of all forms are the same, built for a CPU of their own, and so are the bits: Swift does not
/// contract products and sums. What a function computes is said where `Kernels` offers it. No function is
/// generic, so that no code for a larger instruction set can end up in another module.
package protocol VectorKernels: Sendable {
  // Element by element; the result may overwrite an operand.
  static func exp(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func log(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func expm1(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func log1p(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func softplus(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func cap(
    _ a: UnsafePointer<Float>, at limit: Float, into c: UnsafeMutablePointer<Float>, count: Int)
  static func square(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func sigmoid(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func erf(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func tanh(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func relu(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func sqrt(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func abs(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func sign(
    _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)
  static func add(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int)
  static func subtract(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int)
  static func multiply(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int)
  static func reluGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int)
  static func sigmoidGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int)
  static func tanhGradient(
    _ cotangent: UnsafePointer<Float>, output y: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int)
  static func scale(
    _ a: UnsafePointer<Float>, by factor: Float, into c: UnsafeMutablePointer<Float>, count: Int)
  static func power(
    _ a: UnsafePointer<Float>, _ exponent: Double, into c: UnsafeMutablePointer<Float>, count: Int)
  /// Several of these, block after block.
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

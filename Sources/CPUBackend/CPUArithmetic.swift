// Flat vectors in the memory of the host, by vector kernels.
public import Execution
import Kernels
public import Numerics

/// The vector kernels of flat vectors; each formula stands with its kernel (``Update``, ``FlatSum``, ``BFloat16``).
public struct CPUArithmetic: FlatArithmetic {
  /// Names the kernels.
  public init() {}

  /// Adds `b` to `a`.
  public func add(_ a: UnsafeMutablePointer<Float>, _ b: UnsafePointer<Float>, count: Int) {
    FlatSum.add(a, b, count: count)
  }

  /// Copies `a` to `c`.
  public func copy(_ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int) {
    c.update(from: a, count: count)
  }

  /// Rounds to bfloat16 and keeps what was lost.
  public func encodeBFloat16(
    _ values: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>,
    into target: UnsafeMutablePointer<UInt16>, count: Int
  ) { BFloat16.encode(values, residual: residual, into: target, count: count) }

  /// Widens bfloat16 numbers.
  public func decodeBFloat16(
    _ source: UnsafePointer<UInt16>, into target: UnsafeMutablePointer<Float>, count: Int
  ) { BFloat16.decode(source, into: target, count: count) }

  /// Bounds the mean gradient.
  public func clamp(
    gradient: UnsafeMutablePointer<Float>, count: Int, scale: Double, limit: Double
  ) { Update.clamp(gradient: gradient, count: count, scale: scale, limit: limit) }

  /// Takes one step of stochastic gradient descent.
  public func sgd(
    _ elements: UpdatedElements, momentum: Double?, nesterov: Bool, _ factors: UpdateFactors
  ) {
    Update.sgd(
      parameters: elements.parameters, gradient: elements.gradient,
      momentum: momentum.map { _ in elements.slot(0) }, count: elements.count,
      momentumFactor: momentum ?? 0, nesterov: nesterov, factors)
  }

  /// Takes one step of Adam or AdamW.
  public func adam(
    _ elements: UpdatedElements, moments: AdamMoments, decoupled: Bool, _ factors: UpdateFactors
  ) {
    Update.adam(
      parameters: elements.parameters, gradient: elements.gradient, first: elements.slot(0),
      second: elements.slot(1), count: elements.count, moments: moments, decoupled: decoupled,
      factors)
  }

  /// Takes one step of LARS.
  public func lars(_ elements: UpdatedElements, momentum: Double, _ factors: UpdateFactors) {
    Update.lars(
      parameters: elements.parameters, gradient: elements.gradient, momentum: elements.slot(0),
      count: elements.count, momentumFactor: momentum, factors)
  }

  /// Advances the moments of LAMB.
  public func lambMoments(
    ofBlock elements: UpdatedElements, _ moments: AdamMoments, _ factors: UpdateFactors
  ) -> SquareSums {
    let sums = Update.lambMoments(
      parameters: elements.parameters, gradient: elements.gradient, first: elements.slot(0),
      second: elements.slot(1), count: elements.count, moments: moments, factors)
    return SquareSums(direction: sums.direction, parameters: sums.parameters)
  }

  /// Moves parameters along the direction of LAMB.
  public func lamb(_ elements: UpdatedElements, _ moments: AdamMoments, _ factors: UpdateFactors) {
    Update.lamb(
      parameters: elements.parameters, first: elements.slot(0), second: elements.slot(1),
      count: elements.count, moments: moments, factors)
  }

  /// Moves running averages towards the mean of a batch.
  public func follow(
    states: UnsafeMutablePointer<Float>, sum: UnsafePointer<Float>, count: Int, momentum: Double,
    scale: Double
  ) { Update.follow(states: states, sum: sum, count: count, momentum: momentum, scale: scale) }

  /// Moves an average towards the parameters.
  public func average(
    _ average: UnsafeMutablePointer<Float>, parameters: UnsafePointer<Float>, count: Int,
    decay: Double
  ) { Update.average(average, parameters: parameters, count: count, decay: decay) }

  /// Returns the sum of the squares of a part of one block.
  public func sumOfSquares(ofBlock a: UnsafePointer<Float>, count: Int) -> Double {
    FlatSum.sumOfSquares(ofBlock: a, count: count)
  }

  /// Writes the softmax of each row of scores.
  public func softmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) { Rowwise.softmax(a, rows: rows, columns: columns, into: c) }

  /// Returns true if every element is finite.
  public func isFinite(_ a: UnsafePointer<Float>, count: Int) -> Bool {
    FlatSum.isFinite(a, count: count)
  }
}

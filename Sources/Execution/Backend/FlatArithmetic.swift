// The second half of the seam: what is computed on flat vectors between the runs of programs.
public import Numerics

/// The sums of squares of the direction in which parameters are about to move, and of the parameters.
public struct SquareSums: Hashable, Sendable {
  /// The sum over the direction.
  public let direction: Double
  /// The sum over the parameters.
  public let parameters: Double

  /// Creates a pair of sums.
  public init(direction: Double, parameters: Double) {
    self.direction = direction
    self.parameters = parameters
  }
}

/// The arithmetic of sums of flat vectors, and the format in which they are sent.
///
/// The rules of ``FlatArithmetic`` hold.
public protocol SumArithmetic: Sendable {
  /// Adds `b` to `a`: the left child of a node of the sum plus the right.
  func add(_ a: UnsafeMutablePointer<Float>, _ b: UnsafePointer<Float>, count: Int)

  /// Copies `a` to `c`.
  func copy(_ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int)

  /// Rounds `values + residual` to bfloat16, to nearest, ties to even, and keeps in `residual` what was lost.
  ///
  /// - Parameters:
  ///   - values: The numbers; finite.
  ///   - residual: The loss so far, changed in place.
  ///   - target: The memory of the rounded numbers.
  ///   - count: The number of elements, a multiple of 16.
  func encodeBFloat16(
    _ values: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>,
    into target: UnsafeMutablePointer<UInt16>, count: Int)

  /// Widens bfloat16 numbers, exactly; `count` is a multiple of 16.
  func decodeBFloat16(
    _ source: UnsafePointer<UInt16>, into target: UnsafeMutablePointer<Float>, count: Int)
}

/// The arithmetic on flat vectors of gradients, parameters and states: sums, steps of optimizers, averages.
///
/// Every function works on a range of elements, given by the address of the first and their number; addresses are
/// those of the backend's memory, and nothing else reads or writes there. An element's result depends on the
/// elements of the same index alone, so that threads and ranks may share a vector out in any way; only
/// ``sumOfSquares(ofBlock:count:)`` and ``lambMoments(ofBlock:_:_:)`` add over
/// elements, those of one block. Nothing allocates. Several threads may call at once, for different elements.
public protocol FlatArithmetic: SumArithmetic {
  /// Bounds the mean gradient: `g ← min(max(scale·g, −limit), limit)`; what is not a number stays so.
  func clamp(
    gradient: UnsafeMutablePointer<Float>, count: Int, scale: Double, limit: Double)

  /// Takes one step of stochastic gradient descent; without momentum its factor has no part.
  ///
  /// `g ← scale·g + decay·p + l1·sign(p)`; with momentum `v ← μ·v + g` and `g ← v`, or `g + μ·v` for Nesterov;
  /// `p ← p − η·g`.
  ///
  /// - Parameters:
  ///   - elements: The elements, with `v` in slot 0 where there is momentum.
  ///   - momentum: The factor `μ`; nil without momentum.
  ///   - nesterov: True for Nesterov's form.
  ///   - factors: The numbers of the step.
  func sgd(
    _ elements: UpdatedElements, momentum: Double?, nesterov: Bool, _ factors: UpdateFactors)

  /// Takes one step of Adam, or of AdamW if `decoupled`.
  ///
  /// `g ← scale·g`; then `p ← p − η·decay·p` if decoupled, else `g ← g + decay·p`; `g ← g + l1·sign(p)`;
  /// `m ← m + (1 − β₁)·(g − m)`; `v ← β₂·v + (1 − β₂)·g²`; `p ← p − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)`.
  ///
  /// `m` is in slot 0 and `v` in slot 1.
  func adam(
    _ elements: UpdatedElements, moments: AdamMoments, decoupled: Bool, _ factors: UpdateFactors)

  /// Takes one step of LARS.
  ///
  /// `g ← scale·g + decay·p + l1·sign(p)`; `v ← μ·v + η·g`; `p ← p − v`. `v` is in slot 0.
  func lars(_ elements: UpdatedElements, momentum: Double, _ factors: UpdateFactors)

  /// Advances the moments of LAMB over a part of one block.
  ///
  /// `g ← scale·g + l1·sign(p)`; `m` and `v` as Adam's, in the same slots; `r = m/(1 − β₁ᵗ) / (√v/√(1 − β₂ᵗ) + ε) + decay·p`.
  ///
  /// - Returns: The sums of squares of the direction `r` and of the parameters, in `Double`.
  func lambMoments(
    ofBlock elements: UpdatedElements, _ moments: AdamMoments, _ factors: UpdateFactors
  ) -> SquareSums

  /// Moves parameters along the direction of LAMB: `p ← p − η·r`.
  func lamb(_ elements: UpdatedElements, _ moments: AdamMoments, _ factors: UpdateFactors)

  /// Takes one step of a rule that has none of the functions above.
  ///
  /// Each step of the formula is rounded to single precision at most: a backend may keep more.
  ///
  /// - Parameters:
  ///   - elements: The elements, with at least the slots of the formula.
  ///   - formula: The formula.
  ///   - numbers: The numbers of the step.
  /// - Complexity: O(elements · steps).
  func update(
    _ elements: UpdatedElements, by formula: ElementwiseFormula,
    _ numbers: ElementwiseFormula.Numbers)

  /// Moves running averages towards the mean of a batch: `s ← (1 − momentum)·s + momentum·(scale·sum)`.
  func follow(
    states: UnsafeMutablePointer<Float>, sum: UnsafePointer<Float>, count: Int, momentum: Double,
    scale: Double)

  /// Moves an average towards the parameters: `a ← a + (1 − decay)·(p − a)`.
  func average(
    _ average: UnsafeMutablePointer<Float>, parameters: UnsafePointer<Float>, count: Int,
    decay: Double)

  /// Returns the sum of the squares of a part of one block, in `Double`.
  func sumOfSquares(ofBlock a: UnsafePointer<Float>, count: Int) -> Double

  /// Writes the softmax of each row of scores, `[rows, columns]`: their probabilities.
  func softmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>)

  /// Returns true if every element is finite.
  func isFinite(_ a: UnsafePointer<Float>, count: Int) -> Bool
}

/// The sums over the rows of a microbatch besides its gradient.
package struct MicrobatchSums: AdditiveArithmetic, Sendable {
  /// The loss, added row by row.
  package var loss: Double = 0
  /// The weights of the rows.
  package var weight: Double = 0
  /// The number of rows whose largest output is that of their label.
  package var correct: Int = 0

  package static let zero = MicrobatchSums()

  package static func + (lhs: MicrobatchSums, rhs: MicrobatchSums) -> MicrobatchSums {
    MicrobatchSums(
      loss: lhs.loss + rhs.loss, weight: lhs.weight + rhs.weight,
      correct: lhs.correct + rhs.correct)
  }

  package static func - (lhs: MicrobatchSums, rhs: MicrobatchSums) -> MicrobatchSums {
    MicrobatchSums(
      loss: lhs.loss - rhs.loss, weight: lhs.weight - rhs.weight,
      correct: lhs.correct - rhs.correct)
  }
}

import Tensors

/// Which rank computes which microbatches and adds which elements.
///
/// A function of the numbers of ranks and microbatches; it decides who works, never what the answer is.
public struct WorkDivision: Hashable, Sendable {
  /// The number of ranks.
  public let size: Int
  /// The number of microbatches of a step.
  public let microbatches: Int

  /// Divides the microbatches of a step among `size` ranks.
  public init(size: Int, microbatches: Int) {
    precondition(size > 0 && microbatches > 0, "\(microbatches) microbatches on \(size) ranks")
    self.size = size
    self.microbatches = microbatches
  }

  /// The microbatches that a rank computes; none for some ranks if there are more ranks.
  public func leaves(of rank: Int) -> Range<Int> {
    evenShare(of: microbatches, owner: rank, owners: size)
  }

  /// The largest number of microbatches of any rank.
  public var largestShare: Int { (microbatches + size - 1) / size }

  /// The elements of a flat vector that a rank adds, on borders of cache lines.
  ///
  /// - Parameters:
  ///   - rank: The rank.
  ///   - count: The length of the flat vector.
  /// - Returns: The range of elements, empty for some ranks of short vectors.
  public func elements(of rank: Int, count: Int) -> Range<Int> {
    let lines = (count + FlatLayout.alignment - 1) / FlatLayout.alignment
    let share = evenShare(of: lines, owner: rank, owners: size)
    return min(
      share.lowerBound * FlatLayout.alignment, count)..<min(
        share.upperBound * FlatLayout.alignment, count)
  }
}

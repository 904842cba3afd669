import Tensors

/// Which rank computes which microbatches.
///
/// A function of the groups of ranks and the number of microbatches; it decides who works, never what
/// the answer is. Groups follow one another, so that the microbatches of each are neighbours in the tree.
public struct WorkDivision: Hashable, Sendable {
  /// The ranks, by the groups that share memory.
  public let groups: [[Int]]
  /// The number of microbatches of a step.
  public let microbatches: Int
  /// The place of each rank in the order of the groups.
  private let places: [Int]

  /// The number of ranks.
  public var size: Int { places.count }

  /// Divides the microbatches of a step among groups of ranks.
  public init(groups: [[Int]], microbatches: Int) {
    let order = groups.flatMap { $0 }
    precondition(
      !order.isEmpty && microbatches > 0, "\(microbatches) microbatches on \(order.count) ranks")
    self.groups = groups
    self.microbatches = microbatches
    places = order.indices.map { order.firstIndex(of: $0) ?? 0 }
  }

  /// Divides the microbatches of a step among `size` ranks of one group.
  public init(size: Int, microbatches: Int) {
    self.init(groups: [Array(0..<size)], microbatches: microbatches)
  }

  /// The microbatches that a rank computes; none for some ranks if there are more ranks.
  public func leaves(of rank: Int) -> Range<Int> {
    evenShare(of: microbatches, owner: places[rank], owners: size)
  }

  /// The microbatches that one worker of a rank computes.
  public func leaves(of rank: Int, worker: Int, of workers: Int) -> Range<Int> {
    let own = leaves(of: rank)
    let share = evenShare(of: own.count, owner: worker, owners: workers)
    return own.lowerBound + share.lowerBound..<own.lowerBound + share.upperBound
  }

  /// The microbatches that the ranks of a group compute.
  public func leaves(ofGroup group: Int) -> Range<Int> {
    let all = groups[group].map { leaves(of: $0) }
    return (all.first?.lowerBound ?? 0)..<(all.last?.upperBound ?? 0)
  }

  /// The largest number of microbatches of any rank.
  public var largestShare: Int { (microbatches + size - 1) / size }
}

/// The division of a step's microbatches among ranks and their workers.
///
/// A function of the groups of ranks and the number of microbatches; it decides who works, never what
/// the answer is. Groups follow one another, so that the microbatches of each are neighbours in the tree.
package struct WorkDivision: Hashable, Sendable {
  /// The ranks, by the groups that share memory.
  package let groups: [[Int]]
  /// The number of microbatches of a step.
  package let microbatchCount: Int
  /// The position of each rank in the order of the groups.
  private let positions: [Int]

  /// The number of ranks.
  package var size: Int { positions.count }

  /// Divides the microbatches of a step among groups of ranks.
  package init(groups: [[Int]], microbatches: Int) {
    let order = groups.flatMap { $0 }
    precondition(
      !order.isEmpty && microbatches > 0, "\(microbatches) microbatches on \(order.count) ranks")
    self.groups = groups
    microbatchCount = microbatches
    positions = order.indices.map { order.firstIndex(of: $0) ?? 0 }
  }

  /// Divides the microbatches of a step among `size` ranks of one group.
  package init(size: Int, microbatches: Int) {
    self.init(groups: [Array(0..<size)], microbatches: microbatches)
  }

  /// The microbatches that a rank computes; none for some ranks if there are more ranks.
  package func microbatches(of rank: Int) -> Range<Int> {
    evenPart(of: microbatchCount, owner: positions[rank], owners: size)
  }

  /// The microbatches that one worker of a rank computes.
  package func microbatches(of rank: Int, worker: Int, of workers: Int) -> Range<Int> {
    let own = microbatches(of: rank)
    let part = evenPart(of: own.count, owner: worker, owners: workers)
    return own.lowerBound + part.lowerBound..<own.lowerBound + part.upperBound
  }

  /// The microbatches that the ranks of a group compute.
  package func microbatches(ofGroup group: Int) -> Range<Int> {
    let all = groups[group].map { microbatches(of: $0) }
    return (all.first?.lowerBound ?? 0)..<(all.last?.upperBound ?? 0)
  }

  /// The most microbatches that any rank computes.
  package var maximumPerRank: Int { (microbatchCount + size - 1) / size }
}

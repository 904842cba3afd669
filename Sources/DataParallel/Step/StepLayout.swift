package import Execution

/// The division of a run's steps: the microbatches of each worker, those that it computes together, and the
/// order and slots in which their gradients are added.
///
/// A value made of numbers alone, the same on all ranks.
package struct StepLayout: Sendable {
  /// The steps of one number of rows: all with the same microbatches present.
  package struct Pattern: Hashable, Sendable {
    /// The rows of each microbatch.
    package let cut: MicrobatchCut
    /// The order in which the microbatches that have rows are added.
    package let tree: SumTree
  }

  /// The part of one worker in a step.
  package struct Work: Hashable, Sendable {
    /// The largest subtrees of the worker's microbatches; the sum of subtree t ends in slot t.
    package let subtrees: [SumTree.Node]
    /// The groups, in order.
    package let groups: [Group]
    /// The number of slots that the groups use.
    package let slotCount: Int

    package init(subtrees: [SumTree.Node], groups: [Group], slotCount: Int) {
      self.subtrees = subtrees
      self.groups = groups
      self.slotCount = slotCount
    }
  }

  /// A group of neighbouring microbatches of a step, which one worker computes at once.
  package struct Group: Hashable, Sendable {
    /// The microbatches; all have rows.
    package let microbatches: [Int]
    /// The rows of the step.
    package let rows: Range<Int>
    /// The rows of each microbatch, and the sums of their gradients.
    package let shape: MicrobatchGroup
    /// The slot of each sum.
    package let slots: [Int]
    /// The additions that can be done once the group is computed, in order.
    package let additions: [SumTree.Addition]

    package init(
      microbatches: [Int], rows: Range<Int>, shape: MicrobatchGroup, slots: [Int],
      additions: [SumTree.Addition]
    ) {
      self.microbatches = microbatches
      self.rows = rows
      self.shape = shape
      self.slots = slots
      self.additions = additions
    }
  }

  /// The microbatches of each rank and worker.
  package let division: WorkDivision
  /// The number of workers of each rank.
  let workerCounts: [Int]
  /// The patterns of the run's steps, by ascending number of rows.
  package let patterns: [Pattern]
  /// The most microbatches of a group, a power of two; nil for any number.
  private let groupSize: Int?

  /// Divides steps among ranks and workers.
  ///
  /// - Parameters:
  ///   - groups: The ranks, by the groups that share memory.
  ///   - workerCounts: The number of workers of each rank.
  ///   - microbatches: The number of microbatches of a step.
  ///   - rowCounts: The numbers of rows that steps have.
  ///   - groupSize: The most microbatches that a worker computes at once, rounded down to a power of two; nil for
  ///     all of the worker. It decides how fast steps are, never what the answer is.
  package init(
    groups: [[Int]], workerCounts: [Int], microbatches: Int, rowCounts: Set<Int>, groupSize: Int?
  ) {
    division = WorkDivision(groups: groups, microbatches: microbatches)
    precondition(
      workerCounts.count == division.size, "\(workerCounts.count) ranks in groups \(groups)")
    precondition(groupSize ?? 1 > 0, "groups of \(groupSize ?? 0) microbatches")
    self.workerCounts = workerCounts
    // Borders of whole subtrees.
    self.groupSize = groupSize.map { 1 << (Int.bitWidth - 1 - $0.leadingZeroBitCount) }
    patterns = rowCounts.sorted().map {
      let cut = MicrobatchCut(rowCount: $0, count: microbatches)
      return Pattern(cut: cut, tree: SumTree(cut))
    }
  }

  /// Returns the microbatches that a rank computes.
  package func microbatches(of rank: Int) -> Range<Int> { division.microbatches(of: rank) }

  /// Returns the microbatches that one worker of a rank computes.
  package func microbatches(of rank: Int, worker: Int) -> Range<Int> {
    division.microbatches(of: rank, worker: worker, of: workerCounts[rank])
  }

  /// Returns the part of one worker of a rank in the steps of a pattern.
  package func work(of rank: Int, worker: Int, in pattern: Pattern) -> Work {
    let own = microbatches(of: rank, worker: worker)
    let ranges = groups(of: own).filter { !pattern.tree.maximalNodes(in: $0).isEmpty }
    let subtrees = pattern.tree.maximalNodes(in: own)
    let order = SlotOrder(
      of: subtrees, from: ranges.map(pattern.tree.maximalNodes), in: pattern.tree)
    let groups = ranges.enumerated().map { index, range in
      pattern.group(of: range, slots: order.slots[index], additions: order.additions[index])
    }
    return Work(subtrees: subtrees, groups: groups, slotCount: order.slotCount)
  }

  /// Cuts the microbatches of a worker where whole subtrees of the size of a group begin.
  private func groups(of microbatches: Range<Int>) -> [Range<Int>] {
    guard let groupSize, microbatches.count > groupSize else { return [microbatches] }
    let first = microbatches.lowerBound / groupSize * groupSize
    return stride(from: first, to: microbatches.upperBound, by: groupSize).map {
      ($0..<$0 + groupSize).clamped(to: microbatches)
    }
  }

  /// Returns the number of gradient slots of each worker of a rank, at least one.
  package func slotCounts(of rank: Int) -> [Int] {
    (0..<workerCounts[rank]).map { worker in
      patterns.reduce(1) { max($0, work(of: rank, worker: worker, in: $1).slotCount) }
    }
  }

  /// Returns the groups that a worker of a rank computes, each once.
  package func shapes(of rank: Int, worker: Int) -> [MicrobatchGroup] {
    var shapes: [MicrobatchGroup] = []
    for group in patterns.flatMap({ work(of: rank, worker: worker, in: $0).groups })
    where !shapes.contains(group.shape) {
      shapes.append(group.shape)
    }
    return shapes
  }
}

extension StepLayout.Pattern {
  /// Returns the microbatches of a range that have rows, and the order in which they are added.
  fileprivate func group(
    of range: Range<Int>, slots: [Int], additions: [SumTree.Addition]
  ) -> StepLayout.Group {
    let microbatches = range.filter { !cut[$0].isEmpty }
    var end = 0
    let sums = tree.maximalNodes(in: range).map { node in
      let additions = tree.additions(below: node)
      end += additions.count
      return MicrobatchGroup.Sum(of: end - additions.count..<end, additions: additions)
    }
    return StepLayout.Group(
      microbatches: microbatches,
      rows: cut[range.lowerBound].lowerBound..<cut[range.upperBound - 1].upperBound,
      shape: MicrobatchGroup(rowCounts: microbatches.map { cut[$0].count }, sums: sums),
      slots: slots, additions: additions)
  }
}

/// The slots in which one worker adds the sums of its groups, as soon as two that belong together are there.
///
/// The number of slots grows with the logarithm of the number of groups.
private struct SlotOrder {
  /// For each group, the slots of its sums.
  private(set) var slots: [[Int]]
  /// For each group, the additions once it is computed.
  private(set) var additions: [[SumTree.Addition]]
  private(set) var slotCount = 0
  private let places: [SumTree.Node: (group: Int, sum: Int)]
  private let tree: SumTree
  /// The group whose sums were placed last.
  private var last = 0

  /// Places the sums of `subtrees` in the first slots.
  ///
  /// - Parameters:
  ///   - subtrees: The sums that are wanted.
  ///   - groups: For each group, the nodes whose sums it leaves; together they cover the subtrees.
  ///   - tree: The tree.
  init(of subtrees: [SumTree.Node], from groups: [[SumTree.Node]], in tree: SumTree) {
    self.tree = tree
    slots = groups.map { $0.map { _ in 0 } }
    additions = groups.map { _ in [] }
    var places: [SumTree.Node: (group: Int, sum: Int)] = [:]
    for (group, nodes) in groups.enumerated() {
      for (sum, node) in nodes.enumerated() { places[node] = (group, sum) }
    }
    self.places = places
    for (slot, node) in subtrees.enumerated() { place(node, in: slot) }
  }

  private mutating func place(_ node: SumTree.Node, in slot: Int) {
    slotCount = max(slotCount, slot + 1)
    if let place = places[node] {
      slots[place.group][place.sum] = slot
      last = place.group
      return
    }
    precondition(node.level > 0, "no group has microbatch \(node.index)")
    switch (tree.contains(node.left), tree.contains(node.right)) {
    case (true, true):
      place(node.left, in: slot)
      place(node.right, in: slot + 1)
      additions[last].append(SumTree.Addition(target: slot, source: slot + 1))
    case (true, false): place(node.left, in: slot)
    case (false, true): place(node.right, in: slot)
    case (false, false): break
    }
  }
}

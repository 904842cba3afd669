/// The plan by which one rank folds the gradients of a step: which vectors are added, in which order, and which
/// ranges are exchanged with whom.
///
/// The workers of a group leave the sums of their largest subtrees, the subtotals, in memory that all ranks of the
/// group see. Each rank owns a range of elements of every bucket (``ElementDivision``) and folds it straight
/// from there. With several groups, each first folds its own subtrees for the ranges that the others own
/// and sends them, one copy per group; the owner then folds what it received with what its own group has.
/// Nothing depends on powers of two; ranks beyond the number of microbatches only help to add. A group
/// has one largest subtree where groups and microbatches are powers of two, and up to
/// 2 · log₂ of its microbatches otherwise.
///
/// A function of its arguments, without memory and without a communicator. It holds for one pattern of present
/// microbatches; a run has two, for full and for short batches.
package struct FoldPlan: Sendable {
  /// The sum of one of a worker's largest subtrees: a flat vector in the memory of this rank's group.
  package struct Subtotal: Hashable, Sendable {
    /// The local rank of the worker.
    package let localRank: Int
    /// The number of the worker within its rank.
    package let worker: Int
    /// The number of the subtree among the largest ones of the worker, in order.
    package let subtree: Int
  }

  /// The additions that make the sum of one node, in slots that are numbered as the subtotals; slots beyond
  /// the last subtotal are the subtrees received from other groups.
  struct Fold: Hashable, Sendable {
    /// The additions, in order.
    let additions: [SumTree.Addition]
    /// The slot where the sum ends.
    let slot: Int

    /// Nil if nothing below the node is present.
    fileprivate init?(_ tree: SumTree, to node: SumTree.Node, from slots: [SumTree.Node: Int]) {
      let fold = tree.fold(to: node, from: slots)
      guard let slot = fold.slot else { return nil }
      (additions, self.slot) = (fold.additions, slot)
    }
  }

  /// A range of elements of each of a group's subtrees that one rank sends to another.
  package struct Message: Hashable, Sendable {
    /// The other rank.
    package let rank: Int
    /// The range of each subtree.
    package let elements: Range<Int>
    /// The indices in the staging memory, subtree by subtree.
    package let staged: Range<Int>

    /// The offset of a subtree: its element i lies in the staging memory at the offset plus i.
    func offset(ofSubtree subtree: Int) -> Int {
      staged.lowerBound + subtree * elements.count - elements.lowerBound
    }
  }

  /// A part of the owned range of a bucket that each group sends from one rank alone.
  struct Part: Hashable, Sendable {
    /// The elements.
    let elements: Range<Int>
    /// The offset in the memory for receiving of each subtree received: its element i lies at the offset plus i.
    let offsets: [Int]
  }

  /// The work of this rank on one bucket.
  package struct Bucket: Hashable, Sendable {
    /// The elements that this rank folds to the whole sum.
    let owned: Range<Int>
    /// The owned range, cut where another rank begins to be the one that sends.
    let parts: [Part]
    /// The messages to the owners in other groups, by rank.
    package let outgoing: [Message]
    /// The messages from ranks of other groups, by rank.
    package let incoming: [Message]
  }

  /// The rank that folds.
  package let rank: Int
  /// The number of ranks.
  let size: Int
  /// The vectors of this rank's group that are added.
  package let subtotals: [Subtotal]
  /// The fold of each of the group's largest subtrees, for the ranges that other groups own.
  let subtrees: [Fold]
  /// The fold of the whole step, for the owned ranges; nil if no microbatch is present.
  let whole: Fold?
  /// The buckets, in the order in which they are begun and finished.
  package let buckets: [Bucket]
  /// The elements of the memory for sending.
  package let sendingCount: Int
  /// The elements of the memory for receiving.
  package let receivingCount: Int
  /// True if there are other groups to exchange sums with.
  let isExchanged: Bool

  /// Plans the folds of one rank.
  ///
  /// - Parameters:
  ///   - tree: The tree of the microbatches that are present.
  ///   - division: The microbatches of each rank.
  ///   - workerCounts: The number of workers of each rank.
  ///   - elements: The elements that each rank owns.
  ///   - rank: The rank.
  package init(
    tree: SumTree, division: WorkDivision, workerCounts: [Int], elements: ElementDivision,
    rank: Int
  ) {
    let group = elements.group(of: rank)
    var subtotals: [Subtotal] = []
    var slots: [SumTree.Node: Int] = [:]
    for (localRank, member) in division.groups[group].enumerated() {
      for worker in 0..<workerCounts[member] {
        let microbatches = division.microbatches(
          of: member, worker: worker, of: workerCounts[member])
        for (subtree, node) in tree.maximalNodes(in: microbatches).enumerated() {
          slots[node] = subtotals.count
          subtotals.append(Subtotal(localRank: localRank, worker: worker, subtree: subtree))
        }
      }
    }
    let nodes = division.groups.indices.map {
      tree.maximalNodes(in: division.microbatches(ofGroup: $0))
    }
    subtrees = nodes[group].compactMap { Fold(tree, to: $0, from: slots) }
    let received = division.groups.indices.filter { $0 != group }.flatMap { nodes[$0] }
    for (index, node) in received.enumerated() { slots[node] = subtotals.count + index }
    whole = Fold(tree, to: tree.root, from: slots)
    var (sendingCount, receivingCount) = (0, 0)
    buckets = elements.buckets.map { bucket in
      let owned = elements.elements(of: rank, in: bucket)
      let outgoing = FoldPlan.messages(from: &sendingCount, size: elements.size) {
        (elements.elements(from: rank, to: $0, in: bucket), nodes[group].count)
      }
      let incoming = FoldPlan.messages(from: &receivingCount, size: elements.size) {
        (elements.elements(from: $0, to: rank, in: bucket), nodes[elements.group(of: $0)].count)
      }
      // In the order of the slots: by groups, and within each by subtrees.
      let offsets = elements.groups.indices.map { other in
        incoming.filter { elements.group(of: $0.rank) == other }
          .map { message in (message, nodes[other].indices.map(message.offset)) }
      }
      return Bucket(
        owned: owned, parts: FoldPlan.parts(of: owned, offsets), outgoing: outgoing,
        incoming: incoming)
    }
    self.subtotals = subtotals
    self.rank = rank
    size = elements.size
    isExchanged = division.groups.count > 1
    (self.sendingCount, self.receivingCount) = (sendingCount, receivingCount)
  }

  /// Lays out the messages with all other ranks one behind another.
  private static func messages(
    from end: inout Int, size: Int, _ content: (Int) -> (elements: Range<Int>, subtreeCount: Int)
  ) -> [Message] {
    var messages: [Message] = []
    for rank in 0..<size {
      let (elements, subtreeCount) = content(rank)
      let count = elements.count * subtreeCount
      guard count > 0 else { continue }
      messages.append(Message(rank: rank, elements: elements, staged: end..<end + count))
      end += count
    }
    return messages
  }

  /// Cuts the owned range of a bucket where another rank begins to be the one that sends.
  private static func parts(
    of owned: Range<Int>, _ groups: [[(message: Message, offsets: [Int])]]
  ) -> [Part] {
    guard !owned.isEmpty else { return [] }
    var borders: Set = [owned.lowerBound, owned.upperBound]
    for (message, _) in groups.joined() {
      borders.formUnion([message.elements.lowerBound, message.elements.upperBound])
    }
    let sorted = borders.sorted()
    return zip(sorted, sorted.dropFirst()).map { start, end in
      Part(
        elements: start..<end,
        offsets: groups.flatMap { messages in
          messages.first { $0.message.elements.contains(start) }?.offsets ?? []
        })
    }
  }
}

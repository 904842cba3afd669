package import Communication

/// Sums of several numbers over the blocks of an evaluation, in one tree over all blocks.
///
/// Each worker sums the largest subtrees of its own blocks, and only these are passed on, so memory and
/// messages grow with the logarithm of the number of blocks; who has which blocks changes no bit.
package struct BlockSums {
  private let tree: SumTree
  private let blockCount: Int
  /// The count of numbers that are summed side by side.
  private let count: Int

  /// Sums `count` numbers over each of `blockCount` blocks.
  package init(blockCount: Int, count: Int) {
    tree = SumTree(isPresent: Array(repeating: true, count: blockCount))
    self.blockCount = blockCount
    self.count = count
  }

  /// Sums over all blocks, shared out among ranks and their workers.
  ///
  /// Collective. Every rank gets the same sums.
  ///
  /// - Parameters:
  ///   - communicator: The ranks.
  ///   - pool: The workers of this rank; ranks may differ.
  ///   - term: Called by workers at the same time: worker `worker` adds the numbers of block `block` to
  ///     the memory it is given, which holds zeros.
  /// - Returns: One sum per number.
  /// - Throws: What `term` throws, as a failure that all ranks agree on.
  package func total(
    on communicator: any Communicator, _ pool: WorkerPool,
    term: (_ worker: Int, _ block: Int, UnsafeMutableBufferPointer<Double>) throws -> Void
  ) throws(CommunicationError) -> [Double] {
    let division = WorkDivision(size: communicator.size, microbatches: blockCount)
    var parts: [Result<[Double], any Error>] = (0..<pool.count).map { _ in .success([]) }
    let own = try communicator.agreeingOnFailure {
      parts.withUnsafeMutableBufferPointer { parts in
        pool.run { worker in
          let blocks = division.microbatches(of: communicator.rank, worker: worker, of: pool.count)
          parts[worker] = Result {
            try partialSums(of: blocks) { block, numbers in try term(worker, block, numbers) }
          }
        }
      }
      return try parts.flatMap { try $0.get() }
    }
    return total(of: try communicator.allgather(values: own).flatMap { $0 })
  }

  /// Sums over the largest subtrees within a range of blocks, one after another.
  ///
  /// - Parameters:
  ///   - blocks: The range.
  ///   - term: Adds the numbers of a block to the memory it is given, which holds zeros.
  /// - Returns: For each subtree its level, its index and its sums.
  private func partialSums(
    of blocks: Range<Int>, term: (Int, UnsafeMutableBufferPointer<Double>) throws -> Void
  ) rethrows -> [Double] {
    var parts: [Double] = []
    for node in tree.maximalNodes(in: blocks) {
      parts += [Double(node.level), Double(node.index)]
      let leaves = node.leaves.clamped(to: 0..<blockCount)
      for (block, additions) in zip(leaves, tree.additions(below: node)) {
        let start = parts.count
        parts += repeatElement(0, count: count)
        try parts.withUnsafeMutableBufferPointer {
          try term(block, UnsafeMutableBufferPointer(rebasing: $0[start...]))
        }
        for _ in 0..<additions {
          let last = parts.count - count
          for index in last..<parts.count { parts[index - count] += parts[index] }
          parts.removeLast(count)
        }
      }
    }
    return parts
  }

  /// The sums over all blocks.
  ///
  /// - Parameter parts: What ``partialSums(of:term:)`` returned for ranges that cover all blocks.
  /// - Returns: One sum per number.
  private func total(of parts: [Double]) -> [Double] {
    var slotIndices: [SumTree.Node: Int] = [:]
    var slots: [Double] = []
    for start in stride(from: 0, to: parts.count, by: 2 + count) {
      let node = SumTree.Node(level: Int(parts[start]), index: Int(parts[start + 1]))
      slotIndices[node] = slotIndices.count
      slots += parts[start + 2..<start + 2 + count]
    }
    let (additions, slot) = tree.fold(to: tree.root, from: slotIndices)
    func range(of slot: Int) -> Range<Int> { slot * count..<(slot + 1) * count }
    for addition in additions {
      for (target, source) in zip(range(of: addition.target), range(of: addition.source)) {
        slots[target] += slots[source]
      }
    }
    guard let slot else { preconditionFailure("an evaluation of no blocks") }
    return Array(slots[range(of: slot)])
  }
}

/// The division of a run's steps: the microbatches of each worker, and the order and slots in which the
/// worker computes and adds their gradients.
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
    /// The computations and additions, in order.
    package let instructions: [SumTree.Instruction]
    /// The number of slots that the instructions use.
    package let slotCount: Int

    package init(subtrees: [SumTree.Node], instructions: [SumTree.Instruction], slotCount: Int) {
      self.subtrees = subtrees
      self.instructions = instructions
      self.slotCount = slotCount
    }
  }

  /// The microbatches of each rank and worker.
  package let division: WorkDivision
  /// The number of workers of each rank.
  let workerCounts: [Int]
  /// The patterns of the run's steps, by ascending number of rows.
  package let patterns: [Pattern]
  /// True if microbatches are computed segment by segment, all of them at once.
  package let isSegmented: Bool

  /// Divides steps among ranks and workers.
  ///
  /// - Parameters:
  ///   - groups: The ranks, by the groups that share memory.
  ///   - workerCounts: The number of workers of each rank.
  ///   - microbatches: The number of microbatches of a step.
  ///   - rowCounts: The numbers of rows that steps have.
  ///   - isSegmented: True for networks with sums over microbatches.
  package init(
    groups: [[Int]], workerCounts: [Int], microbatches: Int, rowCounts: Set<Int>, isSegmented: Bool
  ) {
    division = WorkDivision(groups: groups, microbatches: microbatches)
    precondition(
      workerCounts.count == division.size, "\(workerCounts.count) ranks in groups \(groups)")
    self.workerCounts = workerCounts
    self.isSegmented = isSegmented
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
    let subtrees = pattern.tree.maximalNodes(in: microbatches(of: rank, worker: worker))
    let (instructions, slotCount) =
      isSegmented
      ? pattern.tree.parallelSum(of: subtrees) : pattern.tree.sequentialSum(of: subtrees)
    return Work(subtrees: subtrees, instructions: instructions, slotCount: slotCount)
  }

  /// Returns the number of gradient slots of each worker of a rank, at least one.
  package func slotCounts(of rank: Int) -> [Int] {
    (0..<workerCounts[rank]).map { worker in
      patterns.reduce(1) { max($0, work(of: rank, worker: worker, in: $1).slotCount) }
    }
  }

  /// Returns the numbers of rows for which each runner of a worker is compiled.
  ///
  /// One runner serves all microbatches of a worker, unless they are computed segment by segment: then
  /// all are under way at once, and each has a runner.
  package func runnerSizes(of rank: Int, worker: Int) -> [Set<Int>] {
    guard isSegmented else { return [Set(patterns.flatMap(\.cut.sizes))] }
    return microbatches(of: rank, worker: worker).map { microbatch in
      Set(patterns.map { $0.cut[microbatch].count }).subtracting([0])
    }
  }
}

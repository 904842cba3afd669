import Execution

/// The part of one pattern of present microbatches that a rank does.
package final class StepProgram {
  /// What one worker does, in its own slots.
  package struct Part {
    package let instructions: [SumTree.Instruction]
    /// The last microbatch, during which sums begin; nil for a worker that computes none.
    package let lastCompute: Int?
    /// The steps of the last microbatch's plan that are forward.
    package let forwardSteps: Int
    /// For each bucket, the steps of the last microbatch's plan after which it is final.
    package let finalSteps: [Int]
    /// The milestones of the last microbatch's plan: the forward steps, the final steps of buckets and, on the
    /// thread that lets exchanges go on, all steps from the first of those on.
    package let milestones: [Int]
  }

  /// The rows of each microbatch.
  package let cut: MicrobatchCut
  /// The order of sums.
  package let tree: SumTree
  /// What each worker does.
  package let parts: [Part]
  /// How gradients are added.
  package let sum: GradientSum
  /// How vectors of all microbatches are added, in slots of their numbers.
  package let total: (additions: [SumTree.Addition], slot: Int?)

  /// Plans the steps of one number of rows.
  ///
  /// - Parameters:
  ///   - cut: The rows of each microbatch.
  ///   - tree: The tree of the microbatches that are present.
  ///   - sum: How gradients are added.
  ///   - parts: What each worker does.
  package init(_ cut: MicrobatchCut, _ tree: SumTree, sum: GradientSum, parts: [Part]) {
    self.cut = cut
    self.tree = tree
    self.parts = parts
    self.sum = sum
    total = tree.fold(
      to: tree.root,
      from: Dictionary(
        uniqueKeysWithValues: (0..<cut.count).map { (SumTree.Node(level: 0, index: $0), $0) }))
  }
}

extension StepProgram.Part {
  /// Plans the part of one worker.
  ///
  /// - Parameters:
  ///   - instructions: What it does.
  ///   - cut: The rows of each microbatch.
  ///   - hand: What computes its microbatches one by one; nil where they are computed in segments.
  ///   - buckets: The ranges of elements that are summed over ranks one after another.
  ///   - drivesExchanges: Whether the worker lets exchanges go on while it computes.
  package init(
    _ instructions: [SumTree.Instruction], cut: MicrobatchCut, hand: MicrobatchWorker?,
    buckets: [Range<Int>], drivesExchanges: Bool
  ) {
    self.instructions = instructions
    lastCompute = instructions.lastIndex { if case .compute = $0 { true } else { false } }
    guard let hand, let lastCompute, case .compute(let leaf, _) = instructions[lastCompute] else {
      (forwardSteps, finalSteps, milestones) = (0, [], [])
      return
    }
    let schedule = hand.plan(for: cut[leaf].count).plan.schedule
    // In order: a bucket is not begun before the one in front of it. Not before the first step: what no step
    // writes is added with the rest.
    var latest = 1
    let finalSteps = buckets.map { bucket in
      latest = max(latest, schedule.stepCount(finishing: bucket))
      return latest
    }
    forwardSteps = schedule.forwardStepCount
    self.finalSteps = finalSteps
    let polled = drivesExchanges ? Array((finalSteps.first ?? 1)..<schedule.steps.count + 1) : []
    milestones = Set([forwardSteps] + finalSteps + polled).sorted()
  }
}

import Execution

/// The part of this rank in the steps of one pattern of present microbatches.
final class StepProgram {
  /// The part of one worker, in its own slots.
  struct Part {
    let instructions: [SumTree.Instruction]
    /// The index of the last computation, during which exchanges begin; nil if there is none.
    let lastCompute: Int?
    /// The number of forward steps of the last microbatch.
    let forwardSteps: Int
    /// For each bucket, the number of steps of the last microbatch after which it is final.
    let finalSteps: [Int]
    /// The milestones of the last microbatch: the forward steps, the final steps of buckets and, on the
    /// thread that drives exchanges, all steps from the first of those on.
    let milestones: [Int]
  }

  /// The rows of each microbatch.
  let cut: MicrobatchCut
  /// The order of sums.
  let tree: SumTree
  /// The part of each worker.
  let parts: [Part]
  /// The sum of gradients over all ranks.
  let sum: GradientSum
  /// The additions over all microbatches, each in the slot of its number, and the slot of the result.
  let total: (additions: [SumTree.Addition], slot: Int?)

  /// Assembles the program of a pattern.
  init(_ pattern: StepLayout.Pattern, sum: GradientSum, parts: [Part]) {
    cut = pattern.cut
    tree = pattern.tree
    self.parts = parts
    self.sum = sum
    total = tree.fold(
      to: tree.root,
      from: Dictionary(
        uniqueKeysWithValues: (0..<cut.count).map { (SumTree.Node(level: 0, index: $0), $0) }))
  }
}

extension StepProgram.Part {
  /// Plans a part during which no exchange begins: one without microbatches, or computed segment by segment.
  init(withoutBuckets work: StepLayout.Work) {
    self.init(
      instructions: work.instructions, lastCompute: Self.lastCompute(work), forwardSteps: 0,
      finalSteps: [], milestones: [])
  }

  /// Plans a part whose exchanges begin during its last microbatch.
  ///
  /// - Parameters:
  ///   - work: The computations and additions.
  ///   - cut: The rows of each microbatch.
  ///   - runner: The runner of the microbatches.
  ///   - buckets: The ranges of elements that are exchanged one after another.
  ///   - drivesExchanges: True on the one thread that calls MPI.
  init(
    _ work: StepLayout.Work, cut: MicrobatchCut, runner: MicrobatchRunner, buckets: [Range<Int>],
    drivesExchanges: Bool
  ) {
    guard let lastCompute = Self.lastCompute(work),
      case .compute(let microbatch, _) = work.instructions[lastCompute]
    else {
      self.init(withoutBuckets: work)
      return
    }
    let schedule = runner.microbatch(ofRows: cut[microbatch].count).plan.schedule
    // In order: no bucket begins before the one in front of it. Not before the first step: elements that
    // no step writes are added with the rest.
    var latest = 1
    let finalSteps = buckets.map { bucket in
      latest = max(latest, schedule.stepCount(finishing: bucket))
      return latest
    }
    let forwardSteps = schedule.forwardStepCount
    let polled = drivesExchanges ? Array((finalSteps.first ?? 1)..<schedule.steps.count + 1) : []
    self.init(
      instructions: work.instructions, lastCompute: lastCompute, forwardSteps: forwardSteps,
      finalSteps: finalSteps, milestones: Set([forwardSteps] + finalSteps + polled).sorted())
  }

  private static func lastCompute(_ work: StepLayout.Work) -> Int? {
    work.instructions.lastIndex { if case .compute = $0 { true } else { false } }
  }
}

import Execution

/// The part of one pattern of present microbatches that a rank does.
final class StepProgram {
  /// What one worker does, in its own slots.
  struct Part {
    let instructions: [SumTree.Instruction]
    /// The last microbatch, during which sums begin; nil for a worker that computes none.
    let lastCompute: Int?
    /// The calls of the last microbatch's plan that are forward.
    let forwardCalls: Int
    /// For each bucket, the calls of the last microbatch's plan after which it is final.
    let finalCalls: [Int]
  }

  /// The rows of each microbatch.
  let cut: MicrobatchCut
  /// The order of sums.
  let tree: SumTree
  /// What each worker does.
  let parts: [Part]
  /// How gradients are added.
  let sum: GradientSum
  /// How vectors of all microbatches are added, in slots of their numbers.
  let total: (additions: [SumTree.Addition], slot: Int?)

  /// Plans the steps of one number of rows.
  ///
  /// - Parameters:
  ///   - cut: The rows of each microbatch.
  ///   - tree: The tree of the microbatches that are present.
  ///   - sum: How gradients are added.
  ///   - parts: What each worker does.
  init(_ cut: MicrobatchCut, _ tree: SumTree, sum: GradientSum, parts: [Part]) {
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
  init(
    _ instructions: [SumTree.Instruction], cut: MicrobatchCut, hand: MicrobatchWorker?,
    buckets: [Range<Int>]
  ) {
    self.instructions = instructions
    lastCompute = instructions.lastIndex { if case .compute = $0 { true } else { false } }
    guard let hand, let lastCompute, case .compute(let leaf, _) = instructions[lastCompute] else {
      forwardCalls = 0
      finalCalls = []
      return
    }
    let plan = hand.plan(for: cut[leaf].count).plan
    forwardCalls = plan.forwardCallCount
    // In order: a bucket is not begun before the one in front of it.
    var latest = 0
    finalCalls = buckets.map { bucket in
      latest = max(latest, plan.callCount(finishing: bucket))
      return latest
    }
  }
}

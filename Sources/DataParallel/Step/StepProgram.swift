import Execution
import Tensors

/// The part of this rank in the steps of one pattern of present microbatches.
final class StepProgram {
  /// The part of one worker, in its own slots.
  struct Part {
    /// The groups that it computes, in order; none on a worker without microbatches.
    let groups: [BoundGroup]
    /// The number of forward steps of the last group.
    let forwardSteps: Int
    /// For each bucket, the number of steps of the last group after which it is final.
    let finalSteps: [Int]
    /// The milestones of the last group: the forward steps, the final steps of buckets and, on the thread that
    /// drives exchanges, all steps from the first of those on.
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
  /// Plans a part whose exchanges begin during its last group.
  ///
  /// - Parameters:
  ///   - groups: The groups, in order.
  ///   - buckets: The ranges of elements that are exchanged one after another; none within one group of ranks.
  ///   - drivesExchanges: True on the one thread that calls MPI.
  init(_ groups: [BoundGroup], buckets: [Range<Int>], drivesExchanges: Bool) {
    self.groups = groups
    guard let schedule = groups.last?.compiled.plan.schedule else {
      (forwardSteps, finalSteps, milestones) = (0, [], [])
      return
    }
    // In order: no bucket begins before the one in front of it. Not before the first step: elements that
    // no step writes are added with the rest.
    var latest = 1
    finalSteps = buckets.map { bucket in
      latest = max(latest, schedule.stepCount(finishing: bucket))
      return latest
    }
    forwardSteps = schedule.forwardStepCount
    let count = schedule.steps.count
    let polled = drivesExchanges ? (finalSteps.first ?? count)..<count + 1 : 0..<0
    milestones = Set([forwardSteps] + finalSteps + polled).sorted()
  }
}

/// A group of microbatches as a worker computes it: compiled, with the vectors of its sums.
final class BoundGroup {
  /// The microbatches and their place in the step.
  let group: StepLayout.Group
  /// The network compiled for them.
  let compiled: CompiledGroup
  /// The vector of each sum, in memory of the worker.
  let gradients: GradientVectors

  /// Binds a group to slots of a worker.
  init(_ group: StepLayout.Group, _ compiled: CompiledGroup, slots: [FloatBuffer]) {
    self.group = group
    self.compiled = compiled
    let vectors = UnsafeMutableBufferPointer<UnsafeMutablePointer<Float>>.allocate(
      capacity: group.slots.count)
    _ = vectors.initialize(from: group.slots.map { slots[$0].pointer })
    gradients = GradientVectors(vectors)
  }

  deinit { gradients.deallocate() }
}

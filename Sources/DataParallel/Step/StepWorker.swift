import Execution
import Tensors

/// A worker of a ``StepEngine``: its runners and the memory of its gradients.
///
/// Belongs to one thread at a time.
final class StepWorker {
  /// The runners of its microbatches: one for all, or one for each if they are computed segment by segment.
  let runners: [MicrobatchRunner]
  /// The flat vectors that gradients are computed into and added in.
  let slots: [FloatBuffer]
  /// Records time per phase; nil for threads that are not profiled.
  let stopwatch: Stopwatch?
  /// The first error of this step.
  var failure: (any Error)?
  private let firstMicrobatch: Int
  private let arithmetic: any FlatArithmetic

  /// Gives a worker its memory.
  ///
  /// - Parameters:
  ///   - runners: The runners of its microbatches.
  ///   - firstMicrobatch: The index of the first of them.
  ///   - slots: The flat vectors of gradients.
  ///   - stopwatch: Records time per phase; nil for threads that are not profiled.
  ///   - arithmetic: The additions.
  init(
    _ runners: [MicrobatchRunner], firstMicrobatch: Int, slots: [FloatBuffer],
    stopwatch: Stopwatch?, arithmetic: any FlatArithmetic
  ) {
    self.arithmetic = arithmetic
    self.stopwatch = stopwatch
    self.runners = runners
    self.firstMicrobatch = firstMicrobatch
    self.slots = slots
  }

  /// Returns the runner of a microbatch.
  func runner(of microbatch: Int) -> MicrobatchRunner {
    runners.count == 1 ? runners[0] : runners[microbatch - firstMicrobatch]
  }

  /// Carries out one addition of the tree for a range of elements.
  func add(_ addition: SumTree.Addition, _ elements: Range<Int>) {
    arithmetic.add(
      slots[addition.target].pointer + elements.lowerBound,
      slots[addition.source].pointer + elements.lowerBound, count: elements.count)
  }
}

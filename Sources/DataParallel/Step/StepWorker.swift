import Execution
import Tensors

/// A worker of a ``StepEngine``: its runner and the memory of its gradients.
///
/// Belongs to one thread at a time.
final class StepWorker {
  /// The runner of its groups of microbatches.
  let runner: GroupRunner
  /// The flat vectors that gradients are computed into and added in.
  let slots: [FloatBuffer]
  /// Records time per phase; nil for threads that are not profiled.
  let stopwatch: Stopwatch?
  /// The first error of this step.
  var failure: (any Error)?
  private let arithmetic: any FlatArithmetic

  /// Gives a worker its memory.
  ///
  /// - Parameters:
  ///   - runner: The runner of its groups of microbatches.
  ///   - slots: The flat vectors of gradients.
  ///   - stopwatch: Records time per phase; nil for threads that are not profiled.
  ///   - arithmetic: The additions.
  init(
    _ runner: GroupRunner, slots: [FloatBuffer], stopwatch: Stopwatch?,
    arithmetic: any FlatArithmetic
  ) {
    self.arithmetic = arithmetic
    self.stopwatch = stopwatch
    self.runner = runner
    self.slots = slots
  }

  /// Carries out one addition of the tree for a range of elements.
  func add(_ addition: SumTree.Addition, _ elements: Range<Int>) {
    arithmetic.add(
      slots[addition.target].pointer + elements.lowerBound,
      slots[addition.source].pointer + elements.lowerBound, count: elements.count)
  }
}

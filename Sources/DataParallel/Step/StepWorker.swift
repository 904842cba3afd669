package import Execution
package import Tensors

/// A worker of a ``StepEngine`` with its memory; one thread at a time.
package final class StepWorker {
  /// What computes its microbatches: one for all, or one for each where they are computed in segments,
  /// since all are under way at once then.
  package let hands: [MicrobatchWorker]
  /// The flat vectors that gradients are computed into and added in.
  package let slots: [FloatBuffer]
  /// Told where the time goes; nil for a thread of which nobody wants to know.
  package let stopwatch: Stopwatch?
  /// What went wrong in this step, if anything did.
  package var failure: (any Error)?
  private let firstLeaf: Int
  private let arithmetic: any FlatArithmetic

  /// Gives a worker its memory.
  ///
  /// - Parameters:
  ///   - hands: What computes its microbatches.
  ///   - firstLeaf: The first of them.
  ///   - stopwatch: Told where the time goes.
  ///   - slots: Where gradients go.
  ///   - arithmetic: The additions.
  package init(
    _ hands: [MicrobatchWorker], firstLeaf: Int, stopwatch: Stopwatch?, slots: [FloatBuffer],
    arithmetic: any FlatArithmetic
  ) {
    self.arithmetic = arithmetic
    self.stopwatch = stopwatch
    self.hands = hands
    self.firstLeaf = firstLeaf
    self.slots = slots
  }

  /// What computes a microbatch.
  package func hand(for leaf: Int) -> MicrobatchWorker {
    hands.count == 1 ? hands[0] : hands[leaf - firstLeaf]
  }

  /// Does one addition of the tree for a range of elements.
  package func add(_ addition: SumTree.Addition, _ elements: Range<Int>) {
    arithmetic.add(
      slots[addition.target].pointer + elements.lowerBound,
      slots[addition.source].pointer + elements.lowerBound, count: elements.count)
  }
}

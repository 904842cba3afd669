package import Communication
package import Execution
import Tensors

/// The sum of the gradients of all microbatches of a step, in the order of the tree: a ``FoldPlan`` carried out
/// in memory.
package final class GradientSum {
  private let plan: FoldPlan
  /// The vector of each subtotal.
  private let subtotals: [UnsafeMutablePointer<Float>]
  private let staging: GradientStaging
  /// Nil where all ranks are in one group.
  private let exchange: GradientExchange?
  private let arithmetic: any SumArithmetic
  /// The loss of rounding that has not been sent yet; used again when this pattern of microbatches comes again.
  private let residual: FloatBuffer

  /// The elements that are added before the next ones are looked at, so that they stay in the cache.
  private static let blockLength = FlatLayout.blockLength

  /// Gives a plan its memory.
  ///
  /// - Parameters:
  ///   - plan: The plan.
  ///   - staging: The memory for messages; the plan is among those that it was allocated for.
  ///   - exchange: Carries the messages; nil where all ranks are in one group.
  ///   - arithmetic: The additions.
  ///   - vector: Returns the flat vector of a subtotal.
  package init(
    _ plan: FoldPlan, staging: GradientStaging, exchange: GradientExchange?,
    arithmetic: any SumArithmetic, vector: (FoldPlan.Subtotal) -> UnsafeMutablePointer<Float>
  ) {
    self.plan = plan
    subtotals = plan.subtotals.map(vector)
    self.staging = staging
    self.exchange = exchange
    self.arithmetic = arithmetic
    residual = FloatBuffer(count: staging.format == .float ? 0 : plan.sendingCount)
  }

  /// The number of buckets; they are begun and finished in order.
  package var bucketCount: Int { plan.buckets.count }

  /// True if there are other groups to exchange sums with.
  var isExchanged: Bool { plan.isExchanged }

  /// The elements of a bucket that this rank owns.
  package func owned(_ bucket: Int) -> Range<Int> { plan.buckets[bucket].owned }

  /// Folds this group's subtrees of a bucket for the ranks of other groups and begins to exchange them.
  ///
  /// To be called when the bucket is final in all subtotals of the group.
  package func begin(_ bucket: Int) throws(CommunicationError) {
    for message in plan.buckets[bucket].outgoing { fold(message) }
    try exchange?.begin(bucket)
  }

  private func fold(_ message: FoldPlan.Message) {
    var start = message.elements.lowerBound
    while start < message.elements.upperBound {
      let count = min(GradientSum.blockLength, message.elements.upperBound - start)
      for (index, subtree) in plan.subtrees.enumerated() {
        for addition in subtree.additions {
          arithmetic.add(
            subtotals[addition.target] + start, subtotals[addition.source] + start, count: count)
        }
        let staged = message.offset(ofSubtree: index) + start
        switch staging.format {
        case .float:
          arithmetic.copy(
            subtotals[subtree.slot] + start, into: staging.sending.pointer + staged, count: count)
        case .bf16:
          arithmetic.encodeBFloat16(
            subtotals[subtree.slot] + start, residual: residual.pointer + staged,
            into: staging.encoded + staged, count: count)
        }
      }
      start += count
    }
  }

  /// Advances the exchange of a bucket without waiting.
  func progress(_ bucket: Int) throws(CommunicationError) { try exchange?.progress(bucket) }

  /// Waits for what other groups send of a bucket.
  package func finish(_ bucket: Int) throws(CommunicationError) { try exchange?.finish(bucket) }

  /// Folds a part of what this rank owns of a bucket, when all of it is there.
  ///
  /// - Parameters:
  ///   - elements: Elements within the owned range of the bucket; no two threads the same.
  ///   - bucket: The bucket.
  ///   - isAdded: True if they have been added in this step, so that the sums are there.
  ///   - receive: Gets successive ranges and where their sums are: the sum of element i at index i.
  /// - Complexity: One pass over the subtotals; no allocation.
  package func sum(
    _ elements: Range<Int>, in bucket: Int, isAdded: Bool = false,
    receive: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    guard let whole = plan.whole else { return }
    for part in plan.buckets[bucket].parts where part.elements.overlaps(elements) {
      let range = part.elements.clamped(to: elements)
      var start = isAdded ? range.upperBound : range.lowerBound
      while start < range.upperBound {
        let count = min(GradientSum.blockLength, range.upperBound - start)
        if staging.format == .bf16 {
          for offset in part.offsets {
            arithmetic.decodeBFloat16(
              staging.receivedEncoded + offset + start,
              into: staging.decoded.pointer + offset + start, count: count)
          }
        }
        for addition in whole.additions {
          arithmetic.add(
            vector(addition.target, part) + start, vector(addition.source, part) + start,
            count: count)
        }
        start += count
      }
      receive(range, vector(whole.slot, part))
    }
  }

  /// The vector in a slot, for the elements of a part: element i at index i.
  @inline(__always)
  private func vector(_ slot: Int, _ part: FoldPlan.Part) -> UnsafeMutablePointer<Float> {
    slot < subtotals.count
      ? subtotals[slot] : staging.decoded.pointer + part.offsets[slot - subtotals.count]
  }
}

/// The tags of all messages between pairs of ranks: one number space, divided among the kinds of messages.
///
/// MPI guarantees tags up to 32767. Kinds that can be under way at once have ranges of their own. Within a kind
/// tags repeat after as many buckets as its range has numbers; that is no harm, since all ranks begin the
/// exchanges of a kind in the same order and messages of one tag do not overtake one another.
package enum MessageTag: CaseIterable {
  /// Sums of gradients on their way to the ranks that own the elements.
  case gradient
  /// Parameters or averages on their way from the ranks that own the elements.
  case parameters
  /// States of the optimizer on their way to root before a checkpoint.
  case state
  /// Messages that are only timed.
  case trial

  /// The tags of this kind.
  package var range: Range<Int> {
    switch self {
    case .gradient: 0..<16384
    case .parameters: 16384..<24576
    case .state: 24576..<32767
    case .trial: 32767..<32768
    }
  }

  /// Returns the tag of the messages of a bucket.
  package func value(ofBucket bucket: Int) -> Int { range.lowerBound + bucket % range.count }
}

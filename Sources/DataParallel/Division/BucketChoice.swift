package import Communication
import Tensors

/// The choice of the length of buckets, in which sums are exchanged between groups of ranks.
///
/// Short ones begin earlier and let both directions of a link work at once; long ones cost fewer
/// messages. Which is better depends on the network, so it is measured once, at the start: it decides
/// when something is sent, never what the answer is.
package enum BucketChoice {
  /// The lengths that are tried, in elements: 256 KiB to 16 MiB.
  private static let lengths = [1 << 16, 1 << 18, 1 << 20, 1 << 22]

  /// Returns the length of buckets with which a whole exchange takes the least time; nil for one bucket.
  ///
  /// Collective. Takes some exchanges of the whole vector; nothing with one group.
  package static func measure(
    count: Int, group: RankGroup, communicator: any Communicator
  ) throws(CommunicationError) -> Int? {
    guard !group.isWholeJob else { return nil }
    let candidates = lengths.filter { $0 < count }
    guard let largest = candidates.last else { return nil }
    guard candidates.count > 1 else { return largest }
    // Of a very long vector a part will do.
    let sample = min(count, 1 << 23)
    let buffers = (FloatBuffer(count: sample), FloatBuffer(count: sample))
    var best: (length: Int, nanoseconds: Int64)?
    for length in candidates where length < sample {
      let elements = ElementDivision(groups: group.groups, count: sample, bucketLength: length)
      let exchanges = try prepare(elements, communicator)
      var times: [Int64] = []
      for _ in 0..<3 {
        try communicator.barrier()
        let start = ContinuousClock.now
        for exchange in exchanges {
          try communicator.start(exchange, from: buffers.0.elements, into: buffers.1.elements)
        }
        for exchange in exchanges { try communicator.finish(exchange) }
        times.append(Int64(start.duration(to: .now) / .nanoseconds(1)))
      }
      // All ranks choose alike: by the slowest of them.
      var slowest = [times.sorted()[1]]
      try communicator.allreduce(&slowest, .max)
      if slowest[0] < best?.nanoseconds ?? .max { best = (length, slowest[0]) }
    }
    return best?.length ?? largest
  }

  /// Prepares what every rank sends to the owners of other groups, as in a step.
  private static func prepare(
    _ elements: ElementDivision, _ communicator: any Communicator
  ) throws(CommunicationError) -> [FloatExchange] {
    let (rank, size) = (communicator.rank, communicator.size)
    var exchanges: [FloatExchange] = []
    for bucket in elements.buckets {
      // Where what is received lies does not matter, as long as it is apart.
      let sending = (0..<size).map { elements.elements(from: rank, to: $0, in: bucket) }
      var end = 0
      let receiving = (0..<size).map { other in
        let start = end
        end += elements.elements(from: other, to: rank, in: bucket).count
        return start..<end
      }
      exchanges.append(
        try communicator.prepareExchange(
          sending: sending, receiving: receiving, tag: MessageTag.trial.value(ofBucket: 0)))
    }
    return exchanges
  }
}

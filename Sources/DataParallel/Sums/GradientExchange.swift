package import Communication
package import Tensors

/// The memory for messages between groups, shared by all fold plans of a run.
package final class GradientStaging {
  /// The format of the messages.
  let format: GradientFormat
  /// The subtrees folded for other groups, in the format.
  package let sending: FloatBuffer
  /// The subtrees of other groups, in the format.
  package let receiving: FloatBuffer
  /// The subtrees of other groups as numbers.
  let decoded: FloatBuffer

  /// Allocates what the largest of some plans needs.
  package init(for plans: [FoldPlan], _ format: GradientFormat = .float) {
    self.format = format
    let receivingCount = plans.map(\.receivingCount).max() ?? 0
    sending = FloatBuffer(count: plans.map(\.sendingCount).max() ?? 0)
    receiving = FloatBuffer(count: receivingCount)
    decoded = format == .float ? receiving : FloatBuffer(count: receivingCount)
  }

  /// The size, in bytes.
  var byteCount: Int {
    let vectors = sending.count + receiving.count
    return vectors * MemoryLayout<Float>.stride * (format == .float ? 1 : 2)
  }

  /// The memory for sending as bfloat16 numbers.
  var encoded: UnsafeMutablePointer<UInt16> {
    UnsafeMutableRawPointer(sending.pointer).assumingMemoryBound(to: UInt16.self)
  }

  /// The memory for receiving as bfloat16 numbers.
  var receivedEncoded: UnsafePointer<UInt16> {
    UnsafeRawPointer(receiving.pointer).assumingMemoryBound(to: UInt16.self)
  }
}

/// Carries the messages of a fold plan between groups, bucket by bucket.
package final class GradientExchange {
  private let staging: GradientStaging
  private let communicator: any Communicator
  /// One for each bucket.
  private let exchanges: [FloatExchange]

  /// Prepares the exchange of every bucket; nil where all ranks are in one group.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - plan: The messages.
  ///   - staging: The memory that they are sent from and received in.
  ///   - communicator: The ranks.
  /// - Throws: `CommunicationError`.
  package init?(
    _ plan: FoldPlan, staging: GradientStaging, communicator: any Communicator
  ) throws(CommunicationError) {
    guard plan.isExchanged else { return nil }
    func ranges(_ messages: [FoldPlan.Message]) -> [Range<Int>] {
      var ranges = Array(repeating: 0..<0, count: plan.size)
      for message in messages { ranges[message.rank] = staging.format.floats(message.staged) }
      return ranges
    }
    self.staging = staging
    self.communicator = communicator
    var exchanges: [FloatExchange] = []
    for (index, bucket) in plan.buckets.enumerated() {
      exchanges.append(
        try communicator.prepareExchange(
          sending: ranges(bucket.outgoing), receiving: ranges(bucket.incoming),
          tag: MessageTag.gradient.value(ofBucket: index)))
    }
    self.exchanges = exchanges
  }

  /// Begins to send what has been folded of a bucket and to receive what others send of it.
  func begin(_ bucket: Int) throws(CommunicationError) {
    try communicator.start(
      exchanges[bucket], from: staging.sending.elements, into: staging.receiving.elements)
  }

  /// Advances the exchange of a bucket without waiting.
  func progress(_ bucket: Int) throws(CommunicationError) {
    _ = try communicator.progress(exchanges[bucket])
  }

  /// Waits for the exchange of a bucket.
  func finish(_ bucket: Int) throws(CommunicationError) {
    try communicator.finish(exchanges[bucket])
  }
}

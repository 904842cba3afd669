// A prepared exchange of float ranges between ranks, checked once and then used in every step: the
// partners and MPI's requests, in memory that stays allocated.

import CMPI

/// A prepared exchange of ranges between ranks, which proceeds while the ranks compute.
///
/// Made by ``Communicator/prepareExchange(sending:receiving:tag:)``; calls that use it allocate nothing on
/// our side. It sends one message per non-empty range.
public final class FloatExchange {
  /// A message: the other rank and the range of elements.
  package struct Message {
    package let rank: Int32
    package let range: Range<Int>
  }

  package let sends: [Message]
  package let receipts: [Message]
  /// Tells the messages of this exchange from those of others in progress.
  package let tag: Int32
  /// One request per message while the exchange is in progress.
  let requests: UnsafeMutablePointer<MPI_Request?>
  var requestCount: Int { sends.count + receipts.count }
  /// Indicates whether the exchange has been started and not yet finished.
  public package(set) var isUnderWay = false
  /// One past the last element sent.
  public let sendExtent: Int
  /// One past the last element received.
  public let receiveExtent: Int

  init(sending: [Range<Int>], receiving: [Range<Int>], tag: Int) {
    func messages(_ ranges: [Range<Int>]) -> [Message] {
      ranges.enumerated().filter { !$0.element.isEmpty }
        .map { Message(rank: Int32($0.offset), range: $0.element) }
    }
    sends = messages(sending)
    receipts = messages(receiving)
    self.tag = Int32(tag)
    sendExtent = extent(of: sending)
    receiveExtent = extent(of: receiving)
    requests = .allocate(capacity: max(sends.count + receipts.count, 1))
    requests.initialize(repeating: nil, count: max(sends.count + receipts.count, 1))
  }

  deinit { requests.deallocate() }
}

extension Communicator {
  /// Checks and prepares an exchange of ranges between ranks.
  ///
  /// Collective, checked. Ranges may be empty; those received must not overlap. A rank must not list
  /// itself; local data needs no message.
  ///
  /// - Parameters:
  ///   - sending: For each rank, the range of the source that goes there.
  ///   - receiving: For each rank, the range of the destination filled from there.
  ///   - tag: Tells its messages from those of other exchanges in progress, in `0..<32768`.
  /// - Returns: The exchange, for ``start(_:from:into:)``.
  /// - Throws: ``CommunicationError/countsDiffer(sender:sent:receiver:expected:)`` if a rank sends
  ///   another count than the receiver expects; ``CommunicationError/failed(_:)`` if a range ends past
  ///   2³¹ − 1 on any rank: such vectors are refused, not sent in pieces.
  /// - Complexity: O(size²) integers gathered; meant for set-up.
  public func prepareExchange(
    sending: [Range<Int>], receiving: [Range<Int>], tag: Int = 0
  ) throws(CommunicationError) -> FloatExchange {
    precondition(
      sending[rank].isEmpty && receiving[rank].isEmpty, "an exchange of rank \(rank) with itself")
    precondition(sending.count == size, "\(sending.count) ranges to send for \(size) ranks")
    precondition(receiving.count == size, "\(receiving.count) ranges to receive for \(size) ranks")
    requireApart(receiving)
    try agreeingOnFailure {
      try requireCountable(sending, "exchange between ranks")
      try requireCountable(receiving, "exchange between ranks")
    }
    let counts = try allgather(values: (sending + receiving).map(\.count))
    for sender in 0..<size {
      for receiver in 0..<size {
        let (sent, expected) = (counts[sender][receiver], counts[receiver][size + sender])
        guard sent == expected else {
          throw .countsDiffer(sender: sender, sent: sent, receiver: receiver, expected: expected)
        }
      }
    }
    return FloatExchange(sending: sending, receiving: receiving, tag: tag)
  }
}

private func extent(of ranges: [Range<Int>]) -> Int {
  ranges.filter { !$0.isEmpty }.map(\.upperBound).max() ?? 0
}

private func requireCountable(
  _ ranges: [Range<Int>], _ what: String
) throws(CommunicationError) {
  for range in ranges where range.lowerBound < 0 || range.upperBound > Int(Int32.max) {
    throw .tooLarge(what: what, count: range.upperBound, limit: Int(Int32.max))
  }
}

private func requireApart(_ ranges: [Range<Int>]) {
  let sorted = ranges.filter { !$0.isEmpty }.sorted { $0.lowerBound < $1.lowerBound }
  for (range, next) in zip(sorted, sorted.dropFirst()) {
    precondition(range.upperBound <= next.lowerBound, "ranges \(range) and \(next) overlap")
  }
}

extension FloatExchange {
  func requireRoom(source: Int, destination: Int) {
    precondition(
      source >= sendExtent && destination >= receiveExtent,
      "exchange of \(sendExtent) and \(receiveExtent) floats in buffers of \(source) and "
        + "\(destination)")
  }
}

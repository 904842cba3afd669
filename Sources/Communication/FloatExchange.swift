// Who sends which range of floats to whom, checked once and then used for every step: the partners, and
// MPI's requests, in memory that stays.

import CMPI

/// A prepared exchange of ranges between ranks, which goes on while the ranks compute.
///
/// Made by ``Communicator/prepareExchange(sending:receiving:tag:)``; a call that uses it allocates nothing
/// of ours. One message per pair of ranks that have something for each other.
public final class FloatExchange {
  /// A message: the other rank and the range of elements.
  struct Message {
    let rank: Int32
    let range: Range<Int>
  }

  let sends: [Message]
  let receipts: [Message]
  /// Tells the messages of this exchange from those of others that are under way.
  let tag: Int32
  /// One per message while the exchange is under way.
  let requests: UnsafeMutablePointer<MPI_Request?>
  var requestCount: Int { sends.count + receipts.count }
  /// Whether the exchange has been started and not finished.
  public internal(set) var isUnderWay = false
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
  /// Checks and keeps an exchange of ranges between ranks.
  ///
  /// Collective, checked. Ranges may be empty; those received must not overlap. A rank that names itself
  /// is refused: what it has it need not send.
  ///
  /// - Parameters:
  ///   - sending: For each rank, the range of the source that goes there.
  ///   - receiving: For each rank, the range of the destination filled from there.
  ///   - tag: Tells its messages from those of exchanges that are under way at the same time, within
  ///     0 ..< 32768.
  /// - Returns: What ``start(_:from:into:)`` takes.
  /// - Throws: ``CommunicationError/countsDiffer(sender:sent:receiver:expected:)`` if one rank sends
  ///   what another does not expect; ``CommunicationError/failed(_:)`` if a range ends past 2³¹ − 1
  ///   on any rank: such vectors are refused, not cut up.
  /// - Complexity: O(size²) integers gathered; meant for set-up.
  public func prepareExchange(
    sending: [Range<Int>], receiving: [Range<Int>], tag: Int = 0
  ) throws(CommunicationError) -> FloatExchange {
    precondition(
      sending[rank].isEmpty && receiving[rank].isEmpty, "an exchange of rank \(rank) with itself")
    precondition(sending.count == size, "\(sending.count) ranges to send for \(size) ranks")
    precondition(receiving.count == size, "\(receiving.count) ranges to receive for \(size) ranks")
    requireApart(receiving)
    try together {
      try requireCountable(sending, "exchange between ranks")
      try requireCountable(receiving, "exchange between ranks")
    }
    let all = try allgather(bytes(of: (sending + receiving).map(\.count)))
    let counts = all.map { integers(in: $0) }
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

private func bytes(of values: [Int]) -> [UInt8] {
  values.withUnsafeBytes { Array($0) }
}

private func integers(in bytes: [UInt8]) -> [Int] {
  bytes.withUnsafeBytes { raw in
    (0..<raw.count / MemoryLayout<Int>.size).map {
      raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Int>.size, as: Int.self)
    }
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

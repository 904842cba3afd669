// Who sends which range of floats to whom, checked once and then used for every step: the counts and
// displacements MPI wants, in memory that stays.

/// A prepared exchange of ranges between all ranks (MPI_Alltoallv).
///
/// Made by ``Communicator/prepareExchange(sending:receiving:)``; a call that uses it allocates nothing.
public final class FloatExchange {
  let sendCounts, sendOffsets, receiveCounts, receiveOffsets: Int32Table
  /// One past the last element sent.
  public let sendExtent: Int
  /// One past the last element received.
  public let receiveExtent: Int

  init(sending: [Range<Int>], receiving: [Range<Int>]) {
    sendCounts = Int32Table(sending.map(\.count))
    sendOffsets = Int32Table(sending.map(\.lowerBound))
    receiveCounts = Int32Table(receiving.map(\.count))
    receiveOffsets = Int32Table(receiving.map(\.lowerBound))
    sendExtent = extent(of: sending)
    receiveExtent = extent(of: receiving)
  }
}

/// Prepared ranges of one vector, of which each rank owns one (MPI_Allgatherv in place).
///
/// Made by ``Communicator/prepareShards(_:)``; a call that uses it allocates nothing.
public final class FloatShards {
  let counts, offsets: Int32Table
  /// One past the last element.
  public let extent: Int

  init(_ ranges: [Range<Int>]) {
    counts = Int32Table(ranges.map(\.count))
    offsets = Int32Table(ranges.map(\.lowerBound))
    extent = Communication.extent(of: ranges)
  }
}

extension Communicator {
  /// Checks and keeps an exchange of ranges between all ranks.
  ///
  /// Collective, checked. Ranges may be empty; those received must not overlap.
  ///
  /// - Parameters:
  ///   - sending: For each rank, the range of the source that goes there.
  ///   - receiving: For each rank, the range of the destination filled from there.
  /// - Returns: What ``alltoall(_:from:into:)`` takes.
  /// - Throws: ``CommunicationError/countsDiffer(sender:sent:receiver:expected:)`` if one rank sends
  ///   what another does not expect; ``CommunicationError/failed(_:)`` if a range ends past 2³¹ − 1
  ///   on any rank: such vectors are refused, not cut up.
  /// - Complexity: O(size²) integers gathered; meant for set-up.
  public func prepareExchange(
    sending: [Range<Int>], receiving: [Range<Int>]
  ) throws(CommunicationError) -> FloatExchange {
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
    return FloatExchange(sending: sending, receiving: receiving)
  }

  /// Checks and keeps the ranges of one vector of which each rank owns one.
  ///
  /// Collective, checked. Ranges may be empty; they must not overlap.
  ///
  /// - Parameter ranges: The range of each rank, the same list on all ranks.
  /// - Returns: What ``allgather(_:in:)`` takes.
  /// - Throws: ``CommunicationError/differs(_:)`` if the lists are not the same;
  ///   ``CommunicationError/failed(_:)`` if a range ends past 2³¹ − 1.
  /// - Complexity: O(size²) integers gathered; meant for set-up.
  public func prepareShards(_ ranges: [Range<Int>]) throws(CommunicationError) -> FloatShards {
    precondition(ranges.count == size, "\(ranges.count) ranges for \(size) ranks")
    requireApart(ranges)
    try together { try requireCountable(ranges, "vector shared by all ranks") }
    let text = ranges.map { "\($0.lowerBound)..<\($0.upperBound)" }.joined(separator: " ")
    try requireSame(text, named: "list of shards")
    return FloatShards(ranges)
  }
}

/// Integers of MPI's type `int` in memory that does not move.
final class Int32Table {
  let pointer: UnsafeMutablePointer<Int32>

  init(_ values: [Int]) {
    pointer = .allocate(capacity: max(values.count, 1))
    for (i, value) in values.enumerated() { (pointer + i).initialize(to: Int32(value)) }
  }

  subscript(i: Int) -> Int { Int(pointer[i]) }

  deinit { pointer.deallocate() }
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

extension FloatShards {
  func requireRoom(_ count: Int) {
    precondition(count >= extent, "shards of \(extent) floats in a buffer of \(count)")
  }
}

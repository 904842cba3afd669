import Communication
import Optimizers

/// Gives all ranks the sums of pieces that each has made of the elements it owns.
///
/// Ranks that are all in one group write them into memory that all see; others send them.
final class PieceExchange {
  /// The pieces of one rank, bucket by bucket, in the order in which it sends them.
  private struct Shard {
    let pieces: [Range<Int>]
    let count: Int
  }

  /// The sums.
  let sums: PieceSums
  private let group: RankGroup
  private let communicator: any Communicator
  /// The pieces of each rank; none with one group.
  private let shards: [Shard]
  /// The message of this rank, and behind it those of all ranks.
  private let messages: UnsafeMutableRawBufferPointer
  private let messageSize: Int

  /// Prepares the exchange.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - pieces: The pieces.
  ///   - elements: The division of elements among ranks, which cuts no block.
  ///   - group: The ranks that share memory.
  ///   - communicator: The ranks.
  /// - Throws: `CommunicationError`.
  init(
    _ pieces: Pieces, elements: ElementDivision, group: RankGroup,
    communicator: any Communicator
  ) throws(CommunicationError) {
    self.group = group
    self.communicator = communicator
    if group.isWholeJob {
      let byteCount = max(pieces.sumCount, 1) * MemoryLayout<Double>.stride
      let memory = try group.allocate(byteCount: group.isLeader ? byteCount : 0)
      sums = PieceSums(
        pieces,
        in: memory.segments[0].pointer(at: 0, to: Double.self, count: pieces.sumCount),
        owner: memory)
      shards = []
    } else {
      sums = PieceSums(pieces)
      shards = (0..<elements.size).map { rank in
        let owned = elements.buckets.map {
          pieces.indices(in: elements.elements(of: rank, in: $0))
        }
        return Shard(pieces: owned, count: owned.reduce(0) { $0 + $1.count })
      }
    }
    messageSize =
      PieceSums.quantityCount * (shards.map(\.count).max() ?? 0) * MemoryLayout<Double>.stride
    messages = .allocate(
      byteCount: messageSize * (shards.count + 1), alignment: MemoryLayout<Double>.alignment)
    messages.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit { messages.deallocate() }

  /// The memory on this rank, in bytes.
  var byteCount: Int { sums.byteCount + messages.count }

  /// Exchanges the sums of a round.
  ///
  /// Collective.
  func exchange(round: Int) throws(CommunicationError) {
    guard !group.isWholeJob else { return group.barrier() }
    let own = UnsafeMutableRawBufferPointer(rebasing: messages[..<messageSize])
    let all = UnsafeMutableRawBufferPointer(rebasing: messages[messageSize...])
    copy(shards[communicator.rank], round, with: own, isPacking: true)
    try communicator.allgather(from: UnsafeRawBufferPointer(own), into: all)
    for (rank, shard) in shards.enumerated() {
      let message = all[rank * messageSize..<(rank + 1) * messageSize]
      copy(shard, round, with: UnsafeMutableRawBufferPointer(rebasing: message), isPacking: false)
    }
  }

  /// Copies the sums of a shard into a message or out of it.
  private func copy(
    _ shard: Shard, _ round: Int, with message: UnsafeMutableRawBufferPointer, isPacking: Bool
  ) {
    let message = message.assumingMemoryBound(to: Double.self)
    var index = 0
    for quantity in 0..<PieceSums.quantityCount {
      let values = sums.values + sums.offset(quantity, round)
      for pieces in shard.pieces {
        for piece in pieces {
          if isPacking { message[index] = values[piece] } else { values[piece] = message[index] }
          index += 1
        }
      }
    }
  }
}

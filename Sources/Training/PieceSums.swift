import Communication
import Numerics
import Tensors

/// Sums over the elements of flat vectors, to the same bits whoever adds which part.
///
/// The arrays that are summed over are cut into pieces where blocks of ``FlatLayout/blockLength`` elements
/// of the whole vector end: a function of the layout alone. Each piece is added by one hand, which owns
/// whole blocks (``ElementDivision``); the sums of pieces go to all ranks and are added in one tree.
final class PieceSums {
  /// The ranks that share out the pieces.
  struct Hands {
    let elements: ElementDivision
    let group: RankGroup
    let communicator: any Communicator
  }

  /// The pieces of one rank, in the order in which it sends them.
  private struct Share {
    let pieces: [Range<Int>]
    let count: Int
  }

  /// The sums per piece and round.
  static let quantityCount = 2
  /// Times per step that sums are made.
  static let roundCount = 2

  /// The pieces, ascending.
  let pieces: [Range<Int>]
  /// The indices of the pieces of each array.
  let arrays: [Range<Int>]
  /// For each round and quantity one sum per piece.
  private let values: UnsafeMutablePointer<Double>
  /// What keeps them; nil if they are this object's own.
  private let memory: SharedMemory?
  private let hands: Hands?
  /// The pieces of each rank, where sums are sent.
  private let shares: [Share]
  /// What this rank sends, and then what all have sent.
  private let messages: UnsafeMutableRawBufferPointer
  private let messageSize: Int

  /// Cuts arrays into pieces.
  ///
  /// Collective where there are hands.
  ///
  /// - Parameters:
  ///   - arrays: The elements of each array, ascending; none of those that are not summed over.
  ///   - hands: Who shares out the pieces; nil if every rank adds all of them.
  /// - Throws: `CommunicationError`.
  init(_ arrays: [Range<Int>], hands: Hands?) throws(CommunicationError) {
    var pieces: [Range<Int>] = []
    var ofArrays: [Range<Int>] = []
    for array in arrays {
      let first = pieces.count
      var start = array.lowerBound
      while start < array.upperBound {
        let border = (start / FlatLayout.blockLength + 1) * FlatLayout.blockLength
        let end = min(border, array.upperBound)
        pieces.append(start..<end)
        start = end
      }
      ofArrays.append(first..<pieces.count)
    }
    self.pieces = pieces
    self.arrays = ofArrays
    self.hands = hands
    let count = PieceSums.roundCount * PieceSums.quantityCount * pieces.count
    if let hands, hands.group.isWholeJob {
      let memory = try hands.group.allocate(
        byteCount: hands.group.isLeader ? max(count, 1) * MemoryLayout<Double>.stride : 0)
      values = memory.segments[0].pointer(at: 0, to: Double.self, count: count)
      self.memory = memory
    } else {
      values = .allocate(capacity: max(count, 1))
      values.initialize(repeating: 0, count: count)
      memory = nil
    }
    if let hands, !hands.group.isWholeJob {
      let shares = (0..<hands.elements.size).map { rank in
        let pieces = hands.elements.buckets.map { bucket in
          PieceSums.indices(of: pieces, in: hands.elements.elements(of: rank, in: bucket))
        }
        return Share(pieces: pieces, count: pieces.reduce(0) { $0 + $1.count })
      }
      self.shares = shares
      messageSize =
        PieceSums.quantityCount * (shares.map(\.count).max() ?? 0) * MemoryLayout<Double>.stride
    } else {
      shares = []
      messageSize = 0
    }
    messages = .allocate(
      byteCount: messageSize * (shares.count + 1), alignment: MemoryLayout<Double>.alignment)
    messages.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit {
    if memory == nil { values.deallocate() }
    messages.deallocate()
  }

  /// The memory on this rank, in bytes.
  var byteCount: Int {
    PieceSums.roundCount * PieceSums.quantityCount * pieces.count * MemoryLayout<Double>.stride
      + messages.count
  }

  /// Calls `body` with the pieces that lie in a range of elements, which cuts none of them.
  ///
  /// - Complexity: O(log pieces + pieces in the range); no allocation.
  @inline(__always)
  func forEach(in elements: Range<Int>, _ body: (_ piece: Int, Range<Int>) -> Void) {
    for piece in PieceSums.indices(of: pieces, in: elements) { body(piece, pieces[piece]) }
  }

  /// Notes the sum of a piece.
  func set(_ sum: Double, of piece: Int, quantity: Int, round: Int) {
    values[offset(quantity, round) + piece] = sum
  }

  /// Lets all ranks know of the sums of a round.
  ///
  /// Collective where there are hands.
  func exchange(round: Int) throws(CommunicationError) {
    guard let hands else { return }
    guard !hands.group.isWholeJob else { return hands.group.barrier() }
    let own = UnsafeMutableRawBufferPointer(rebasing: messages[..<messageSize])
    let all = UnsafeMutableRawBufferPointer(rebasing: messages[messageSize...])
    copy(shares[hands.communicator.rank], round, with: own, isPacking: true)
    try hands.communicator.allgather(from: UnsafeRawBufferPointer(own), into: all)
    for (rank, share) in shares.enumerated() {
      let message = all[rank * messageSize..<(rank + 1) * messageSize]
      copy(share, round, with: UnsafeMutableRawBufferPointer(rebasing: message), isPacking: false)
    }
  }

  /// The sum over one array, once all ranks know of its pieces.
  func sum(ofArray array: Int, quantity: Int, round: Int) -> Double {
    neighborTreeSum(
      values + offset(quantity, round) + arrays[array].lowerBound, count: arrays[array].count)
  }

  /// The sum over all arrays.
  func sum(quantity: Int, round: Int) -> Double {
    neighborTreeSum(values + offset(quantity, round), count: pieces.count)
  }

  private func offset(_ quantity: Int, _ round: Int) -> Int {
    (round * PieceSums.quantityCount + quantity) * pieces.count
  }

  /// Copies the sums of a share into a message or out of it.
  private func copy(
    _ share: Share, _ round: Int, with message: UnsafeMutableRawBufferPointer, isPacking: Bool
  ) {
    let message = message.assumingMemoryBound(to: Double.self)
    var place = 0
    for quantity in 0..<PieceSums.quantityCount {
      let values = values + offset(quantity, round)
      for pieces in share.pieces {
        for piece in pieces {
          if isPacking { message[place] = values[piece] } else { values[piece] = message[place] }
          place += 1
        }
      }
    }
  }

  /// The indices of the pieces that lie in a range of elements.
  private static func indices(of pieces: [Range<Int>], in elements: Range<Int>) -> Range<Int> {
    /// The first piece that begins at an element or later.
    func first(_ element: Int) -> Int {
      var (low, high) = (0, pieces.count)
      while low < high {
        let middle = (low + high) / 2
        if pieces[middle].lowerBound < element { low = middle + 1 } else { high = middle }
      }
      return low
    }
    return first(elements.lowerBound)..<first(elements.upperBound)
  }
}

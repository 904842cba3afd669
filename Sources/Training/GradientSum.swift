import Communication
import Kernels
import Tensors

/// The sum of the gradients of all microbatches of a step, in the order of the tree, on every rank.
///
/// Each rank owns a range of elements. It receives the sums of the other ranks' largest subtrees for
/// its range (MPI_Alltoallv), adds them in tree order, and shares the result (MPI_Allgatherv). This
/// serves every number of ranks, also more ranks than microbatches: those only help to add. A rank
/// has one largest subtree where ranks and microbatches are powers of two, and up to
/// 2 · log₂ of its microbatches otherwise; one exchange is made for each.
///
/// Prepared for one pattern of present microbatches; a run has two, for full and for short batches.
final class GradientSum {
  private let communicator: any Communicator
  /// One exchange per round: round t moves the t-th largest subtree of every rank.
  private var rounds: [(subtree: Int, exchange: FloatExchange)] = []
  private let shards: FloatShards
  private let owned: Range<Int>
  /// Where the pieces of the owned range lie: in a subtree of this rank, or in `received`.
  private let pieces: [Piece]
  private let additions: [SumTree.Addition]
  private let resultPiece: Int?
  private let received: FloatBuffer

  private enum Piece {
    case own(Int)
    case received(offset: Int)
  }

  /// Prepares the sum.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - tree: The tree of the microbatches that are present.
  ///   - division: Which rank has which of them.
  ///   - count: The length of the flat gradient.
  ///   - received: Memory shared by the sums of one run; see ``receivedCount(tree:division:rank:count:)``.
  ///   - communicator: The ranks.
  /// - Throws: `CommunicationError`.
  init(
    tree: SumTree, division: WorkDivision, count: Int, received: FloatBuffer,
    communicator: any Communicator
  ) throws(CommunicationError) {
    self.communicator = communicator
    self.received = received
    let (rank, size) = (communicator.rank, communicator.size)
    owned = division.elements(of: rank, count: count)
    let nodes = (0..<size).map { tree.maximalNodes(in: division.leaves(of: $0)) }
    var pieces: [Piece] = []
    var places: [SumTree.Node: Int] = [:]
    func place(_ node: SumTree.Node, _ piece: Piece) {
      places[node] = pieces.count
      pieces.append(piece)
    }
    for (subtree, node) in nodes[rank].enumerated() { place(node, .own(subtree)) }
    var offset = 0
    for round in 0..<(nodes.map(\.count).max() ?? 0) where size > 1 {
      var sending: [Range<Int>] = []
      var receiving: [Range<Int>] = []
      for other in 0..<size {
        let sends = other != rank && round < nodes[rank].count
        sending.append(sends ? division.elements(of: other, count: count) : 0..<0)
        guard other != rank, round < nodes[other].count else {
          receiving.append(0..<0)
          continue
        }
        receiving.append(offset..<offset + owned.count)
        place(nodes[other][round], .received(offset: offset))
        offset += owned.count
      }
      rounds.append(
        (round, try communicator.prepareExchange(sending: sending, receiving: receiving)))
    }
    shards = try communicator.prepareShards(
      (0..<size).map { division.elements(of: $0, count: count) })
    let fold = tree.fold(to: tree.root, from: places)
    (additions, resultPiece) = (fold.additions, fold.slot)
    self.pieces = pieces
  }

  /// The elements that a rank receives in the exchanges of one sum.
  static func receivedCount(
    tree: SumTree, division: WorkDivision, rank: Int, count: Int
  ) -> Int {
    let others = (0..<division.size).filter { $0 != rank }
    let nodeCount = others.reduce(0) {
      $0 + tree.maximalNodes(in: division.leaves(of: $1)).count
    }
    return nodeCount * division.elements(of: rank, count: count).count
  }

  /// Replaces the first buffer on every rank with the sum over all microbatches.
  ///
  /// Collective. The other buffers are overwritten.
  ///
  /// - Parameters:
  ///   - subtrees: The sums of this rank's largest subtrees, in order; one buffer of any content on a
  ///     rank without microbatches.
  ///   - pool: The workers that add.
  /// - Throws: ``CommunicationError`` of the library.
  /// - Complexity: Sends and receives (largest subtrees per rank + 1) · count elements at most; no
  ///   allocation.
  func run(subtrees: [FloatBuffer], pool: WorkerPool) throws(CommunicationError) {
    for (subtree, exchange) in rounds {
      // A rank that sends nothing in this round passes any of its memory.
      let source = subtrees[subtree < subtrees.count ? subtree : 0]
      try communicator.alltoall(
        exchange, from: UnsafeBufferPointer(source.elements), into: received.elements)
    }
    guard communicator.size > 1 else { return }
    pool.runOnRanges(of: owned.count) { addOwned($0, subtrees) }
    try communicator.allgather(shards, in: subtrees[0].elements)
  }

  /// Adds the pieces of part of the owned range, block by block so that they stay in the cache.
  private func addOwned(_ range: Range<Int>, _ subtrees: [FloatBuffer]) {
    let blockCount = 4096
    func pointer(_ piece: Piece, _ start: Int) -> UnsafeMutablePointer<Float> {
      switch piece {
      case .own(let subtree): subtrees[subtree].pointer + owned.lowerBound + start
      case .received(let offset): received.pointer + offset + start
      }
    }
    let result = Piece.own(0)
    var start = range.lowerBound
    while start < range.upperBound {
      let count = min(blockCount, range.upperBound - start)
      for addition in additions {
        FlatSum.add(
          pointer(pieces[addition.target], start), pointer(pieces[addition.source], start),
          count: count)
      }
      if let resultPiece {
        let (from, to) = (pointer(pieces[resultPiece], start), pointer(result, start))
        if from != to { Elementwise.copy(from, into: to, count: count) }
      }
      start += count
    }
  }
}

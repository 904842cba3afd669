public import Communication
import Execution
public import Models
public import Tensors

/// The result of a network on all rows of a split.
public struct Evaluation: Hashable, Sendable {
  /// The mean loss per row.
  public let loss: Double
  /// The rows whose largest output is that of the label; nil without labels.
  public let correct: Int?
  /// The number of rows, each counted once.
  public let count: Int

  /// Creates a result.
  package init(loss: Double, correct: Int?, count: Int) {
    self.loss = loss
    self.correct = correct
    self.count = count
  }

  /// The share of correct rows, where there are labels.
  public var accuracy: Double? { correct.map { Double($0) / Double(count) } }

  /// Whether this result is better than another one of the same split: more rows correct, then a
  /// lower loss.
  public func isBetter(than other: Evaluation) -> Bool {
    if let correct, let otherCorrect = other.correct, correct != otherCorrect {
      return correct > otherCorrect
    }
    return loss < other.loss
  }
}

/// Runs a network forward over all rows of a split, shared out among the ranks.
///
/// The rows are cut by index into blocks of a fixed size, since a row's bits depend on how many
/// rows are computed together; ranks take whole blocks, and sums over blocks follow one tree.
public final class Evaluator {
  private let communicator: any Communicator
  private let network: Network
  private let pool: WorkerPool
  private let workers: [MicrobatchWorker]
  private let blockSize: Int
  private let noGradient = FloatBuffer(count: 0)

  /// Compiles the plans.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: What is evaluated.
  ///   - rowCounts: The numbers of rows of the splits that will be evaluated.
  ///   - blockSize: The rows computed together; part of what a result means.
  ///   - workers: The number of threads of this rank; ranks may differ.
  ///   - parameters: The flat parameters; read when evaluating.
  ///   - hasTargets: Whether the rows have targets; without, only predictions can be asked for.
  ///   - communicator: The ranks.
  /// - Throws: `PlanError`, as a failure that all ranks agree on.
  public init(
    _ network: Network, rowCounts: [Int], blockSize: Int, workers: Int = 1,
    parameters: FloatBuffer, hasTargets: Bool = true, communicator: any Communicator
  ) throws(CommunicationError) {
    self.network = network
    self.communicator = communicator
    self.blockSize = blockSize
    var sizes: Set<Int> = []
    for count in rowCounts {
      if count >= blockSize { sizes.insert(blockSize) }
      if count % blockSize > 0 { sizes.insert(count % blockSize) }
    }
    pool = WorkerPool(count: workers)
    self.workers = try communicator.together {
      try (0..<workers).map { _ in
        try MicrobatchWorker(
          network, sizes: sizes, purpose: hasTargets ? .evaluation : .prediction,
          parameters: parameters, arena: Arena())
      }
    }
  }

  /// Evaluates all rows of `source`.
  ///
  /// Collective. Every rank gets the same result, and it is the same for any number of ranks.
  ///
  /// - Parameter source: The rows; their number is one of those given at creation.
  /// - Returns: The result over all rows, each counted once.
  /// - Throws: What reading rows throws, as a failure that all ranks agree on.
  public func evaluate(_ source: any RowSource) throws(CommunicationError) -> Evaluation {
    let division = WorkDivision(
      size: communicator.size, microbatches: blockCount(source.rowCount))
    let own = division.leaves(of: communicator.rank)
    let sums = try communicator.together {
      try onWorkers(own) { worker, block in try compute(block: block, of: source, by: worker) }
    }
    let all = try communicator.allgather(sums.withUnsafeBytes { Array($0) })
    var terms: [MicrobatchSums] = []
    for part in all {
      part.withUnsafeBytes { bytes in
        for offset in stride(from: 0, to: bytes.count, by: MemoryLayout<MicrobatchSums>.stride) {
          terms.append(bytes.loadUnaligned(fromByteOffset: offset, as: MicrobatchSums.self))
        }
      }
    }
    let tree = SumTree(isPresent: Array(repeating: true, count: division.microbatches))
    let sum = terms.withUnsafeBufferPointer { tree.sum($0) }
    return Evaluation(
      loss: sum.loss / sum.weight, correct: network.lossKind.takesLabels ? sum.correct : nil,
      count: source.rowCount)
  }

  /// Computes the outputs of all rows of `source` on every rank.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - source: The rows; their number is one of those given at creation.
  ///   - receive: Called on every rank with successive outputs in row order, row-major.
  /// - Throws: What reading rows throws, as a failure that all ranks agree on.
  public func predict(
    _ source: any RowSource, receive: ([Float]) -> Void
  ) throws(CommunicationError) {
    // Rounds of a few blocks per rank keep the memory and each message small.
    let blocksPerRound = 64 * communicator.size
    let blockCount = blockCount(source.rowCount)
    for first in stride(from: 0, to: blockCount, by: blocksPerRound) {
      let round = first..<min(first + blocksPerRound, blockCount)
      let share = evenShare(of: round.count, owner: communicator.rank, owners: communicator.size)
      let outputs = try communicator.together {
        let own = first + share.lowerBound..<first + share.upperBound
        return try onWorkers(own) { worker, block in
          _ = try compute(block: block, of: source, by: worker)
          let rows = rows(ofBlock: block, rowCount: source.rowCount).count
          return Array(
            UnsafeBufferPointer(start: worker.outputs(rows), count: rows * network.outputCount))
        }.flatMap { $0 }
      }
      for part in try communicator.allgather(outputs.withUnsafeBytes { Array($0) }) {
        receive(
          part.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: MemoryLayout<Float>.stride).map {
              bytes.loadUnaligned(fromByteOffset: $0, as: Float.self)
            }
          })
      }
    }
  }

  private func blockCount(_ rowCount: Int) -> Int { (rowCount + blockSize - 1) / blockSize }

  private func rows(ofBlock block: Int, rowCount: Int) -> Range<Int> {
    block * blockSize..<min((block + 1) * blockSize, rowCount)
  }

  /// Returns what `body` returns for each block, computed by all workers of this rank.
  private func onWorkers<Result>(
    _ blocks: Range<Int>, _ body: (MicrobatchWorker, Int) throws -> Result
  ) throws -> [Result] {
    var parts: [Swift.Result<[Result], any Error>] = workers.map { _ in .success([]) }
    parts.withUnsafeMutableBufferPointer { parts in
      pool.run { index in
        let share = evenShare(of: blocks.count, owner: index, owners: workers.count)
        parts[index] = Swift.Result {
          try share.map { try body(workers[index], blocks.lowerBound + $0) }
        }
      }
    }
    return try parts.flatMap { try $0.get() }
  }

  private func compute(
    block: Int, of source: any RowSource, by worker: MicrobatchWorker
  ) throws -> MicrobatchSums {
    let rows = rows(ofBlock: block, rowCount: source.rowCount)
    return try worker.compute(
      rows.count, of: source, row: { rows.lowerBound + $0 }, gradient: noGradient)
  }
}

public import Communication
public import DataParallel
public import Execution
public import Models
public import Tensors

/// Runs a network forward over all rows of a split, divided among the ranks.
///
/// Rows are cut by index into blocks of ``rowsOfBlock``, which ranks take whole. Sums go row by row within a
/// block, and over blocks follow one tree, so how many rows are computed at once shows in no bit.
public final class Evaluator {
  private let communicator: any Communicator
  private let network: Network
  private let pool: WorkerPool
  private let runners: [GroupRunner]
  private let largestPiece: Int
  private let top: Int?

  /// The rows of a block: part of what a result means.
  public static let rowsOfBlock = 256

  /// Settings of an evaluation.
  public struct Options: Sendable {
    /// The most rows that are computed at once; changes no bit.
    public var pieceSize: Int
    /// The number of threads of this rank; ranks may differ.
    public var workers = 1
    /// True if the rows have targets; without, only predictions can be asked for.
    public var hasTargets = true
    /// The number of largest outputs among which labels are looked for besides the largest one; nil for none.
    public var top: Int?

    /// Creates the settings of an evaluation on one thread, by targets.
    public init(pieceSize: Int = Evaluator.rowsOfBlock) { self.pieceSize = pieceSize }
  }

  /// Compiles the plans.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: The model.
  ///   - parameters: The flat parameters; read when evaluating.
  ///   - rowCounts: The numbers of rows of the splits that will be evaluated.
  ///   - options: Rows at once, threads and wanted results.
  ///   - backend: The backend that computes.
  ///   - communicator: The ranks.
  /// - Throws: `PlanError`, as a failure that all ranks agree on.
  public init(
    _ network: Network, parameters: FloatBuffer, rowCounts: [Int], options: Options,
    backend: any Backend, communicator: any Communicator
  ) throws(CommunicationError) {
    self.network = network
    self.communicator = communicator
    let largest = min(options.pieceSize, Evaluator.rowsOfBlock)
    largestPiece = largest
    top = options.top
    let lastBlocks = rowCounts.map { $0 % Evaluator.rowsOfBlock }
    let blocks = rowCounts.contains { $0 >= Evaluator.rowsOfBlock } ? [Evaluator.rowsOfBlock] : []
    let sizes = Set(
      (lastBlocks + blocks).flatMap { Evaluator.pieces(of: 0..<$0, largest).map(\.count) })
    pool = WorkerPool(count: options.workers, prepare: backend.prepareThread)
    runners = try communicator.agreeingOnFailure {
      try network.requireMemory(ofRows: sizes.max() ?? 0)
      return try (0..<options.workers).map { _ in
        try GroupRunner(
          network, sizes.sorted().map(MicrobatchGroup.init(rowCount:)),
          purpose: options.hasTargets ? .evaluation : .prediction,
          parameters: parameters, workspace: backend.makeWorkspace())
      }
    }
  }

  /// Evaluates all rows of `source`.
  ///
  /// Collective. Every rank gets the same result, and it is the same for any number of ranks.
  ///
  /// - Parameter source: The rows; their number is one of those given at creation.
  /// - Returns: The result over all rows, each counted once.
  /// - Throws: An error of reading rows, as a failure that all ranks agree on.
  public func evaluate(_ source: any RowSource) throws(CommunicationError) -> Evaluation {
    evaluation(of: source, try sums(over: source, RowSums(network, top: top)).numbers)
  }

  /// Evaluates all rows of `source`, broken down by class or response.
  ///
  /// Collective, as ``evaluate(_:)``, whose result is part of this one.
  ///
  /// - Parameter source: The rows; their number is one of those given at creation.
  /// - Returns: The result over all rows and part by part.
  /// - Throws: An error of reading rows, as a failure that all ranks agree on.
  /// - Complexity: O(rows) memory at most for pairs of classes, O(responses) for responses.
  public func report(on source: any RowSource) throws(CommunicationError) -> EvaluationReport {
    var rowSums = RowSums(network, top: top)
    if network.lossKind.takesLabels {
      rowSums.pairCounts = [:]
    } else {
      rowSums.shifts = try communicator.agreeingOnFailure { try firstResponses(of: source) }
    }
    let (numbers, counts) = try sums(over: source, rowSums)
    let evaluation = evaluation(of: source, numbers)
    guard let errors = evaluation.errors else {
      let confusion = Confusion(classCount: network.outputCount, counts: counts)
      return EvaluationReport(evaluation: evaluation, detail: .classes(confusion))
    }
    let sums = (0..<network.outputCount).map { ResponseSums(numbers[RowSums.range(of: $0)]) }
    return EvaluationReport(
      evaluation: evaluation,
      detail: .responses(ResponseResults(rowCount: source.rowCount, errors: errors, sums: sums)))
  }

  /// Computes the outputs of all rows of `source` on every rank.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - source: The rows; their number is one of those given at creation.
  ///   - receive: Called on every rank with successive outputs in row order, row-major.
  /// - Throws: An error of reading rows, as a failure that all ranks agree on.
  public func predict(
    _ source: any RowSource, receive: ([Float]) -> Void
  ) throws(CommunicationError) {
    // Rounds of a few blocks per rank keep the memory and each message small.
    let blocksPerRound = 64 * communicator.size
    let blockCount = blockCount(source.rowCount)
    for first in stride(from: 0, to: blockCount, by: blocksPerRound) {
      let round = first..<min(first + blocksPerRound, blockCount)
      let part = evenPart(of: round.count, owner: communicator.rank, owners: communicator.size)
      let outputs = try communicator.agreeingOnFailure {
        let own = first + part.lowerBound..<first + part.upperBound
        return try onWorkers(own) { runner, blocks in
          var outputs: [Float] = []
          for block in blocks {
            try compute(block: block, of: source, by: runner) { rows in
              outputs += UnsafeBufferPointer(
                start: rows.outputs, count: rows.rowCount * network.outputCount)
            }
          }
          return outputs
        }.flatMap { $0 }
      }
      for part in try communicator.allgather(values: outputs) { receive(part) }
    }
  }

  private func blockCount(_ rowCount: Int) -> Int {
    (rowCount + Evaluator.rowsOfBlock - 1) / Evaluator.rowsOfBlock
  }

  /// Cuts some rows into what is computed at once.
  private static func pieces(of rows: Range<Int>, _ largest: Int) -> [Range<Int>] {
    stride(from: rows.lowerBound, to: rows.upperBound, by: largest).map {
      $0..<min($0 + largest, rows.upperBound)
    }
  }

  /// Returns what `body` returns for the blocks of each worker of this rank.
  private func onWorkers<Result>(
    _ blocks: Range<Int>, _ body: (GroupRunner, Range<Int>) throws -> Result
  ) throws -> [Result] {
    var parts: [Swift.Result<Result, any Error>?] = runners.map { _ in nil }
    parts.withUnsafeMutableBufferPointer { parts in
      pool.run { index in
        let part = evenPart(of: blocks.count, owner: index, owners: runners.count)
        let own = blocks.lowerBound + part.lowerBound..<blocks.lowerBound + part.upperBound
        parts[index] = Swift.Result { try body(runners[index], own) }
      }
    }
    return try parts.compactMap { try $0?.get() }
  }

  /// Computes a block; gives its rows, in order, with their outputs and losses.
  private func compute(
    block: Int, of source: any RowSource, by runner: GroupRunner, receive: (CompiledGroup) -> Void
  ) throws {
    let first = block * Evaluator.rowsOfBlock
    let rows = first..<min(first + Evaluator.rowsOfBlock, source.rowCount)
    for piece in Evaluator.pieces(of: rows, largestPiece) {
      let group = runner.group(ofRows: piece.count)
      try runner.load(group, of: source) { piece.lowerBound + $0 }
      runner.run(group)
      receive(group)
    }
  }

  /// Sums over all rows, computed by all ranks and known to all of them.
  private func sums(
    over source: any RowSource, _ rowSums: RowSums
  ) throws(CommunicationError) -> (numbers: [Double], pairCounts: [Int: Int]) {
    let blocks = BlockSums(blockCount: blockCount(source.rowCount), count: rowSums.count)
    var rowSums = runners.map { _ in rowSums }
    let numbers = try rowSums.withUnsafeMutableBufferPointer {
      (rowSums) throws(CommunicationError) in
      try blocks.total(on: communicator, pool) { worker, block, numbers in
        try compute(block: block, of: source, by: runners[worker]) {
          rowSums[worker].add($0, to: numbers)
        }
      }
    }
    guard rowSums[0].pairCounts != nil else { return (numbers, [:]) }
    // Sorted, so that the message is a function of what was counted.
    let pairs = rowSums.flatMap { ($0.pairCounts ?? [:]).sorted { $0 < $1 } }
    let all = try communicator.allgather(values: pairs.flatMap { [$0.key, $0.value] })
      .flatMap { $0 }
    var counts: [Int: Int] = [:]
    for index in stride(from: 0, to: all.count, by: 2) {
      counts[all[index], default: 0] += all[index + 1]
    }
    return (numbers, counts)
  }

  private func evaluation(of source: any RowSource, _ numbers: [Double]) -> Evaluation {
    func number(_ position: RowSums.Position) -> Double { numbers[position.rawValue] }
    let responses = Double(source.rowCount) * Double(network.outputCount)
    let takesLabels = network.lossKind.takesLabels
    return Evaluation(
      loss: number(.loss) / number(.weight), correct: takesLabels ? Int(number(.correct)) : nil,
      count: source.rowCount,
      top: takesLabels ? top.map { .init(outputs: $0, correct: Int(number(.top))) } : nil,
      errors: takesLabels
        ? nil
        : .init(
          meanSquared: number(.squared) / responses, meanAbsolute: number(.absolute) / responses))
  }

  private func firstResponses(of source: any RowSource) throws -> [Double] {
    let samples = FloatBuffer(count: network.sampleShape.count)
    let responses = FloatBuffer(count: network.outputCount)
    try [0].withUnsafeBufferPointer { row in
      try source.read(row, samples: samples.pointer, targets: .responses(responses.pointer))
    }
    return responses.elements.map { Double($0) }
  }
}

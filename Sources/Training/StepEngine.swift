import Communication
import Execution
import Kernels
import Models
import Numerics
import Tensors

/// Computes the sum of the gradients of one step on all ranks and workers.
///
/// A step is the same whatever runs it: microbatches are computed one by one, and everything that
/// is summed over them is summed by one tree. This class decides only who does what. A rank's
/// microbatches are shared out among its workers as those of a step are among the ranks.
final class StepEngine {
  /// What all ranks know after a step's microbatches are computed.
  struct Outcome {
    /// The sums over all rows of the step.
    let sums: MicrobatchSums
    /// Whether a rank was asked to stop.
    let stopWasRequested: Bool
  }

  /// The part of one pattern of present microbatches that this rank does.
  private struct Program {
    let cut: MicrobatchCut
    let tree: SumTree
    /// What each worker computes, in its own slots.
    let instructions: [[SumTree.Instruction]]
    /// What makes the rank's largest subtrees of those of its workers, in `pieces`.
    let additions: [SumTree.Addition]
    let pieces: [FloatBuffer]
    /// The sums of the rank's largest subtrees, at least one buffer.
    let subtrees: [FloatBuffer]
    let gradientSum: GradientSum
  }

  /// A worker with its memory; one thread at a time.
  private final class Worker {
    let microbatches: MicrobatchWorker
    var slots: [FloatBuffer] = []
    var failure: (any Error)?

    init(_ microbatches: MicrobatchWorker) { self.microbatches = microbatches }
  }

  /// The first bytes of what a rank tells the others about its microbatches.
  private struct Header {
    var hasFailed: Int64
    var stopWasRequested: Int64
  }

  /// The threads of this rank.
  let pool: WorkerPool
  private let communicator: any Communicator
  private let division: WorkDivision
  private let workers: [Worker]
  private let programs: [Int: Program]
  private let record: UnsafeMutableRawBufferPointer
  private let records: UnsafeMutableRawBufferPointer
  private let terms: UnsafeMutableBufferPointer<MicrobatchSums>

  /// The memory of gradients, exchanges and activations, in bytes.
  let byteCount: Int

  /// Compiles all plans and prepares all exchanges.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: What is trained.
  ///   - rowCounts: The numbers of rows that steps have.
  ///   - microbatches: The number of microbatches of each step.
  ///   - workerCount: The number of threads of this rank; ranks may differ.
  ///   - parameters: The flat parameters.
  ///   - communicator: The ranks.
  /// - Throws: `PlanError` as an agreed failure, `CommunicationError`.
  init(
    _ network: Network, rowCounts: Set<Int>, microbatches: Int, workers workerCount: Int,
    parameters: FloatBuffer, communicator: any Communicator
  ) throws(CommunicationError) {
    self.communicator = communicator
    let division = WorkDivision(size: communicator.size, microbatches: microbatches)
    self.division = division
    pool = WorkerPool(count: workerCount)
    let cuts = rowCounts.sorted().map { MicrobatchCut(rowCount: $0, count: microbatches) }
    let sizes = Set(cuts.flatMap(\.sizes))
    let arenas = (0..<workerCount).map { _ in Arena() }
    let workers = try communicator.together {
      try arenas.map { arena in
        Worker(
          try MicrobatchWorker(
            network, sizes: sizes, purpose: .training, parameters: parameters, arena: arena))
      }
    }
    self.workers = workers
    let rank = communicator.rank
    let trees = cuts.map { SumTree($0) }
    let count = parameters.count
    let received = FloatBuffer(
      count: trees.map {
        GradientSum.receivedCount(tree: $0, division: division, rank: rank, count: count)
      }.max() ?? 0)
    var programs: [Int: Program] = [:]
    let own = division.leaves(of: rank)
    for (cut, tree) in zip(cuts, trees) {
      let gradientSum = try GradientSum(
        tree: tree, division: division, count: count, received: received,
        communicator: communicator)
      programs[cut.rowCount] = StepEngine.program(
        cut, tree, own: own, workers: workers, count: count, gradientSum: gradientSum)
    }
    self.programs = programs
    let slotCount = workers.reduce(0) { $0 + $1.slots.count }
    byteCount =
      arenas.reduce(0) { $0 + $1.byteCount }
      + (slotCount * count + received.count) * MemoryLayout<Float>.stride
    let recordSize =
      MemoryLayout<Header>.stride + division.largestShare * MemoryLayout<MicrobatchSums>.stride
    record = .allocate(byteCount: recordSize, alignment: 16)
    records = .allocate(byteCount: recordSize * communicator.size, alignment: 16)
    record.initializeMemory(as: UInt8.self, repeating: 0)
    records.initializeMemory(as: UInt8.self, repeating: 0)
    terms = .allocate(capacity: microbatches)
    terms.initialize(repeating: .zero)
  }

  deinit {
    record.deallocate()
    records.deallocate()
    terms.deallocate()
  }

  /// Divides a rank's microbatches among its workers and gives these the slots they need.
  private static func program(
    _ cut: MicrobatchCut, _ tree: SumTree, own: Range<Int>, workers: [Worker], count: Int,
    gradientSum: GradientSum
  ) -> Program {
    var instructions: [[SumTree.Instruction]] = []
    var pieces: [FloatBuffer] = []
    var places: [SumTree.Node: Int] = [:]
    for (index, worker) in workers.enumerated() {
      let share = evenShare(of: own.count, owner: index, owners: workers.count)
      let nodes = tree.maximalNodes(
        in: own.lowerBound + share.lowerBound..<own.lowerBound + share.upperBound)
      let sum = tree.sequentialSum(of: nodes)
      instructions.append(sum.instructions)
      while worker.slots.count < max(sum.slotCount, 1) {
        worker.slots.append(FloatBuffer(count: count))
      }
      for (slot, node) in nodes.enumerated() {
        places[node] = pieces.count
        pieces.append(worker.slots[slot])
      }
    }
    var additions: [SumTree.Addition] = []
    var subtrees: [FloatBuffer] = []
    for node in tree.maximalNodes(in: own) {
      let fold = tree.fold(to: node, from: places)
      additions += fold.additions
      if let slot = fold.slot { subtrees.append(pieces[slot]) }
    }
    return Program(
      cut: cut, tree: tree, instructions: instructions, additions: additions, pieces: pieces,
      subtrees: subtrees.isEmpty ? [workers[0].slots[0]] : subtrees, gradientSum: gradientSum)
  }

  /// Computes this rank's microbatches and lets all ranks know of the sums over their rows.
  ///
  /// Collective. A failure on one rank is thrown on all.
  ///
  /// - Parameters:
  ///   - rowCount: The number of rows of the step.
  ///   - source: Where the rows are.
  ///   - row: The index in the source of each row of the step.
  ///   - stopIsRequested: Whether this rank was asked to stop.
  ///   - earlierFailure: What failed on this rank since the last step, if anything did.
  /// - Returns: What all ranks know of the step then.
  /// - Throws: What reading rows throws, as an agreed failure; `CommunicationError`.
  func computeMicrobatches(
    rowCount: Int, of source: some RowSource, row: (Int) -> Int, stopIsRequested: Bool,
    failure earlierFailure: (any Error)?
  ) throws(CommunicationError) -> Outcome {
    let program = program(for: rowCount)
    pool.run { index in
      compute(program, worker: index, of: source, row: row)
    }
    var failure = earlierFailure
    for worker in workers {
      failure = failure ?? worker.failure
      worker.failure = nil
    }
    if failure == nil { addPieces(program) }
    record.storeBytes(
      of: Header(
        hasFailed: failure == nil ? 0 : 1, stopWasRequested: stopIsRequested ? 1 : 0),
      as: Header.self)
    try communicator.allgather(from: UnsafeRawBufferPointer(record), into: records)
    return try outcome(program, failure)
  }

  /// Returns the sum over all microbatches of the step that was computed last; the same bits on every
  /// rank, valid until the next step.
  ///
  /// Collective.
  func sumGradients(rowCount: Int) throws(CommunicationError) -> FloatBuffer {
    let program = program(for: rowCount)
    try program.gradientSum.run(subtrees: program.subtrees, pool: pool)
    return program.subtrees[0]
  }

  private func program(for rowCount: Int) -> Program {
    guard let program = programs[rowCount] else {
      preconditionFailure("no program for steps of \(rowCount) rows")
    }
    return program
  }

  /// The part of one worker: its microbatches, and the sums of its subtrees.
  private func compute(
    _ program: Program, worker index: Int, of source: some RowSource, row: (Int) -> Int
  ) {
    let worker = workers[index]
    let own = UnsafeMutableRawBufferPointer(rebasing: record[MemoryLayout<Header>.stride...])
      .bindMemory(to: MicrobatchSums.self)
    let first = division.leaves(of: communicator.rank).lowerBound
    do {
      for instruction in program.instructions[index] {
        switch instruction {
        case .compute(let leaf, let slot):
          let rows = program.cut[leaf]
          own[leaf - first] = try worker.microbatches.compute(
            rows.count, of: source, row: { row(rows.lowerBound + $0) },
            gradient: worker.slots[slot])
        case .add(let addition):
          let (target, source) = (worker.slots[addition.target], worker.slots[addition.source])
          FlatSum.add(target.pointer, source.pointer, count: target.count)
        }
      }
    } catch {
      worker.failure = error
    }
  }

  /// Makes the rank's largest subtrees, each worker for a range of elements.
  private func addPieces(_ program: Program) {
    guard !program.additions.isEmpty else { return }
    pool.runOnRanges(of: program.pieces[0].count) { range in
      for addition in program.additions {
        FlatSum.add(
          program.pieces[addition.target].pointer + range.lowerBound,
          program.pieces[addition.source].pointer + range.lowerBound, count: range.count)
      }
    }
  }

  private func outcome(
    _ program: Program, _ failure: (any Error)?
  ) throws(CommunicationError) -> Outcome {
    var someFailed = false
    var stopWasRequested = false
    for rank in 0..<communicator.size {
      let base = rank * record.count
      let header = records.load(fromByteOffset: base, as: Header.self)
      someFailed = someFailed || header.hasFailed != 0
      stopWasRequested = stopWasRequested || header.stopWasRequested != 0
      for (place, leaf) in division.leaves(of: rank).enumerated() {
        terms[leaf] = records.load(
          fromByteOffset: base + MemoryLayout<Header>.stride
            + place * MemoryLayout<MicrobatchSums>.stride, as: MicrobatchSums.self)
      }
    }
    if someFailed {
      try communicator.together { if let failure { throw failure } }
    }
    return Outcome(
      sums: program.tree.sum(UnsafeBufferPointer(terms)), stopWasRequested: stopWasRequested)
  }
}

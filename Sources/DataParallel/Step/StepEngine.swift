package import Communication
package import Execution
package import Models
import Numerics
package import Optimizers
import Tensors

/// Computes one step on all ranks and workers: microbatches, the sum of their gradients, the update.
///
/// A step is the same whatever runs it: microbatches are computed one by one, and everything that
/// is summed over them is summed by one tree. This class decides only who does what. A rank's
/// microbatches are shared out among its workers as those of a step are among the ranks; elements of
/// flat vectors are shared out by ``ElementDivision``.
package final class StepEngine {
  /// What all ranks know after a step's microbatches are computed.
  package struct Outcome {
    /// The sums over all rows of the step.
    package let sums: MicrobatchSums
    /// Whether a rank was asked to stop.
    package let stopWasRequested: Bool
  }

  package let communicator: any Communicator
  package let group: RankGroup
  package let replica: Replica
  package let seed: UInt64
  package let stopwatch: Stopwatch
  /// The threads of this rank.
  package let pool: WorkerPool
  package let workers: [StepWorker]
  /// The microbatches of this rank.
  package let leaves: Range<Int>
  /// Where the sums over the rows of each of them go.
  package let ownSums: UnsafeMutablePointer<MicrobatchSums>
  package let memory: StepMemory
  package let division: WorkDivision
  /// What sums within graphs go by; nil where graphs have none.
  private let totals: TotalExchange?
  /// For each number of rows that steps have.
  private let programs: [StepProgram]
  private let updater: StepUpdater
  /// The records of all ranks: the group's own, or where they are received.
  private let records: [StepRecord]
  private let received: UnsafeMutableRawBufferPointer
  private let terms: UnsafeMutableBufferPointer<MicrobatchSums>
  /// The number of the step that is computed, from 1; rises from one to the next.
  private(set) var step = 0
  /// The buckets of this step whose exchange has begun.
  package var begunBuckets = 0
  package var exchangeFailure: CommunicationError?
  /// The time each rank has spent on its microbatches.
  package private(set) var busyNanoseconds: [Int64]

  /// The memory of gradients, exchanges and activations, in bytes.
  package let byteCount: Int

  /// What each worker did when, since ``noteTimes()``; none where there was no room asked for.
  package let timelines: [Timeline]

  /// Compiles all plans and prepares all exchanges.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: What is trained.
  ///   - rowCounts: The numbers of rows that steps have.
  ///   - microbatches: The number of microbatches of each step.
  ///   - workerCount: The number of threads of this rank; ranks may differ.
  ///   - replica: What is updated.
  ///   - seed: The seed of the run.
  ///   - backend: What computes.
  ///   - precision: What products take.
  ///   - gradientFormat: How sums of gradients are sent between groups of ranks.
  ///   - stopwatch: Told where the time goes.
  ///   - timelineCapacity: How many stretches of time of each worker can be noted; the same on all ranks.
  ///   - communicator: The ranks.
  /// - Throws: `PlanError` as an agreed failure, `CommunicationError`.
  package init(
    _ network: Network, rowCounts: Set<Int>, microbatches: Int, workers workerCount: Int,
    replica: Replica, seed: UInt64, backend: any Backend,
    precision: OperandPrecision = .float, gradientFormat: GradientFormat = .float,
    stopwatch: Stopwatch,
    timelineCapacity: Int = 0, communicator: any Communicator
  ) throws(CommunicationError) {
    self.communicator = communicator
    timelines =
      timelineCapacity == 0
      ? [] : (0..<workerCount).map { _ in Timeline(capacity: timelineCapacity) }
    self.replica = replica
    self.seed = seed
    self.stopwatch = stopwatch
    let group = replica.group
    self.group = group
    let division = WorkDivision(groups: group.groups, microbatches: microbatches)
    self.division = division
    pool = WorkerPool(
      count: workerCount, mayNotSpin: communicator.placement.isOversubscribed,
      prepare: backend.prepareThread)
    let cuts = rowCounts.sorted().map { MicrobatchCut(rowCount: $0, count: microbatches) }
    let trees = cuts.map { SumTree($0) }
    let recordSize = StepRecord.byteCount(microbatches: division.largestShare)
    let workerCounts = try communicator.allgather(value: workerCount)
    let isSegmented = network.isSegmented
    func sum(
      _ tree: SumTree, _ leaves: Range<Int>
    ) -> (instructions: [SumTree.Instruction], slotCount: Int) {
      let nodes = tree.maximalNodes(in: leaves)
      return isSegmented ? tree.parallelSum(of: nodes) : tree.sequentialSum(of: nodes)
    }
    let slotCounts = group.members.map { rank in
      (0..<workerCounts[rank]).map { worker in
        let leaves = division.leaves(of: rank, worker: worker, of: workerCounts[rank])
        return trees.reduce(1) { max($0, sum($1, leaves).slotCount) }
      }
    }
    let memory = try StepMemory(
      group, slotCounts: slotCounts, recordSize: recordSize, vectorLength: replica.layout.count)
    self.memory = memory
    leaves = division.leaves(of: communicator.rank)
    ownSums = memory.records[group.localRank].sums
    updater = StepUpdater(
      replica, pool: pool, sumVector: memory.buffer(0, 0, 0), stopwatch: stopwatch)
    var workspaces: [any Workspace] = []
    let workers = try communicator.agreeingOnFailure {
      try (0..<workerCount).map { index in
        let leaves = division.leaves(of: communicator.rank, worker: index, of: workerCount)
        let sizes =
          isSegmented
          ? leaves.map { leaf in Set(cuts.map { $0[leaf].count }).subtracting([0]) }
          : [Set(cuts.flatMap(\.sizes))]
        let stopwatch =
          index == 0 ? stopwatch : timelineCapacity > 0 ? Stopwatch() : nil
        let hands = try sizes.map { sizes in
          let workspace = backend.makeWorkspace(precision)
          workspaces.append(workspace)
          return try MicrobatchWorker(
            network, sizes: sizes, purpose: .training, parameters: replica.parameters,
            workspace: workspace, stopwatch: stopwatch)
        }
        return StepWorker(
          hands, firstLeaf: leaves.lowerBound, stopwatch: stopwatch,
          slots: (0..<slotCounts[group.localRank][index]).map {
            memory.buffer(group.localRank, index, $0)
          }, arithmetic: backend.arithmetic)
      }
    }
    self.workers = workers
    totals =
      isSegmented
      ? try TotalExchange(
        counts: workers.lazy.flatMap(\.hands).map(\.sumCounts).first { !$0.isEmpty } ?? [],
        division: division, group: group, arithmetic: backend.arithmetic,
        communicator: communicator) : nil
    let staging = GradientSum.Staging(gradientFormat)
    var programs: [StepProgram] = []
    for (cut, tree) in zip(cuts, trees) {
      let gradientSum = try GradientSum(
        tree: tree, division: division, workerCounts: workerCounts, elements: replica.elements,
        staging: staging, arithmetic: backend.arithmetic, communicator: communicator,
        slot: memory.vector)
      let parts = workers.enumerated().map { index, worker in
        let leaves = division.leaves(of: communicator.rank, worker: index, of: workerCount)
        return StepProgram.Part(
          sum(tree, leaves).instructions, cut: cut, hand: isSegmented ? nil : worker.hands[0],
          buckets: replica.elements.buckets, drivesExchanges: index == 0)
      }
      programs.append(StepProgram(cut, tree, sum: gradientSum, parts: parts))
    }
    self.programs = programs
    byteCount =
      workspaces.reduce(0) { $0 + $1.byteCount } + memory.byteCount + staging.byteCount
      + (totals?.byteCount ?? 0)
    busyNanoseconds = Array(repeating: 0, count: communicator.size)
    received = .allocate(
      byteCount: group.isWholeJob ? 0 : recordSize * communicator.size, alignment: 16)
    received.initializeMemory(as: UInt8.self, repeating: 0)
    records =
      group.isWholeJob
      ? memory.records
      : (0..<communicator.size).map { [received] rank in
        StepRecord(
          UnsafeMutableRawBufferPointer(
            rebasing: received[rank * recordSize..<(rank + 1) * recordSize]))
      }
    terms = .allocate(capacity: microbatches)
    terms.initialize(repeating: .zero)
  }

  deinit {
    received.deallocate()
    terms.deallocate()
  }

  /// Computes this rank's microbatches and lets all ranks know of the sums over their rows.
  ///
  /// Where ranks are in several groups, sums of gradients begin to be exchanged while the last
  /// microbatch is computed.
  ///
  /// Collective. A failure on one rank is thrown on all.
  ///
  /// - Parameters:
  ///   - step: The number of the step, from 1; greater than those of all steps before.
  ///   - rowCount: The number of rows of the step.
  ///   - source: Where the rows are.
  ///   - row: The index in the source of each row of the step.
  ///   - stopIsRequested: Whether this rank was asked to stop; read when its microbatches are computed.
  ///   - earlierFailure: What failed on this rank since the last step, if anything did.
  /// - Returns: What all ranks know of the step then.
  /// - Throws: What reading rows throws, as an agreed failure; `CommunicationError`.
  package func computeMicrobatches(
    step: Int, rowCount: Int, of source: any RowSource, row: (Int) -> Int,
    stopIsRequested: @autoclosure () -> Bool, failure earlierFailure: (any Error)?
  ) throws(CommunicationError) -> Outcome {
    let program = program(for: rowCount)
    precondition(step > self.step, "step \(step) after step \(self.step)")
    self.step = step
    begunBuckets = 0
    let started = stopwatch.last
    for worker in workers {
      for hand in worker.hands { hand.parametersHaveChanged() }
    }
    if let totals {
      try compute(program, by: totals, of: source, row: row)
    } else {
      pool.run { index in
        compute(program, worker: index, of: source, row: row)
      }
      if pool.count > 1 { stopwatch.lap(.waiting) }
    }
    let busy = stopwatch.last - started
    if !group.isWholeJob { try beginRemainingBuckets(of: program) }
    var failure = earlierFailure
    for worker in workers {
      failure = failure ?? worker.failure
      worker.failure = nil
    }
    let own = memory.records[group.localRank]
    own.header = StepRecord.Header(
      hasFailed: failure == nil ? 0 : 1, stopWasRequested: stopIsRequested() ? 1 : 0,
      busyNanoseconds: busy)
    guard communicator.size > 1 else { return try outcome(program, failure) }
    // With one group this is all that ranks have to tell each other before the update.
    group.barrier()
    if !group.isWholeJob { try communicator.allgather(from: own.raw, into: received) }
    stopwatch.lap(.waiting)
    return try outcome(program, failure)
  }

  /// Adds the gradients of the step that was computed last and updates the parameters.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - rowCount: The number of rows of the step.
  ///   - step: How the sum of gradients changes the parameters.
  /// - Returns: The norm of the mean gradient where it is clipped by norm; if that is no finite number,
  ///   nothing was changed.
  /// - Throws: `CommunicationError`.
  package func update(
    rowCount: Int, _ step: Optimizer.Step
  ) throws(CommunicationError) -> Double? {
    try updater.update(program(for: rowCount).sum, step)
  }

  /// Adds gradients by MPI_Allreduce in its own order and updates all parameters on every rank.
  ///
  /// What the exact order is measured against. The answer depends on the number of ranks.
  ///
  /// Collective; for ranks of one worker and a replica that is not sharded.
  package func updateInFreeOrder(
    rowCount: Int, _ step: Optimizer.Step
  ) throws(CommunicationError) {
    let gradient = workers[0].slots[0]
    let subtrees = program(for: rowCount).tree.maximalNodes(
      in: division.leaves(of: communicator.rank))
    if subtrees.isEmpty { gradient.pointer.update(repeating: 0, count: gradient.count) }
    for slot in subtrees.indices.dropFirst() {
      replica.arithmetic.add(
        gradient.pointer, workers[0].slots[slot].pointer, count: gradient.count)
    }
    try communicator.sumInFreeOrder(gradient.elements)
    stopwatch.lap(.reduction)
    flushingDenormals {
      replica.optimizer.clipValues(of: gradient.pointer, step, 0..<gradient.count)
    }
    _ = updater.updateAll(from: gradient.pointer, step)
  }

  private func program(for rowCount: Int) -> StepProgram {
    for program in programs where program.cut.rowCount == rowCount { return program }
    preconditionFailure("no program for steps of \(rowCount) rows")
  }

  /// Notes from now on what each worker does when, in ``timelines``.
  package func noteTimes() {
    stopwatch.lap(.other)
    for (worker, timeline) in zip(workers, timelines) {
      for hand in worker.hands { hand.timeline = timeline }
      worker.stopwatch?.timeline = timeline
    }
  }

  /// Notes nothing any more.
  package func stopNotingTimes() {
    for worker in workers {
      for hand in worker.hands { hand.timeline = nil }
      worker.stopwatch?.timeline = nil
    }
  }

  /// The calls of plans, by the number of rows.
  package var callLists: [Int: CallList] {
    workers.flatMap(\.hands).reduce(into: [:]) { $0.merge($1.callLists) { first, _ in first } }
  }

  /// What all records say.
  private func outcome(
    _ program: StepProgram, _ failure: (any Error)?
  ) throws(CommunicationError) -> Outcome {
    var someFailed = false
    var stopWasRequested = false
    for (rank, record) in records.enumerated() {
      let header = record.header
      someFailed = someFailed || header.hasFailed != 0
      stopWasRequested = stopWasRequested || header.stopWasRequested != 0
      busyNanoseconds[rank] += header.busyNanoseconds
      for (place, leaf) in division.leaves(of: rank).enumerated() {
        terms[leaf] = record.sums[place]
      }
    }
    if someFailed {
      try communicator.agreeingOnFailure { if let failure { throw failure } }
    }
    return Outcome(
      sums: program.tree.sum(UnsafeBufferPointer(terms)), stopWasRequested: stopWasRequested)
  }
}

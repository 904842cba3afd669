package import Communication
package import Execution
package import Models
import Numerics
import Optimizers
import Tensors

/// Carries out a step on all ranks and workers: microbatches, the sum of their gradients, the update.
///
/// A step gives the same bits on any number of ranks and workers: what a microbatch gives does not depend on
/// those that are computed with it, and everything that is summed over them is summed by one tree.
/// ``StepLayout`` decides who computes which microbatches, ``ElementDivision`` who adds and updates which elements.
package final class StepEngine {
  /// The results that all ranks have after a step's microbatches are computed.
  package struct Outcome {
    /// The sums over all rows of the step.
    package let sums: MicrobatchSums
    /// True if a rank was asked to stop.
    package let stopWasRequested: Bool
  }

  /// The division of the steps.
  package let layout: StepLayout
  /// The memory of gradients, exchanges and activations, in bytes.
  package let byteCount: Int
  /// The events of each worker since ``noteTimes()``; none if the settings ask for no timelines.
  package let timelines: [Timeline]
  package let communicator: any Communicator
  let group: RankGroup
  package let replica: Replica
  let seed: UInt64
  package let stopwatch: Stopwatch
  /// The threads of this rank.
  let pool: WorkerPool
  let workers: [StepWorker]
  /// The microbatches of this rank.
  let microbatches: Range<Int>
  let memory: StepMemory
  /// The sums over the rows of each of this rank's microbatches, to be filled in by a step.
  let ownSums: UnsafeMutablePointer<MicrobatchSums>
  /// The whole sum of gradients, where every rank updates all elements.
  let sumVector: FloatBuffer
  private let records: StepRecords
  /// Exchanges cross-microbatch sums; nil if the network has none.
  private let totals: CrossMicrobatchExchange?
  /// One for each number of rows that steps have.
  private let programs: [StepProgram]
  /// The number of the step that is computed, from 1; rises from one to the next.
  private(set) var step = 0
  /// The number of buckets of this step whose exchange has begun.
  var begunBuckets = 0
  var exchangeFailure: CommunicationError?

  /// Compiles all plans and prepares all exchanges.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - network: The network to train.
  ///   - settings: The sizes and formats of the steps.
  ///   - replica: The parameters and their state.
  ///   - backend: The device that computes.
  ///   - stopwatch: Records the time of the calling thread per phase.
  ///   - communicator: The ranks.
  /// - Throws: `PlanError` as an agreed failure, `CommunicationError`.
  package init(
    _ network: Network, _ settings: StepSettings, replica: Replica, backend: any Backend,
    stopwatch: Stopwatch, communicator: any Communicator
  ) throws(CommunicationError) {
    let group = replica.group
    let layout = StepLayout(
      groups: group.groups, workerCounts: try communicator.allgather(value: settings.workers),
      microbatches: settings.microbatches, rowCounts: settings.rowCounts,
      groupSize: StepEngine.groupSize(network, settings))
    let memory = try StepMemory(group, layout, vectorLength: replica.layout.count)
    let stopwatches = (0..<settings.workers).map { worker in
      worker == 0 ? stopwatch : settings.timelineCapacity > 0 ? Stopwatch() : nil
    }
    let runners = try communicator.agreeingOnFailure {
      try stopwatches.enumerated().map { worker, stopwatch in
        try GroupRunner(
          network, layout.shapes(of: communicator.rank, worker: worker), purpose: .training,
          parameters: replica.parameters, workspace: backend.makeWorkspace(settings.precision),
          stopwatch: stopwatch)
      }
    }
    let workers = runners.enumerated().map { worker, runner in
      StepWorker(
        runner, slots: memory.slots(group.localRank, worker), stopwatch: stopwatches[worker],
        arithmetic: replica.arithmetic)
    }
    self.workers = workers
    totals =
      network.isSegmented
      ? try StepEngine.totals(layout, workers, replica, communicator) : nil
    let (staging, sums) = try StepEngine.sums(
      layout, memory, settings.gradientFormat, replica, communicator)
    programs = StepEngine.programs(
      layout, workers, sums, rank: communicator.rank,
      buckets: group.isWholeJob ? [] : replica.elements.buckets)
    pool = WorkerPool(
      count: settings.workers, mayNotSpin: communicator.placement.isOversubscribed,
      prepare: backend.prepareThread)
    timelines =
      settings.timelineCapacity == 0
      ? [] : workers.map { _ in Timeline(capacity: settings.timelineCapacity) }
    records = StepRecords(
      shared: memory.records, layout, group: group, communicator: communicator)
    byteCount =
      runners.reduce(0) { $0 + $1.byteCount } + memory.byteCount + staging.byteCount
      + (totals?.byteCount ?? 0)
    (ownSums, sumVector) = (memory.records[group.localRank].sums, memory.sumVector)
    microbatches = layout.microbatches(of: communicator.rank)
    (self.layout, self.memory, self.group) = (layout, memory, group)
    (self.replica, self.communicator) = (replica, communicator)
    (self.stopwatch, seed) = (stopwatch, settings.seed)
  }

  /// The most microbatches that a worker computes at once; nil for all, which come to each sum together.
  private static func groupSize(_ network: Network, _ settings: StepSettings) -> Int? {
    guard !network.isSegmented else { return nil }
    let rowCount = settings.rowCounts.max() ?? 0
    return settings.groupSize
      ?? GroupChoice.size(
        for: network,
        rowCount: MicrobatchCut(rowCount: rowCount, count: settings.microbatches).sizes.last ?? 0)
  }

  /// Prepares the exchange of cross-microbatch sums.
  private static func totals(
    _ layout: StepLayout, _ workers: [StepWorker], _ replica: Replica,
    _ communicator: any Communicator
  ) throws(CommunicationError) -> CrossMicrobatchExchange {
    try CrossMicrobatchExchange(
      counts: workers.lazy.map(\.runner.sumCounts).first { !$0.isEmpty } ?? [],
      division: layout.division, group: replica.group, arithmetic: replica.arithmetic,
      communicator: communicator)
  }

  /// Prepares the sum of gradients in each pattern of present microbatches.
  private static func sums(
    _ layout: StepLayout, _ memory: StepMemory, _ format: GradientFormat, _ replica: Replica,
    _ communicator: any Communicator
  ) throws(CommunicationError) -> (staging: GradientStaging, sums: [GradientSum]) {
    let plans = layout.patterns.map {
      FoldPlan(
        tree: $0.tree, division: layout.division, workerCounts: layout.workerCounts,
        elements: replica.elements, rank: communicator.rank)
    }
    let staging = GradientStaging(for: plans, format)
    let sums = try plans.map { (plan) throws(CommunicationError) in
      GradientSum(
        plan, staging: staging,
        exchange: try GradientExchange(plan, staging: staging, communicator: communicator),
        arithmetic: replica.arithmetic
      ) { memory.vector($0.localRank, $0.worker, $0.subtree) }
    }
    return (staging, sums)
  }

  /// Plans the part of this rank in each pattern of present microbatches.
  private static func programs(
    _ layout: StepLayout, _ workers: [StepWorker], _ sums: [GradientSum], rank: Int,
    buckets: [Range<Int>]
  ) -> [StepProgram] {
    zip(layout.patterns, sums).map { pattern, sum in
      let parts = workers.enumerated().map { index, worker in
        let groups = layout.work(of: rank, worker: index, in: pattern).groups.map {
          BoundGroup($0, worker.runner.group($0.shape), slots: worker.slots)
        }
        return StepProgram.Part(groups, buckets: buckets, drivesExchanges: index == 0)
      }
      return StepProgram(pattern, sum: sum, parts: parts)
    }
  }

  /// Computes this rank's microbatches and exchanges the sums over their rows with all ranks.
  ///
  /// If ranks are in several groups, sums of gradients begin to be exchanged while the last microbatches
  /// are computed.
  ///
  /// Collective. A failure on one rank is thrown on all.
  ///
  /// - Parameters:
  ///   - step: The number of the step, from 1; greater than those of all steps before.
  ///   - rowCount: The number of rows of the step.
  ///   - source: The rows.
  ///   - row: Returns the index in the source of each row of the step.
  ///   - stopIsRequested: True if this rank was asked to stop; read when its microbatches are computed.
  ///   - earlierFailure: The error on this rank since the last step, if there was one.
  /// - Returns: The sums over all rows.
  /// - Throws: The errors of reading rows, as an agreed failure; `CommunicationError`.
  package func computeMicrobatches(
    step: Int, rowCount: Int, of source: any RowSource, row: (Int) -> Int,
    stopIsRequested: @autoclosure () -> Bool, failure earlierFailure: (any Error)?
  ) throws(CommunicationError) -> Outcome {
    let program = program(for: rowCount)
    precondition(step > self.step, "step \(step) after step \(self.step)")
    self.step = step
    begunBuckets = 0
    let started = stopwatch.last
    for worker in workers { worker.runner.invalidateParameters() }
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
    try records.exchange(
      StepRecord.Header(
        hasFailed: failure == nil ? 0 : 1, stopWasRequested: stopIsRequested() ? 1 : 0,
        busyNanoseconds: busy))
    if communicator.size > 1 { stopwatch.lap(.waiting) }
    let summary = records.summary(in: program.tree)
    if summary.hasFailed {
      try communicator.agreeingOnFailure { if let failure { throw failure } }
    }
    return Outcome(sums: summary.sums, stopWasRequested: summary.stopWasRequested)
  }

  /// Returns the program for steps of `rowCount` rows.
  func program(for rowCount: Int) -> StepProgram {
    for program in programs where program.cut.rowCount == rowCount { return program }
    preconditionFailure("no program for steps of \(rowCount) rows")
  }

  // MARK: Times.

  /// The time that each rank has spent on its microbatches.
  package var busyNanoseconds: [Int64] { records.busyNanoseconds }

  /// Starts to record the events of each worker in ``timelines``.
  package func noteTimes() {
    stopwatch.lap(.other)
    for (worker, timeline) in zip(workers, timelines) {
      worker.runner.timeline = timeline
      worker.stopwatch?.timeline = timeline
    }
  }

  /// Stops recording events.
  package func stopNotingTimes() {
    for worker in workers {
      worker.runner.timeline = nil
      worker.stopwatch?.timeline = nil
    }
  }

  /// The lists of each worker's calls, which the events of its timeline name by number.
  package var callLists: [[CallList]] { workers.map(\.runner.callLists) }
}

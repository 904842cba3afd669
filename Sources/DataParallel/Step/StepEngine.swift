package import Communication
package import Execution
package import Models
import Numerics
import Optimizers
import Tensors

/// Carries out a step on all ranks and workers: microbatches, the sum of their gradients, the update.
///
/// A step gives the same bits on any number of ranks and workers: microbatches are computed one by one,
/// and everything that is summed over them is summed by one tree. ``StepLayout`` decides who computes
/// which microbatches, ``ElementDivision`` who adds and updates which elements.
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
      isSegmented: network.isSegmented)
    let memory = try StepMemory(group, layout, vectorLength: replica.layout.count)
    let stopwatches = (0..<settings.workers).map { worker in
      worker == 0 ? stopwatch : settings.timelineCapacity > 0 ? Stopwatch() : nil
    }
    let runners = try communicator.agreeingOnFailure {
      try stopwatches.enumerated().map { worker, stopwatch in
        try layout.runnerSizes(of: communicator.rank, worker: worker).map { sizes in
          try MicrobatchRunner(
            network, sizes: sizes, purpose: .training, parameters: replica.parameters,
            workspace: backend.makeWorkspace(settings.precision), stopwatch: stopwatch)
        }
      }
    }
    workers = runners.enumerated().map { worker, runners in
      StepWorker(
        runners,
        firstMicrobatch: layout.microbatches(of: communicator.rank, worker: worker).lowerBound,
        slots: memory.slots(group.localRank, worker), stopwatch: stopwatches[worker],
        arithmetic: replica.arithmetic)
    }
    totals = try StepEngine.totals(layout, runners, replica, communicator)
    let (staging, sums) = try StepEngine.sums(
      layout, memory, settings.gradientFormat, replica, communicator)
    programs = StepEngine.programs(
      layout, runners, sums, rank: communicator.rank, buckets: replica.elements.buckets)
    pool = WorkerPool(
      count: settings.workers, mayNotSpin: communicator.placement.isOversubscribed,
      prepare: backend.prepareThread)
    timelines =
      settings.timelineCapacity == 0
      ? [] : workers.map { _ in Timeline(capacity: settings.timelineCapacity) }
    records = StepRecords(
      shared: memory.records, layout, group: group, communicator: communicator)
    byteCount =
      runners.joined().reduce(0) { $0 + $1.byteCount } + memory.byteCount + staging.byteCount
      + (totals?.byteCount ?? 0)
    (ownSums, sumVector) = (memory.records[group.localRank].sums, memory.sumVector)
    microbatches = layout.microbatches(of: communicator.rank)
    (self.layout, self.memory, self.group) = (layout, memory, group)
    (self.replica, self.communicator) = (replica, communicator)
    (self.stopwatch, seed) = (stopwatch, settings.seed)
  }

  /// Prepares the exchange of cross-microbatch sums, if the network has any.
  private static func totals(
    _ layout: StepLayout, _ runners: [[MicrobatchRunner]], _ replica: Replica,
    _ communicator: any Communicator
  ) throws(CommunicationError) -> CrossMicrobatchExchange? {
    guard layout.isSegmented else { return nil }
    return try CrossMicrobatchExchange(
      counts: runners.joined().lazy.map(\.sumCounts).first { !$0.isEmpty } ?? [],
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
    _ layout: StepLayout, _ runners: [[MicrobatchRunner]], _ sums: [GradientSum], rank: Int,
    buckets: [Range<Int>]
  ) -> [StepProgram] {
    zip(layout.patterns, sums).map { pattern, sum in
      let parts = runners.enumerated().map { worker, runners in
        let work = layout.work(of: rank, worker: worker, in: pattern)
        return layout.isSegmented
          ? StepProgram.Part(withoutBuckets: work)
          : StepProgram.Part(
            work, cut: pattern.cut, runner: runners[0], buckets: buckets,
            drivesExchanges: worker == 0)
      }
      return StepProgram(pattern, sum: sum, parts: parts)
    }
  }

  /// Computes this rank's microbatches and exchanges the sums over their rows with all ranks.
  ///
  /// If ranks are in several groups, sums of gradients begin to be exchanged while the last microbatch
  /// is computed.
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
    for worker in workers {
      for runner in worker.runners { runner.invalidateParameters() }
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
      for runner in worker.runners { runner.timeline = timeline }
      worker.stopwatch?.timeline = timeline
    }
  }

  /// Stops recording events.
  package func stopNotingTimes() {
    for worker in workers {
      for runner in worker.runners { runner.timeline = nil }
      worker.stopwatch?.timeline = nil
    }
  }

  /// The steps of plans, by the number of rows.
  package var callLists: [Int: CallList] {
    workers.flatMap(\.runners).reduce(into: [:]) { $0.merge($1.callLists) { first, _ in first } }
  }
}

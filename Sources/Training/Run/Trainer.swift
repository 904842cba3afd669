import Communication
import DataParallel
import Datasets
import Models
import Optimizers

/// The loop: from rows to parameters, step by step, the same on every rank.
///
/// All ranks run it together. The configuration, the step and values that all ranks have alike decide what
/// happens next, never one rank alone.
final class Trainer {
  /// The ways in which the loop ends without an error.
  enum Ending {
    /// After the last step of the last epoch, or because evaluations no longer improve.
    case finished
    /// On request, after a checkpoint.
    case stopped
  }

  let plan: TrainingPlan
  let replica: Replica
  let state: RunState
  private let splits: Splits
  private let communicator: any Communicator
  private let engine: StepEngine
  private let evaluator: Evaluator?
  private let recorder: RunRecorder?
  private let stopIsRequested: () -> Bool
  private let report: (TrainingEvent) -> Void
  /// The trace of the steps that come next; nil once it is written.
  private var trace: TraceRequest?
  private var tracedSteps = 0
  private var lastEvaluatedStep = -1
  private let hostNames: [String]
  private var recordingFailure: (any Error)?
  private let stopwatch = Stopwatch()
  private var rowCount = 0
  private(set) var lastEvaluations: [NamedEvaluation] = []

  /// Compiles everything that the loop needs.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - prepared: The run, ready for its next step.
  ///   - recorder: Writes the run; on root only.
  ///   - trace: A trace of the first steps; nil to write none.
  ///   - stopIsRequested: Returns true once this process was asked to stop; called once a step.
  ///   - report: Called for every event, on every rank.
  /// - Throws: `CommunicationError`, `PlanError` as an agreed failure.
  init(
    _ prepared: PreparedRun, recorder: RunRecorder?, trace: TraceRequest?,
    stopIsRequested: @escaping () -> Bool, report: @escaping (TrainingEvent) -> Void
  ) throws(CommunicationError) {
    (plan, splits) = (prepared.plan, prepared.splits)
    (replica, state) = (prepared.replica, prepared.state)
    communicator = prepared.communicator
    self.recorder = recorder
    self.stopIsRequested = stopIsRequested
    self.report = report
    self.trace = trace
    var settings = StepSettings(
      rowCounts: plan.stepRowCounts, microbatches: plan.microbatches,
      workers: prepared.workers,
      seed: plan.configuration.seed)
    settings.precision = plan.configuration.precision.operands
    settings.gradientFormat = plan.configuration.gradientFormat
    settings.groupSize = plan.configuration.groupSize
    settings.timelineCapacity = trace == nil ? 0 : TraceRequest.eventCount
    engine = try StepEngine(
      plan.network, settings, replica: replica, backend: plan.configuration.backend,
      stopwatch: stopwatch, communicator: communicator)
    hostNames = try communicator.allgather(Array(communicator.placement.hostName.utf8))
      .map { String(decoding: $0, as: UTF8.self) }
    evaluator = try Trainer.evaluator(prepared)
  }

  /// Returns the evaluator of the run; nil if it has nothing to evaluate.
  private static func evaluator(
    _ prepared: PreparedRun
  ) throws(CommunicationError) -> Evaluator? {
    let evaluated = prepared.splits.evaluated
    guard !evaluated.isEmpty else { return nil }
    let (replica, configuration) = (prepared.replica, prepared.plan.configuration)
    var options = Evaluator.Options(pieceSize: configuration.evaluationBlock)
    options.workers = prepared.workers
    options.top = configuration.evaluationTop
    return try Evaluator(
      prepared.plan.network, parameters: replica.average ?? replica.parameters,
      rowCounts: evaluated.map(\.rows.rowCount), options: options, backend: configuration.backend,
      communicator: prepared.communicator)
  }

  /// The time spent so far, by phase, on this rank.
  var timing: Timing {
    var timing = stopwatch.timing
    timing.rowCount = rowCount
    return timing
  }

  /// Counts the time since the end of the loop as saving.
  func countSaving() { stopwatch.lap(.saving) }

  /// The rank that took longest for its microbatches, all steps together; nil if one alone has any.
  var slowestRank: SlowestRank? {
    let busy = engine.busyNanoseconds
    // Those without microbatches are not faster than others.
    let working = busy.indices.filter { !engine.layout.microbatches(of: $0).isEmpty }
    guard working.count > 1, let slowest = working.max(by: { busy[$0] < busy[$1] }) else {
      return nil
    }
    let mean = working.reduce(0) { $0 + busy[$1] } / Int64(working.count)
    return SlowestRank(
      rank: slowest, hostName: hostNames[slowest], busy: .nanoseconds(busy[slowest]),
      meanBusy: .nanoseconds(mean))
  }

  /// The memory of plans and gradients on this rank, in bytes.
  var workingByteCount: Int { engine.byteCount }

  /// Trains until the last epoch, or until a rank is asked to stop.
  ///
  /// Collective.
  ///
  /// - Throws: ``TrainingError``, agreed failures of reading rows or writing files,
  ///   `CommunicationError`.
  func run() throws -> Ending {
    stopwatch.start()
    if trace != nil { engine.noteTimes() }
    if state.step == 0, plan.configuration.checkpointAtStart { try save() }
    var rows = rows(ofEpoch: 0)
    var rowsEpoch = 0
    while state.step < plan.stepCount, !state.progress.isStopped {
      let epoch = state.step / plan.stepsPerEpoch
      if epoch != rowsEpoch { (rows, rowsEpoch) = (self.rows(ofEpoch: epoch), epoch) }
      let started = stopwatch.now
      let wasAskedToStop = try takeStep(rows)
      try finishStep(epoch: epoch)
      try followTrace(from: started)
      let isLast = state.step == plan.stepCount || state.progress.isStopped
      let isDue = plan.configuration.checkpointInterval.isDue(
        after: state.step, stepsPerEpoch: plan.stepsPerEpoch)
      if isDue || isLast || wasAskedToStop { try save() }
      if wasAskedToStop, !isLast {
        try finishTrace()
        return .stopped
      }
    }
    try finishTrace()
    return .finished
  }

  /// Adds the step that began at `start` to the trace, and writes the trace after its last step.
  private func followTrace(from start: Int64) throws {
    guard let trace else { return }
    engine.timelines[0].add(.step(state.step), from: start, to: stopwatch.now)
    tracedSteps += 1
    if tracedSteps == trace.stepCount { try finishTrace() }
  }

  private func finishTrace() throws {
    guard let trace else { return }
    self.trace = nil
    engine.stopNotingTimes()
    try writeTrace(of: engine, to: trace.path, communicator: communicator)
    stopwatch.lap(.other)
  }

  /// The rows of an epoch and their order.
  private func rows(ofEpoch epoch: Int) -> EpochRows {
    let (data, seed) = (plan.configuration.data, plan.configuration.seed)
    let order = RowOrder(
      count: splits.train.rowCount, seed: seed, epoch: epoch, shuffle: data.isShuffled)
    guard !data.augmentation.isIdentity else {
      return EpochRows(source: splits.train, order: order)
    }
    let source = AugmentedRows(
      splits.train, data.augmentation, shape: splits.sampleShape, seed: seed, epoch: epoch)
    return EpochRows(source: source, order: order)
  }

  /// Updates all replicas once; returns whether a rank was asked to stop.
  private func takeStep(_ rows: EpochRows) throws -> Bool {
    let start = state.step % plan.stepsPerEpoch * plan.configuration.batchSize
    let rowCount = min(plan.configuration.batchSize, splits.train.rowCount - start)
    let step = state.step + 1
    let outcome = try engine.computeMicrobatches(
      step: step, rowCount: rowCount, of: rows.source, row: { rows.order[start + $0] },
      stopIsRequested: stopIsRequested(), failure: recordingFailure)
    let loss = outcome.sums.loss / outcome.sums.weight
    if !loss.isFinite {
      switch plan.configuration.onNonfinite {
      case .stop:
        try communicator.agreeingOnFailure {
          throw TrainingError.nonfiniteLoss(step: step, loss: loss)
        }
      }
    }
    let rateFactor =
      state.progress.rateFactor
      * plan.configuration.schedule.factor(step: step, stepsPerEpoch: plan.stepsPerEpoch)
    let norm = try engine.update(
      rowCount: rowCount,
      Optimizer.Step(
        scale: 1 / outcome.sums.weight, number: step, rateFactor: rateFactor,
        rowScale: 1 / Double(rowCount)))
    if let norm, !norm.isFinite {
      switch plan.configuration.onNonfinite {
      case .stop:
        try communicator.agreeingOnFailure {
          throw TrainingError.nonfiniteGradient(step: step, norm: norm)
        }
      }
    }
    state.step = step
    state.lastLoss = loss
    state.lastGradientNorm = norm
    self.rowCount += rowCount
    return outcome.stopWasRequested
  }

  /// Records the step, and evaluates if that is due.
  private func finishStep(epoch: Int) throws {
    let step = state.step
    if step % plan.configuration.metricsInterval == 0 {
      record {
        try $0.recordStep(
          step, epoch: epoch + 1, loss: state.lastLoss, gradientNorm: state.lastGradientNorm)
      }
    }
    record { try $0.follow(state) }
    report(.step(step, of: plan.stepCount, epoch: epoch + 1, loss: state.lastLoss))
    let isDue = plan.configuration.evaluationInterval.isDue(
      after: step, stepsPerEpoch: plan.stepsPerEpoch)
    if isDue || step == plan.stepCount { try evaluate(epoch: epoch + 1) }
    if isDue, let first = lastEvaluations.first { noteProgress(first.evaluation, epoch: epoch + 1) }
    if step % plan.stepsPerEpoch == 0 {
      stopwatch.lap(.other)
      record {
        try $0.recordTiming(timing, slowest: slowestRank, step: step, epoch: epoch + 1)
      }
    }
    stopwatch.lap(.other)
  }

  /// Lowers the learning rate or ends the run by an evaluation of the first split, on all ranks alike.
  private func noteProgress(_ evaluation: Evaluation, epoch: Int) {
    let before = state.progress.rateFactor
    state.progress.note(
      evaluation, plan.configuration.schedule.plateau, plan.configuration.earlyStopping)
    let factor = state.progress.rateFactor
    if factor != before { report(.slowed(step: state.step, epoch: epoch, factor: factor)) }
  }

  private func evaluate(epoch: Int) throws {
    guard let evaluator else { return }
    stopwatch.lap(.other)
    try replica.shareAverage()
    lastEvaluations = []
    for (split, rows) in splits.evaluated {
      let evaluation = try evaluator.evaluate(rows)
      if !evaluation.loss.isFinite {
        let step = state.step
        try communicator.agreeingOnFailure {
          throw TrainingError.nonfiniteEvaluation(split: split, step: step, loss: evaluation.loss)
        }
      }
      lastEvaluations.append(NamedEvaluation(split: split, evaluation: evaluation))
      record { try $0.recordEvaluation(evaluation, split: split, step: state.step) }
      report(.evaluated(split: split, step: state.step, epoch: epoch, evaluation))
    }
    lastEvaluatedStep = state.step
    stopwatch.lap(.evaluation)
  }

  /// Writes a checkpoint, after a check that all replicas are the same and finite.
  private func save() throws {
    stopwatch.lap(.other)
    try communicator.requireSame(
      replica.digest(), named: "digest of parameters at step \(state.step)")
    try communicator.agreeingOnFailure {
      guard replica.isFinite else {
        throw TrainingError.nonfiniteParameters(step: state.step)
      }
    }
    // The first split decides which checkpoint is best: validation where there is one.
    if lastEvaluatedStep == state.step, let first = lastEvaluations.first {
      state.noteEvaluation(first.evaluation)
    }
    try replica.withWholeState { () throws(CommunicationError) in
      try communicator.agreeingOnFailure {
        if let recordingFailure { throw recordingFailure }
        guard let recorder else { return }
        let path = try recorder.save(replica, state)
        report(.saved(path: path, step: state.step))
      }
    }
    stopwatch.lap(.saving)
  }

  /// Writes a record on root; a failure ends the run on all ranks at the next step or checkpoint, so that a
  /// record costs no collective.
  private func record(_ work: (RunRecorder) throws -> Void) {
    guard let recorder, recordingFailure == nil else { return }
    do { try work(recorder) } catch { recordingFailure = error }
  }
}

/// The rows of an epoch, with their changes and their order.
private struct EpochRows {
  let source: any RowSource
  let order: RowOrder
}

/// The rank that the others waited for most.
public struct SlowestRank: Sendable {
  /// Its number.
  public let rank: Int
  /// The name of its host.
  public let hostName: String
  /// The time it took for its microbatches.
  public let busy: Duration
  /// The mean of that time over the ranks that have microbatches.
  public let meanBusy: Duration
}

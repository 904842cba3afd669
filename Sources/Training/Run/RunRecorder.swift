import Checkpoints
import Communication
import Configuration
import DataParallel
import Execution
import Optimizers
import Runs
import Tensors

/// Writes a run into its directory: records, checkpoints, status.
///
/// On root only.
final class RunRecorder {
  private let run: Run
  private let checkpoints: CheckpointFolder
  private let metrics: MetricsWriter
  private let plan: TrainingPlan
  private let splits: Splits
  private let rankCount: Int
  private(set) var lastCheckpointPath: String?
  private var lastStatus = ContinuousClock.now

  /// Opens the records of a run; those after the step it goes on from are cut off.
  ///
  /// - Parameters:
  ///   - run: The run directory, begun.
  ///   - checkpoints: Its checkpoints.
  ///   - prepared: The plan, the rows, and the step that the run goes on from.
  /// - Throws: `RunError` if the records cannot be written to.
  init(
    _ run: Run, checkpoints: CheckpointFolder, _ prepared: PreparedRun
  ) throws(RunError) {
    self.run = run
    self.checkpoints = checkpoints
    plan = prepared.plan
    splits = prepared.splits
    rankCount = prepared.communicator.size
    metrics = try run.metrics(after: prepared.state.step)
  }

  /// Records a step; nothing in the record depends on time, ranks or workers.
  ///
  /// - Parameters:
  ///   - step: The number of the step.
  ///   - epoch: The epoch it is of, from 1.
  ///   - loss: The mean loss of its rows.
  ///   - gradientNorm: The norm of its mean gradient, if it is known.
  /// - Throws: `RunError`.
  func recordStep(
    _ step: Int, epoch: Int, loss: Double, gradientNorm: Double?
  ) throws(RunError) {
    var fields: [(key: String, value: JSONValue)] = [
      ("step", .integer(step)), ("epoch", .integer(epoch)), ("loss", .double(loss)),
    ]
    if let gradientNorm { fields.append(("gradient_norm", .double(gradientNorm))) }
    try metrics.append("step", fields)
  }

  /// Updates the status, at most once a second.
  ///
  /// - Throws: `RunError`, also if the run directory is no longer where it was.
  func follow(_ state: RunState) throws(RunError) {
    guard lastStatus.duration(to: .now) >= .seconds(1) else { return }
    try run.requireInPlace()
    try updateStatus(.running, state)
  }

  /// Records an evaluation; nothing in the record depends on time, ranks or workers.
  func recordEvaluation(_ evaluation: Evaluation, split: String, step: Int) throws(RunError) {
    var fields: [(key: String, value: JSONValue)] = [
      ("split", .string(split)), ("step", .integer(step)), ("loss", .double(evaluation.loss)),
      ("correct", evaluation.correct.map { .integer($0) } ?? .null),
      ("count", .integer(evaluation.count)),
    ]
    if let top = evaluation.top { fields.append(("top\(top.outputs)", .integer(top.correct))) }
    try metrics.append("evaluation", fields)
  }

  /// Records the time of each phase since the process began.
  func recordTiming(
    _ timing: Timing, slowest: SlowestRank?, step: Int, epoch: Int
  ) throws(RunError) {
    var fields: [(key: String, value: JSONValue)] = [
      ("step", .integer(step)), ("epoch", .integer(epoch)), ("ranks", .integer(rankCount)),
      ("rows", .integer(timing.rowCount)), ("seconds", .double(timing.total.seconds)),
    ]
    for phase in Timing.Phase.allCases {
      fields.append((phase.word, .double(timing[phase].seconds)))
    }
    if let slowest {
      fields.append(("slowest_rank", .integer(slowest.rank)))
      fields.append(("slowest_host", .string(slowest.hostName)))
      fields.append(("slowest_busy", .double(slowest.busy.seconds)))
      fields.append(("mean_busy", .double(slowest.meanBusy.seconds)))
    }
    try metrics.append("timing", fields)
  }

  /// Writes a checkpoint of a replica and removes old ones; returns its path.
  ///
  /// The records come first: after a crash the run goes on from the checkpoint, and does not repeat records
  /// from before it.
  ///
  /// - Throws: `RunError`, also if the run directory is no longer where it was, `CheckpointError`; earlier
  ///   checkpoints are kept then.
  func save(_ replica: Replica, _ state: RunState) throws -> String {
    try run.requireInPlace()
    try metrics.sync()
    var content = CheckpointContent(record(of: state))
    content.add("parameters", replica.parameterLayout, from: replica.parameters)
    content.add("state", replica.stateLayout, from: replica.parameters)
    for (name, vector) in zip(replica.optimizer.rule.slotNames, replica.optimizer.slots) {
      content.add("optimizer/\(name)", replica.parameterLayout, from: vector)
    }
    if let average = replica.average {
      content.add("average", replica.layout, from: average)
    }
    let path = try filesOfRun { try write(content, of: state) }
    try updateStatus(.running, state)
    return path
  }

  /// Writes a checkpoint, marks it if it is the best, and removes old ones; returns its path.
  private func write(
    _ content: CheckpointContent, of state: RunState
  ) throws(CheckpointError) -> String {
    let entry = try checkpoints.write(content)
    lastCheckpointPath = entry.path
    if let best = state.best, best.step == state.step {
      try checkpoints.note(
        CheckpointFolder.Best(
          step: best.step, score: best.evaluation.accuracy ?? -best.evaluation.loss))
    }
    try checkpoints.retain(
      newest: plan.configuration.checkpointsKept, isBestKept: plan.configuration.keepsBest)
    return entry.path
  }

  /// Records the end of the run, and its reason if that was early.
  func close(
    _ ending: RunStatus.State, _ state: RunState, message: String?
  ) throws(RunError) {
    try run.requireInPlace()
    try metrics.close()
    try updateStatus(ending, state, message: message)
  }

  /// Records the error that ended the run; failures to do so are ignored, since that error is reported anyway.
  ///
  /// - Parameters:
  ///   - state: The last step.
  ///   - message: The error.
  ///   - wouldFailAgain: True if the same command would fail again, as with a loss that is not finite.
  func abandon(_ state: RunState, message: String, wouldFailAgain: Bool) {
    try? metrics.flush()
    try? updateStatus(wouldFailAgain ? .failed : .stopped, state, message: message)
  }

  private func updateStatus(
    _ phase: RunStatus.State, _ state: RunState, message: String? = nil
  ) throws(RunError) {
    var status = run.status ?? RunStatus(state: phase, kind: "")
    status.state = phase
    status.step = state.step
    status.epoch = state.step / plan.stepsPerEpoch
    status.loss = state.lastLoss.isFinite ? state.lastLoss : nil
    status.message = message
    try run.update(status, isDurable: phase != .running)
    lastStatus = .now
  }

  private func record(of state: RunState) -> RunRecord {
    var record = RunRecord()
    record.step = state.step
    record.epoch = state.step / plan.stepsPerEpoch
    record.position = state.step % plan.stepsPerEpoch * plan.configuration.batchSize
    record.seed = plan.configuration.seed
    record.configuration = plan.resolved.yaml
    record.data = Dictionary(
      uniqueKeysWithValues: splits.fingerprints.map { ($0.split, $0.fingerprint) })
    record.versions = Dictionary(
      uniqueKeysWithValues: plan.configuration.environment.facts.map { ($0.key, $0.value) })
    record.state = state.best?.evaluation.state ?? [:]
    if let best = state.best { record.state["best_step"] = .integer(best.step) }
    record.state.merge(state.progress.state) { _, new in new }
    if state.lastLoss.isFinite { record.state["last_loss"] = .number(state.lastLoss) }
    record.state["sample_shape"] = .text(
      splits.sampleShape.extents.map(String.init).joined(separator: ","))
    record.state["targets"] = .text(splits.targets.recordName)
    return record
  }
}

extension Evaluation {
  /// The evaluation as state of a checkpoint.
  fileprivate var state: [String: RunRecord.Value] {
    var state: [String: RunRecord.Value] = [
      "best_loss": .number(loss), "best_count": .integer(count),
    ]
    if let correct { state["best_correct"] = .integer(correct) }
    return state
  }

  /// Reads back the best evaluation of a checkpoint, if it has one.
  init?(state: [String: RunRecord.Value]) {
    guard case .number(let loss) = state["best_loss"],
      case .integer(let count) = state["best_count"]
    else { return nil }
    var correct: Int?
    if case .integer(let value) = state["best_correct"] { correct = value }
    self.init(loss: loss, correct: correct, count: count)
  }
}

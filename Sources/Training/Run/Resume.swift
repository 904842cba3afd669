// The point at which a run goes on: root finds it and sends it to all ranks.
import Checkpoints
import Communication
import Configuration
import DataParallel
import Digests
import Execution
import Files
import Foundation
import Optimizers
import Runs
import Tensors

/// A run directory that root has opened, with its newest good checkpoint.
final class OpenedRun {
  let run: Run
  /// The folder of its checkpoints; nil until the run begins.
  private var checkpoints: CheckpointFolder?
  /// Tells runs of this command and configuration from others.
  private let kind: String
  private let isFresh: Bool
  /// The microbatches that the run was begun with.
  let begunMicrobatches: Int?
  /// The step of the checkpoint that the run goes on from.
  private(set) var step = 0
  private(set) var checkpointPath: String?
  private(set) var best: (step: Int, evaluation: Evaluation)?
  private(set) var progress = Progress()
  private(set) var lastLoss = Double.nan
  private(set) var notices: [String] = []

  /// Opens the run directory of a request and reads the newest good checkpoint into a replica.
  ///
  /// - Throws: `RunError`, `CheckpointError`, `ConfigurationError`, ``TrainingError`` if the run cannot
  ///   go on with this configuration, data or machine.
  init(
    _ request: TrainingRequest, configuration: RunConfiguration, resolved: ResolvedConfiguration,
    splits: Splits, replica: Replica
  ) throws {
    kind = try OpenedRun.kind(of: request, configuration, resolved)
    if let output = request.output {
      run = try Run(output)
    } else if !request.isFresh,
      let unfinished = try Run.newestUnfinished(in: request.runsFolder, kind: kind)
    {
      run = unfinished
    } else {
      run = try OpenedRun.next(in: request.runsFolder)
    }
    checkpoints = run.checkpoints.map { CheckpointFolder($0) }
    // An earlier run is removed only when this one is known to begin.
    isFresh = request.isFresh
    guard !isFresh else {
      begunMicrobatches = nil
      return
    }
    guard let begun = try run.begunConfiguration() else {
      begunMicrobatches = nil
      return
    }
    begunMicrobatches = begun["microbatches"].flatMap { Int($0) }
    var comparable = resolved
    if configuration.microbatches == nil, let begunMicrobatches {
      comparable = resolved.setting("microbatches", to: .integer(begunMicrobatches))
    }
    do {
      try comparable.requireSame(
        as: begun, source: run.configurationPath, except: configuration.changeableKeys,
        ignoring: RunConfiguration.keysWithoutEffect)
    } catch {
      throw TrainingError.otherConfiguration(error)
    }
    let (checkpoint, skipped) = try filesOfRun { try checkpoints?.newestGood() ?? (nil, []) }
    notices = skipped.map { "skipped a damaged checkpoint: \($0)" }
    guard let checkpoint else {
      // A file that the system refuses to read may be good: no reason to start over.
      for case .file(let error) in skipped where error.code != 0 { throw RunError.file(error) }
      if let first = skipped.first {
        throw TrainingError.noGoodCheckpoint(
          path: run.checkpointsPath, count: skipped.count, first: "\(first)")
      }
      return
    }
    try read(checkpoint, configuration: configuration, splits: splits, into: replica)
  }

  /// Makes the next numbered run; an error names the option that chooses another folder.
  private static func next(in folder: String) throws(RunError) -> Run {
    do throws(RunError) {
      return try Run.next(in: folder)
    } catch {
      guard case .file(let error) = error, error.code != 0 else { throw error }
      throw .file(
        FileError(
          error.path, expected: "\(error.expected), or another by --output", code: error.code))
    }
  }

  /// Returns the kind of a request with a digest of all keys that may not change, so that a run chosen by number
  /// can go on.
  private static func kind(
    of request: TrainingRequest, _ configuration: RunConfiguration,
    _ resolved: ResolvedConfiguration
  ) throws -> String {
    let keys = resolved.differences(
      from: try ResolvedConfiguration(yaml: "{}", source: "nothing"),
      ignoring: configuration.changeableKeys + RunConfiguration.keysWithoutEffect)
    var hash = SHA256()
    hash.update(keys.map { "\($0.path): \($0.lhs ?? "")\n" }.joined())
    return "\(request.kind) \(hash.finalizeHex().prefix(16))"
  }

  private func read(
    _ checkpoint: Checkpoint, configuration: RunConfiguration, splits: Splits,
    into replica: Replica
  ) throws {
    let record = try checkpoint.record()
    let paths = ["train": configuration.data.train, "test": configuration.data.test]
    for (split, fingerprint) in splits.fingerprints {
      guard let begun = record.data[split], begun != fingerprint else { continue }
      var path = paths[split] ?? nil
      if case .file(let file) = configuration.data.validation, split == "validation" { path = file }
      throw TrainingError.dataChanged(
        split: split, path: path ?? split, found: fingerprint, expected: begun)
    }
    for fact in configuration.environment.facts {
      let expected = record.versions[fact.key] ?? "that of an earlier nndist"
      guard expected != fact.value else { continue }
      throw TrainingError.environmentChanged(
        what: fact.name, found: fact.value, expected: expected, path: checkpoint.path)
    }
    try checkpoint.read("parameters", replica.parameterLayout, into: replica.parameters.elements)
    try checkpoint.read("state", replica.stateLayout, into: replica.parameters.elements)
    for (name, slot) in zip(replica.optimizer.rule.slotNames, replica.optimizer.slots) {
      try checkpoint.read("optimizer/\(name)", replica.parameterLayout, into: slot.elements)
    }
    if let average = replica.average {
      try checkpoint.read("average", replica.layout, into: average.elements)
    }
    step = record.step
    checkpointPath = checkpoint.path
    if let evaluation = Evaluation(state: record.state),
      case .integer(let bestStep) = record.state["best_step"]
    {
      best = (bestStep, evaluation)
    }
    progress = Progress(state: record.state)
    if case .number(let loss) = record.state["last_loss"] { lastLoss = loss }
  }

  /// Removes what opening the run directory has made, unless a run has begun there.
  func discard() { run.discard() }

  /// Records that a run without further steps is finished, and why if that was early.
  ///
  /// It may have been killed between its last checkpoint and that record. A run past the last epoch of this
  /// command stays as it is: it goes on with more epochs.
  func noteFinished(_ prepared: PreparedRun) throws(RunError) {
    guard step == prepared.plan.stepCount || prepared.state.progress.isStopped,
      var status = run.status, status.state != .finished
    else { return }
    status.state = .finished
    status.step = step
    status.message = prepared.earlyEnd
    try run.update(status, isDurable: true)
  }

  /// Writes the configuration and opens the records.
  ///
  /// - Throws: `RunError`; the status of a run that has begun says why it stopped.
  func begin(_ prepared: PreparedRun) throws -> RunRecorder {
    if isFresh { try run.clear() }
    do {
      let folder = try run.begin(kind: kind, configuration: prepared.plan.resolved)
      return try RunRecorder(
        run, checkpoints: checkpoints ?? CheckpointFolder(folder), prepared)
    } catch {
      run.noteStopped("\(error)")
      throw error
    }
  }
}

/// Reports the system's refusals about checkpoints as errors of the run, not as bad files that a user named.
///
/// - Throws: `RunError` for a refusal of the system; other errors of `body` as they are.
func filesOfRun<Value>(_ body: () throws -> Value) throws -> Value {
  do {
    return try body()
  } catch CheckpointError.file(let refusal) {
    throw RunError.file(refusal)
  }
}

/// The findings of root in the run directory, for the other ranks.
struct ResumeHeader: Codable {
  var microbatches: Int
  var step: Int
  var runPath: String?
  var checkpointPath: String?
  var progress: Progress
  var notices: [String]

  init(microbatches: Int, opened: OpenedRun?) {
    self.microbatches = microbatches
    step = opened?.step ?? 0
    runPath = opened?.run.path
    checkpointPath = opened?.checkpointPath
    progress = opened?.progress ?? Progress()
    notices = opened?.notices ?? []
  }
}

extension Communicator {
  /// Returns root's header on every rank.
  ///
  /// Collective.
  func broadcast(_ header: ResumeHeader) throws(CommunicationError) -> ResumeHeader {
    var bytes = try agreeingOnFailure { Array(try JSONEncoder().encode(header)) }
    try broadcast(&bytes, from: root)
    let received = bytes
    return try agreeingOnFailure {
      try JSONDecoder().decode(ResumeHeader.self, from: Data(received))
    }
  }
}

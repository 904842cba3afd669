import Checkpoints
public import Communication
import Configuration
public import DataParallel
public import Execution
public import Models
import Optimizers
import Runs
import Tensors

/// What a run is asked to be.
public struct TrainingRequest: Sendable {
  /// Where the configuration is.
  public var configurationPath: String
  /// Overrides of it, each `key.path=value`.
  public var overrides: [String]
  /// The run directory; nil for the newest unfinished run of this kind in `runsFolder`, or a new one.
  public var output: String?
  /// The folder of run directories that are chosen by number.
  public var runsFolder: String
  /// What tells runs of one command from those of another.
  public var kind: String
  /// Whether to start over.
  public var isFresh: Bool
  /// A checkpoint whose parameters a new run begins with.
  public var initialCheckpoint: String?
  /// Whether to stop before the first step, without a run directory.
  public var isDryRun: Bool
  /// What is to be written of the first steps; nil for nothing.
  public var trace: TraceRequest?
  /// The backend that computes; nil for that of the configured device.
  public var backend: (any Backend)?
  /// The configuration itself, where it is no file.
  var configurationText: String?
  /// The model and rows that a program made itself.
  var parts = ProgramParts()
  /// The layers and losses that the configuration may name.
  public var catalog = ModelCatalog.builtIn

  /// Creates a request.
  public init(
    configurationPath: String, overrides: [String] = [], output: String? = nil,
    runsFolder: String = "runs", kind: String, isFresh: Bool = false,
    initialCheckpoint: String? = nil, isDryRun: Bool = false, trace: TraceRequest? = nil,
    backend: (any Backend)? = nil
  ) {
    self.configurationPath = configurationPath
    self.overrides = overrides
    self.output = output
    self.runsFolder = runsFolder
    self.kind = kind
    self.isFresh = isFresh
    self.initialCheckpoint = initialCheckpoint
    self.isDryRun = isDryRun
    self.trace = trace
    self.backend = backend
  }
}

/// One run on all ranks: from a configuration to trained parameters, in a run directory.
///
/// Everything that can be refused is refused when the session is made, before the first step.
public final class TrainingSession {
  /// How a run ended.
  public enum Ending: Sendable {
    /// All epochs are done, or evaluations no longer improve.
    case finished
    /// It was finished before; nothing was done.
    case wasFinished
    /// It stopped on request, after a checkpoint.
    case stopped
  }

  /// What is trained, and how.
  public let plan: TrainingPlan
  /// The rows.
  public let splits: Splits
  /// The run directory; nil in a dry run.
  public let runPath: String?
  /// The threads of this rank that compute microbatches.
  public let workers: Int
  /// The step that the run goes on from; 0 for a new one.
  public let startStep: Int
  /// The checkpoint that the run goes on from.
  public let resumedFrom: String?
  /// What was noticed on the way, one line each.
  public let notices: [String]

  private let communicator: any Communicator
  private let replica: Replica
  private let state = RunState()
  private let recorder: RunRecorder?
  private let trainer: Trainer?

  /// Prepares a run.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - request: What is asked for; the same on all ranks.
  ///   - communicator: The ranks.
  ///   - stopIsRequested: Whether this process was asked to stop; read once a step.
  ///   - report: Told what happens, on every rank.
  /// - Throws: `CommunicationError`, in which failures of all kinds are agreed on by all ranks.
  public init(
    _ request: TrainingRequest, communicator: any Communicator,
    stopIsRequested: @escaping () -> Bool = { false },
    report: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws(CommunicationError) {
    self.communicator = communicator
    var (configuration, resolved) = try communicator.agreeingOnFailure {
      var (configuration, resolved) = try request.readConfiguration()
      if let backend = request.backend { configuration.backend = backend }
      return (configuration, resolved)
    }
    try communicator.agreeingOnFailure { try request.trace?.validate() }
    try communicator.requireSame(
      configuration.backend.environment.description, named: "CPU or library")
    try communicator.requireSame(resolved.yaml, named: "configuration")
    try communicator.agreeingOnFailure { try configuration.requirePrecision() }
    let sharing = try RowSharing(communicator, limit: configuration.sharedMemoryLimit)
    let splits = try sharing.open { open in try Splits.open(configuration, by: open) }
    for (split, fingerprint) in splits.fingerprints {
      try communicator.requireSame(fingerprint, named: "content of \(split) data")
    }
    self.splits = splits
    let network = try communicator.agreeingOnFailure {
      let network = try configuration.network(
        sampleShape: splits.sampleShape, targets: splits.targets)
      try configuration.data.augmentation.requireFit(network)
      try splits.validate(for: network)
      try network.requireTop(configuration.evaluationTop, key: "evaluation.top")
      try network.requireMemory(
        for: configuration.optimizer, isSharded: configuration.isSharded,
        rankCount: communicator.placement.ranksOnHost.count,
        groupSize: configuration.sharedMemoryLimit, dataByteCount: splits.memoryByteCount,
        copyCount: sharing.copyCount)
      return network
    }
    if configuration.parts.model != nil {
      let digest = network.graphDigest
      try communicator.requireSame(digest, named: "graph of the model")
      resolved = resolved.setting(Model.graphKey, to: .string(digest))
    }
    let group = try RankGroup(communicator, limit: configuration.sharedMemoryLimit)
    let replica = try Replica(
      ReplicaLayout(
        network.layout, stateCount: network.states.count,
        ranges: UpdateRanges(network, configuration.optimizer)),
      configuration.optimizer, isSharded: configuration.isSharded, group: group,
      arithmetic: configuration.backend.arithmetic, communicator: communicator)
    self.replica = replica

    // Root looks for what there is to go on with; the others hear of it.
    var opened: OpenedRun?
    var dataNotices: [String] = []
    try communicator.agreeingOnFailure {
      guard communicator.isRoot else { return }
      dataNotices = try splits.notices(for: network, configuration.data)
      guard request.isRecorded else { return }
      opened = try OpenedRun(
        request, configuration: configuration, resolved: resolved, splits: splits,
        replica: replica)
    }
    var header = ResumeHeader(
      microbatches: configuration.microbatches ?? opened?.begunMicrobatches ?? 0, opened: opened)
    header.notices.insert(contentsOf: dataNotices, at: 0)
    header = try communicator.broadcast(header)
    var notices = header.notices
    let chosen = defaultMicrobatches(
      for: network, batchSize: configuration.batchSize, rowCount: splits.train.rowCount)
    let microbatches = header.microbatches > 0 ? header.microbatches : chosen
    if configuration.microbatches == nil, microbatches != chosen {
      notices.append(
        "microbatches: \(microbatches), as the run began, where a new one has \(chosen)")
    }
    let wantedWorkers =
      configuration.workers
      ?? defaultWorkers(
        for: network, batchSize: configuration.batchSize, size: communicator.size,
        cores: communicator.placement.ownCoreCount)
    // A worker without a microbatch only costs memory.
    let division = WorkDivision(groups: group.groups, microbatches: microbatches)
    let busyWorkers = min(wantedWorkers, division.leaves(of: communicator.rank).count)
    let workers = max(1, busyWorkers)
    self.workers = workers
    let hands = try Hands(wanted: wantedWorkers, busy: busyWorkers, communicator)
    // Who sets microbatches and leaves workers to us has asked for no more than there are.
    if configuration.microbatches == nil || configuration.workers != nil,
      let notice = hands.notice(
        microbatches: microbatches, network, batchSize: configuration.batchSize,
        rowCount: splits.train.rowCount)
    {
      notices.append(notice)
    }
    try communicator.requireSame("\(microbatches)", named: "number of microbatches")
    plan = TrainingPlan(
      configuration: configuration,
      resolved: resolved.setting("microbatches", to: .integer(microbatches)), network: network,
      microbatches: microbatches, rowCount: splits.train.rowCount)
    let plan = plan
    do throws(CommunicationError) {
      try communicator.agreeingOnFailure { try plan.requireRows() }
    } catch {
      opened?.discard()
      throw error
    }
    if header.checkpointPath != nil, let path = request.initialCheckpoint {
      notices.append("the run has begun, so \(path) is not read again")
    }
    notices += network.notices(for: splits)
    self.notices = notices
    startStep = header.step
    runPath = header.runPath
    resumedFrom = header.checkpointPath
    state.step = header.step
    state.progress = header.progress

    if header.checkpointPath != nil {
      try replica.distribute()
    } else if let path = request.initialCheckpoint {
      var initial = ""
      do throws(CommunicationError) {
        try communicator.agreeingOnFailure {
          // All ranks read it, so that all find the same fault.
          let parameters =
            replica.isWriter ? replica.parameters : FloatBuffer(count: network.layout.count)
          let checkpoint = try Checkpoint(path)
          try checkpoint.read("parameters", network.parameterLayout, into: parameters.elements)
          try checkpoint.read("state", network.stateLayout, into: parameters.elements)
          if communicator.size > 1 { initial = network.layout.digest(of: parameters) }
        }
        try communicator.requireSame(initial, named: "content of \(path)")
      } catch {
        opened?.discard()
        throw error
      }
    } else {
      let statistics: InputStatistics?
      do throws(CommunicationError) {
        statistics = try InputStatistics.measured(
          splits, configuration.data.normalization, workers: workers, communicator)
      } catch {
        opened?.discard()
        throw error
      }
      if replica.isWriter {
        network.writeInitialValues(into: replica.parameters, seed: configuration.seed)
        statistics?.write(into: replica.parameters, network.layout)
      }
      group.barrier()
    }
    if header.checkpointPath == nil { replica.beginAverage() }
    state.best = opened?.best
    state.lastLoss = opened?.lastLoss ?? .nan

    let hasSteps = startStep < plan.stepCount && !state.progress.isStopped
    guard hasSteps || (startStep == 0 && header.checkpointPath == nil) else {
      recorder = nil
      trainer = nil
      // It may have been killed between its last checkpoint and the note that it is finished.
      // One that is past the last epoch of this command goes on with more epochs.
      if startStep == plan.stepCount || state.progress.isStopped {
        let reason = earlyEnd
        try communicator.agreeingOnFailure { try opened?.noteFinished(reason) }
      }
      return
    }
    let recorder = try communicator.agreeingOnFailure {
      try opened?.begin(
        plan: plan, splits: splits, request: request, rankCount: communicator.size)
    }
    self.recorder = recorder
    trainer = try Trainer(
      plan, splits: splits, replica: replica, state: state, workers: workers, recorder: recorder,
      trace: request.trace, communicator: communicator, stopIsRequested: stopIsRequested,
      report: report)
  }

  /// The memory of parameters, optimiser state, gradients and plans on this rank, in bytes.
  public var byteCount: Int {
    replica.byteCount + (trainer?.workingByteCount ?? 0)
  }

  /// The evaluations after the last step.
  public var evaluations: [NamedEvaluation] { trainer?.lastEvaluations ?? [] }

  /// The best evaluation and the step it is of; on root only.
  public var best: (step: Int, evaluation: Evaluation)? { state.best }

  /// The newest checkpoint; on root only.
  public var checkpointPath: String? { recorder?.lastCheckpointPath ?? resumedFrom }

  /// Where the time went, on this rank.
  public var timing: Timing { trainer?.timing ?? Timing() }

  /// The rank that the others waited for most; nil if there is one alone.
  public var slowestRank: SlowestRank? { trainer?.slowestRank }

  /// The steps taken so far.
  public var step: Int { state.step }

  /// Why the run has ended before its last epoch, if evaluations have ended it.
  public var earlyEnd: String? {
    guard state.progress.isStopped, let stopping = plan.configuration.earlyStopping else {
      return nil
    }
    return stopping.reason(
      state.progress, step: state.step, split: splits.evaluated.first?.split ?? "")
  }

  /// The model with the parameters of this moment, as the last step left them; the same on every rank.
  ///
  /// - Complexity: O(parameters): they are copied.
  public var trainedModel: TrainedModel {
    let parameters = FloatBuffer(count: plan.network.layout.count)
    _ = parameters.elements.update(fromContentsOf: replica.parameters.elements)
    return TrainedModel(
      plan, parameters: parameters, step: step, targets: splits.targets)
  }

  /// Trains until the last epoch, or until a rank is asked to stop.
  ///
  /// Collective.
  ///
  /// - Throws: ``TrainingError`` and whatever reading and writing files throws, as failures that all
  ///   ranks agree on; `CommunicationError`.
  public func run() throws -> Ending {
    guard let trainer else { return .wasFinished }
    do {
      let ending = try trainer.run()
      try communicator.agreeingOnFailure {
        try recorder?.close(
          ending == .finished ? .finished : .stopped, state, message: earlyEnd)
      }
      trainer.countSaving()
      return ending == .finished ? .finished : .stopped
    } catch {
      // Bad numbers stay bad; a full disk or a lost rank may be better next time.
      let status = (error as? any ExitStatusProviding)?.exitStatus
      recorder?.abandon(
        state, message: "\(error)", wouldFailAgain: status == 78 || status == 65)
      throw error
    }
  }
}

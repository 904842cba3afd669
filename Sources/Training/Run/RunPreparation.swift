// From a request to a run that is ready for its next step: each part is a collective call that returns a value.
import Checkpoints
import Communication
import Configuration
import DataParallel
import Execution
import Models
import Optimizers
import Tensors

/// The configuration, rows and model of a run, agreed on by all ranks.
struct RunPreparation {
  let request: TrainingRequest
  let communicator: any Communicator
  let configuration: RunConfiguration
  /// The canonical configuration, with the digest of a model made in Swift.
  private let resolved: ResolvedConfiguration
  let splits: Splits
  let network: Network

  /// Reads the configuration, opens the rows and builds the model.
  ///
  /// Collective.
  ///
  /// - Throws: `CommunicationError`, in which failures of all kinds are agreed on by all ranks.
  init(_ request: TrainingRequest, _ communicator: any Communicator) throws(CommunicationError) {
    self.request = request
    self.communicator = communicator
    let (configuration, resolved) = try request.readConfiguration(on: communicator)
    self.configuration = configuration
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
    self.network = network
    guard configuration.parts.model != nil else {
      self.resolved = resolved
      return
    }
    let digest = network.graphDigest
    try communicator.requireSame(digest, named: "graph of the model")
    self.resolved = resolved.setting(Model.graphKey, to: .string(digest))
  }

  /// Allocates the parameters, which have no values yet, and the state of the optimizer.
  ///
  /// Collective.
  func makeReplica() throws(CommunicationError) -> Replica {
    let group = try RankGroup(communicator, limit: configuration.sharedMemoryLimit)
    return try Replica(
      ReplicaLayout(
        network.layout, stateCount: network.states.count,
        ranges: UpdateRanges(network, configuration.optimizer)),
      configuration.optimizer, isSharded: configuration.isSharded, group: group,
      arithmetic: configuration.backend.arithmetic, communicator: communicator)
  }

  /// Opens the run directory on root and reads its newest good checkpoint into the replica.
  ///
  /// Collective.
  ///
  /// - Returns: The opened run; nil on other ranks, and for runs without a directory.
  func openRun(into replica: Replica) throws(CommunicationError) -> OpenedRun? {
    try communicator.agreeingOnFailure {
      guard communicator.isRoot, request.isRecorded else { return nil }
      return try OpenedRun(
        request, configuration: configuration, resolved: resolved, splits: splits,
        replica: replica)
    }
  }

  /// Returns root's notices about the data; none on other ranks.
  ///
  /// Collective.
  func dataNotices() throws(CommunicationError) -> [String] {
    try communicator.agreeingOnFailure {
      communicator.isRoot ? try splits.notices(for: network, configuration.data) : []
    }
  }

  /// Broadcasts root's findings in the run directory.
  ///
  /// Collective.
  func share(
    _ opened: OpenedRun?, notices: [String]
  ) throws(CommunicationError) -> ResumeHeader {
    var header = ResumeHeader(
      microbatches: configuration.microbatches ?? opened?.begunMicrobatches ?? 0, opened: opened)
    header.notices.insert(contentsOf: notices, at: 0)
    return try communicator.broadcast(header)
  }

  /// Returns the plan of a run of so many microbatches, and refuses one whose rows do not suffice.
  ///
  /// Collective.
  func plan(microbatches: Int) throws(CommunicationError) -> TrainingPlan {
    try communicator.requireSame("\(microbatches)", named: "number of microbatches")
    let plan = TrainingPlan(
      configuration: configuration,
      resolved: resolved.setting("microbatches", to: .integer(microbatches)), network: network,
      microbatches: microbatches, rowCount: splits.train.rowCount)
    try communicator.agreeingOnFailure { try plan.requireRows() }
    return plan
  }

  /// Gives the parameters their values: those of the run's checkpoint, of another one, or initial ones.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - replica: The parameters; if the run goes on, root's hold those of its checkpoint.
  ///   - isResumed: True if the run goes on from a checkpoint of its own.
  ///   - workers: The threads of this rank.
  /// - Throws: `CommunicationError`, agreed failures to read a checkpoint or rows among them.
  func fill(_ replica: Replica, isResumed: Bool, workers: Int) throws(CommunicationError) {
    if isResumed { return try replica.distribute() }
    if let path = request.initialCheckpoint {
      try read(path, into: replica)
    } else {
      let statistics = try InputStatistics.measured(
        splits, configuration.data.normalization, workers: workers, communicator)
      if replica.isWriter {
        network.writeInitialValues(into: replica.parameters, seed: configuration.seed)
        statistics?.write(into: replica.parameters, network.layout)
      }
      replica.group.barrier()
    }
    replica.beginAverage()
  }

  /// Reads the parameters of a checkpoint that need not be of this run.
  private func read(_ path: String, into replica: Replica) throws(CommunicationError) {
    var digest = ""
    try communicator.agreeingOnFailure {
      // All ranks read it, so that all find the same fault.
      let parameters =
        replica.isWriter ? replica.parameters : FloatBuffer(count: network.layout.count)
      let checkpoint = try Checkpoint(path)
      try checkpoint.read("parameters", network.parameterLayout, into: parameters.elements)
      try checkpoint.read("state", network.stateLayout, into: parameters.elements)
      if communicator.size > 1 { digest = network.layout.digest(of: parameters) }
    }
    try communicator.requireSame(digest, named: "content of \(path)")
  }
}

extension TrainingRequest {
  /// Reads the configuration, which must be the same on all ranks, as must CPU and library.
  ///
  /// Collective.
  fileprivate func readConfiguration(
    on communicator: any Communicator
  ) throws(CommunicationError) -> (RunConfiguration, ResolvedConfiguration) {
    let (configuration, resolved) = try communicator.agreeingOnFailure { try readConfiguration() }
    try communicator.agreeingOnFailure { try trace?.validate() }
    try communicator.requireSame(configuration.environment.description, named: "arithmetic")
    try communicator.requireSame(resolved.yaml, named: "configuration")
    try communicator.agreeingOnFailure { try configuration.requirePrecision() }
    return (configuration, resolved)
  }
}

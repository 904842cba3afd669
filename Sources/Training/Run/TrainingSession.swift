public import Communication
public import DataParallel
import Models
import Runs
import Tensors

/// One run on all ranks: from a configuration to trained parameters, in a run directory.
///
/// Everything that can be refused is refused when the session is made, before the first step.
public final class TrainingSession {
  /// The ways in which a run ends without an error.
  public enum Ending: Sendable {
    /// All epochs are done, or evaluations no longer improve.
    case finished
    /// It was finished before; nothing was done.
    case wasFinished
    /// It stopped on request, after a checkpoint.
    case stopped
  }

  /// The run directory; nil in a dry run.
  public let runPath: String?
  /// The step that the run goes on from; 0 for a new one.
  public let startStep: Int
  /// The checkpoint that the run goes on from.
  public let resumedFrom: String?
  /// Remarks on configuration, data and work, one line each.
  public let notices: [String]

  private let prepared: PreparedRun
  private let recorder: RunRecorder?
  private let trainer: Trainer?

  /// Prepares a run.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - request: The run that is asked for; the same on all ranks.
  ///   - communicator: The ranks.
  ///   - stopIsRequested: Returns true once this process was asked to stop; called once a step.
  ///   - report: Called for every event, on every rank.
  /// - Throws: `CommunicationError`, in which failures of all kinds are agreed on by all ranks.
  public init(
    _ request: TrainingRequest, communicator: any Communicator,
    stopIsRequested: @escaping () -> Bool = { false },
    report: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws(CommunicationError) {
    let preparation = try RunPreparation(request, communicator)
    let replica = try preparation.makeReplica()
    let dataNotices = try preparation.dataNotices()
    let opened = try preparation.openRun(into: replica)
    do throws(CommunicationError) {
      let header = try preparation.share(opened, notices: dataNotices)
      let isResumed = header.checkpointPath != nil
      (runPath, resumedFrom, startStep) = (header.runPath, header.checkpointPath, header.step)
      let counts = try WorkCounts(
        preparation, configured: header.microbatches, groups: replica.group.groups)
      let plan = try preparation.plan(microbatches: counts.microbatches)
      notices =
        header.notices + counts.notices + request.notices(isResumed: isResumed)
        + plan.network.notices(for: preparation.splits)
      try preparation.fill(replica, isResumed: isResumed, workers: counts.workers)
      let prepared = PreparedRun(
        plan: plan, splits: preparation.splits, replica: replica,
        state: RunState(header, opened), workers: counts.workers, communicator: communicator)
      self.prepared = prepared
      // A new run without steps still writes its parameters.
      guard prepared.hasSteps || !isResumed else {
        (recorder, trainer) = (nil, nil)
        try communicator.agreeingOnFailure { try opened?.noteFinished(prepared) }
        return
      }
      recorder = try communicator.agreeingOnFailure { try opened?.begin(prepared) }
      trainer = try Trainer(
        prepared, recorder: recorder, trace: request.trace, stopIsRequested: stopIsRequested,
        report: report)
    } catch {
      opened?.discard()
      throw error
    }
  }

  /// The model, the configuration and the numbers of steps.
  public var plan: TrainingPlan { prepared.plan }

  /// The rows.
  public var splits: Splits { prepared.splits }

  /// The threads of this rank that compute microbatches.
  public var workers: Int { prepared.workers }

  /// The memory of parameters, optimiser state, gradients and plans on this rank, in bytes.
  public var byteCount: Int {
    prepared.replica.byteCount + (trainer?.workingByteCount ?? 0)
  }

  /// The evaluations after the last step.
  public var evaluations: [NamedEvaluation] { trainer?.lastEvaluations ?? [] }

  /// The best evaluation and the step it is of; on root only.
  public var best: (step: Int, evaluation: Evaluation)? { prepared.state.best }

  /// The newest checkpoint; on root only.
  public var checkpointPath: String? { recorder?.lastCheckpointPath ?? resumedFrom }

  /// The time spent so far, by phase, on this rank.
  public var timing: Timing { trainer?.timing ?? Timing() }

  /// The rank that the others waited for most; nil if there is one alone.
  public var slowestRank: SlowestRank? { trainer?.slowestRank }

  /// The steps taken so far.
  public var step: Int { prepared.state.step }

  /// The reason for an end before the last epoch, if evaluations have ended the run.
  public var earlyEnd: String? { prepared.earlyEnd }

  /// The model with the parameters of this moment, as the last step left them; the same on every rank.
  ///
  /// - Complexity: O(parameters): they are copied.
  public var trainedModel: TrainedModel {
    let parameters = FloatBuffer(count: plan.network.layout.count)
    _ = parameters.elements.update(fromContentsOf: prepared.replica.parameters.elements)
    return TrainedModel(
      plan, parameters: parameters, step: step, targets: splits.targets)
  }

  /// Trains until the last epoch, or until a rank is asked to stop.
  ///
  /// Collective.
  ///
  /// - Throws: ``TrainingError`` and errors of reading and writing files, as failures that all ranks agree on;
  ///   `CommunicationError`.
  public func run() throws -> Ending {
    guard let trainer else { return .wasFinished }
    do {
      let ending = try trainer.run()
      try prepared.communicator.agreeingOnFailure {
        try recorder?.close(
          ending == .finished ? .finished : .stopped, prepared.state, message: earlyEnd)
      }
      trainer.countSaving()
      return ending == .finished ? .finished : .stopped
    } catch {
      // Bad numbers stay bad; a full disk or a lost rank may be better next time.
      let status = (error as? any ExitStatusProviding)?.exitStatus
      recorder?.abandon(
        prepared.state, message: "\(error)", wouldFailAgain: status == 78 || status == 65)
      throw error
    }
  }
}

import Communication
import DataParallel

/// A run that is ready for its next step: what is trained, the rows, and the parameters with their state.
struct PreparedRun {
  let plan: TrainingPlan
  let splits: Splits
  let replica: Replica
  let state: RunState
  /// The threads of this rank that compute microbatches.
  let workers: Int
  let communicator: any Communicator

  /// Indicates whether steps remain.
  var hasSteps: Bool { state.step < plan.stepCount && !state.progress.isStopped }

  /// The reason for an end before the last epoch, if evaluations have ended the run.
  var earlyEnd: String? {
    guard state.progress.isStopped, let stopping = plan.configuration.earlyStopping else {
      return nil
    }
    return stopping.reason(
      state.progress, step: state.step, split: splits.evaluated.first?.split ?? "")
  }
}

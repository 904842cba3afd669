/// The step of a run and the course of its evaluations; the same on all ranks, but for ``best``.
///
/// Nothing else counts steps: the engine, the optimizer and the records receive the number.
final class RunState {
  /// The steps taken.
  var step: Int
  /// The loss of the last step.
  var lastLoss: Double
  /// The norm of the mean gradient of the last step, where gradients are clipped by norm.
  var lastGradientNorm: Double?
  /// The best evaluation so far, and the step it is of; after a resume on root only.
  var best: (step: Int, evaluation: Evaluation)?
  /// The evaluations that the learning rate and early stopping go by.
  var progress: Progress

  /// Starts where root found that the run goes on; at step 0 if it is new.
  init(_ header: ResumeHeader, _ opened: OpenedRun?) {
    step = header.step
    progress = header.progress
    best = opened?.best
    lastLoss = opened?.lastLoss ?? .nan
  }

  /// Keeps an evaluation if it is the best so far.
  func noteEvaluation(_ evaluation: Evaluation) {
    if let best, !evaluation.isBetter(than: best.evaluation) { return }
    best = (step, evaluation)
  }
}

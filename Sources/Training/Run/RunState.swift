/// The step of a run and what evaluations have made of it; the same on all ranks, but for ``best``.
///
/// Nothing else counts steps: the engine, the optimizer and the records are told.
final class RunState {
  /// The steps taken.
  var step = 0
  /// The loss of the last step.
  var lastLoss = Double.nan
  /// The norm of the mean gradient of the last step, where gradients are clipped by norm.
  var lastGradientNorm: Double?
  /// The best evaluation so far, and the step it is of; after a resume on root only.
  var best: (step: Int, evaluation: Evaluation)?
  /// The evaluations that the learning rate and early stopping go by.
  var progress = Progress()

  /// Keeps an evaluation if it is the best so far.
  func noteEvaluation(_ evaluation: Evaluation) {
    if let best, !evaluation.isBetter(than: best.evaluation) { return }
    best = (step, evaluation)
  }
}

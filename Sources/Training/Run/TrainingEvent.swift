/// What the loop tells those who watch it.
public enum TrainingEvent {
  /// A step was taken.
  case step(_ step: Int, of: Int, epoch: Int, loss: Double)
  /// A split was evaluated.
  case evaluated(split: String, step: Int, epoch: Int, Evaluation)
  /// Evaluations have not improved for a while, and the learning rate is multiplied by `factor` from now
  /// on, all in all.
  case slowed(step: Int, epoch: Int, factor: Double)
  /// A checkpoint was written; on root only.
  case saved(path: String, step: Int)
}

/// An evaluation and the split it is of.
public struct NamedEvaluation: Hashable, Sendable {
  /// The name of the split.
  public let split: String
  /// The result.
  public let evaluation: Evaluation
}

/// An event of the loop.
public enum TrainingEvent {
  /// A step was taken.
  case step(_ step: Int, of: Int, epoch: Int, loss: Double)
  /// A split was evaluated.
  case evaluated(split: String, step: Int, epoch: Int, Evaluation)
  /// Evaluations have not improved for a while; from now on the learning rate has the factor `factor` in all.
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

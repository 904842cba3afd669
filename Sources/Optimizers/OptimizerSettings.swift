public import Tensors

/// The settings of an optimizer: a rule, its step size, penalties, clipping and average.
public struct OptimizerSettings: Hashable, Sendable {
  /// The bound of gradients that are too large.
  public enum Clipping: Hashable, Sendable {
    /// They are taken as they are.
    case none
    /// The mean gradient is multiplied by `min(1, limit / (norm + 10⁻⁶))`, where the norm is over all
    /// parameters. Source: `torch.nn.utils.clip_grad_norm_`.
    case norm(Double)
    /// Every element of the mean gradient is kept within ± the limit.
    case value(Double)
  }

  /// The moving average of the parameters: `a += (1 − decay)(p − a)` after each step.
  public struct Average: Hashable, Sendable {
    /// The share of the average that is kept in a step.
    public var decay: Double
    /// The steps after which it is the parameters themselves.
    public var start: Int

    /// Creates the settings of an average.
    public init(decay: Double, start: Int = 0) {
      self.decay = decay
      self.start = start
    }
  }

  /// The rule.
  public var rule: OptimizerRule
  /// The step size before its schedule, η.
  public var learningRate: Double
  /// The factor of the L1 penalty, the slope of `l1·|p|`: times the signs of parameters, it is added to the gradient.
  public var l1 = 0.0
  /// The kinds of parameters without decay and L1 penalty.
  public var undecayedKinds: Set<ParameterKind> = []
  /// The kinds of parameters without a trust ratio.
  public var kindsWithoutTrustRatio: Set<ParameterKind> = []
  /// The bound of gradients, before penalties are added.
  public var clipping = Clipping.none
  /// The average that is kept beside the parameters, if any.
  public var average: Average?

  /// Creates settings of a rule alone.
  public init(_ rule: OptimizerRule, learningRate: Double) {
    self.rule = rule
    self.learningRate = learningRate
  }

  /// True if a step needs norms before it can change a parameter.
  package var needsNorms: Bool { isClippedByNorm || rule.usesTrustRatio }

  /// True if the norm of the gradient is bounded.
  var isClippedByNorm: Bool {
    if case .norm = clipping { return true }
    return false
  }

  /// The flat vectors beside parameters and gradient: state of the rule, and the average.
  package var vectorCount: Int { rule.slotNames.count + (average == nil ? 0 : 1) }
}

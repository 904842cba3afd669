public import Tensors

/// A rule that changes parameters from their gradient; formulas and defaults of SGD and Adam are
/// PyTorch's, those of LARS and LAMB their papers'.
public enum OptimizerRule: Hashable, Sendable {
  /// Stochastic gradient descent: `g += λp`, `v = μv + g`, `p −= η(g + μv)` with Nesterov's form and
  /// `p −= ηv` without. Source: `torch.optim.SGD`.
  case sgd(momentum: Double, nesterov: Bool, weightDecay: Double)
  /// Adam, with `g += λp`. Source: `torch.optim.Adam`.
  case adam(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double)
  /// Adam with `p −= ηλp` apart from the gradient. Source: `torch.optim.AdamW`.
  case adamW(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double)
  /// Momentum whose step size is multiplied, for each parameter, by `t‖p‖ / (‖g‖ + λ‖p‖)`:
  /// `v = μv + ηr(g + λp)`, `p −= v`.
  /// Source: You, Gitman and Ginsburg (2017), https://arxiv.org/abs/1708.03888.
  case lars(momentum: Double, trust: Double, weightDecay: Double)
  /// Adam whose direction, decay included, is given the length of the parameter: `p −= η‖p‖/‖r‖ r`.
  /// Source: You et al. (2020), https://arxiv.org/abs/1904.00962.
  case lamb(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double)

  /// The names of the vectors that the rule carries from step to step.
  public var slotNames: [String] {
    switch self {
    case .sgd(momentum: 0, _, _): []
    case .sgd, .lars: ["momentum"]
    case .adam, .adamW, .lamb: ["first_moment", "second_moment"]
    }
  }

  /// Whether each parameter has a trust ratio, made of norms.
  public var usesTrustRatio: Bool {
    switch self {
    case .sgd, .adam, .adamW: false
    case .lars, .lamb: true
    }
  }

  /// The factor of the decay, λ.
  public var weightDecay: Double {
    switch self {
    case .sgd(_, _, let weightDecay), .adam(_, _, _, let weightDecay),
      .adamW(_, _, _, let weightDecay), .lars(_, _, let weightDecay),
      .lamb(_, _, _, let weightDecay):
      weightDecay
    }
  }
}

/// How parameters change: a rule, its step size, and what is done about it.
public struct OptimizerSettings: Hashable, Sendable {
  /// How gradients are kept from being too large.
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
    /// The share of the average that is kept.
    public var decay: Double
    /// The steps after which it is the parameters themselves.
    public var start: Int

    /// Creates the settings of an average.
    public init(decay: Double, start: Int = 0) {
      self.decay = decay
      self.start = start
    }
  }

  /// What is done with the gradient.
  public var rule: OptimizerRule
  /// The step size before its schedule, η.
  public var learningRate: Double
  /// The factor of the parameters' signs that is added to the gradient: the slope of `l1·|p|`.
  public var l1 = 0.0
  /// The kinds of parameters without decay and L1 penalty.
  public var undecayedKinds: Set<ParameterKind> = []
  /// The kinds of parameters without a trust ratio.
  public var kindsWithoutTrustRatio: Set<ParameterKind> = []
  /// How gradients are kept from being too large, before penalties are added.
  public var clipping = Clipping.none
  /// The average that is kept beside the parameters, if any.
  public var average: Average?

  /// Creates settings of a rule alone.
  public init(_ rule: OptimizerRule, learningRate: Double) {
    self.rule = rule
    self.learningRate = learningRate
  }

  /// Whether a step needs norms before it can change a parameter.
  package var needsNorms: Bool {
    if case .norm = clipping { return true }
    return rule.usesTrustRatio
  }

  /// The flat vectors beside parameters and gradient: state of the rule, and the average.
  package var vectorCount: Int { rule.slotNames.count + (average == nil ? 0 : 1) }
}

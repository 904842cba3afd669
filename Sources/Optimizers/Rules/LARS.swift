import Configuration
public import Execution
public import Numerics

/// Momentum whose step size is multiplied, for each parameter, by `t‖p‖ / (‖g‖ + λ‖p‖)`:
/// `v = μv + ηr(g + λp)`, `p −= v`.
///
/// Source: You, Gitman and Ginsburg (2017), https://arxiv.org/abs/1708.03888.
public struct LARS: TrustRatioRule {
  /// The factor of the momentum, μ.
  public let momentum: Double
  /// The factor of all trust ratios, t.
  public let trust: Double
  /// The factor of the decay, λ.
  public let weightDecay: Double

  /// The momentum.
  public var slotNames: [String] { ["momentum"] }

  /// Takes one step.
  public func change(
    _ elements: UpdatedElements, step: Int, _ factors: UpdateFactors,
    by arithmetic: any FlatArithmetic
  ) { arithmetic.lars(elements, momentum: momentum, factors) }

  /// Returns `t‖p‖ / (‖g‖ + λ‖p‖)`, or 1 where either norm is 0.
  public func trustRatio(update: Double, parameters: Double, weightDecay: Double) -> Double {
    guard update > 0, parameters > 0 else { return 1 }
    return trust * parameters / (update + weightDecay * parameters)
  }
}

extension OptimizerRule {
  /// Momentum with a trust ratio per parameter.
  public static func lars(momentum: Double, trust: Double, weightDecay: Double) -> OptimizerRule {
    OptimizerRule(LARS(momentum: momentum, trust: trust, weightDecay: weightDecay))
  }
}

extension LARS {
  static let kind = RuleKind(
    name: "lars", meaning: "momentum with a trust ratio per parameter", learningRate: 1
  ) { (section) throws(ConfigurationError) in
    .lars(
      momentum: try section.readMomentum(),
      trust: try section.number(
        "trust", default: 0.001, in: .positive, meaning: "factor of all trust ratios, η"),
      weightDecay: try section.readWeightDecay(default: 0))
  }
}

import Configuration
public import Execution
public import Numerics

/// Stochastic gradient descent: `g += λp`, `v = μv + g`, `p −= η(g + μv)` with Nesterov's form and
/// `p −= ηv` without.
///
/// Source: `torch.optim.SGD`.
public struct SGD: UpdateRule {
  /// The factor of the momentum, μ; 0 for none.
  public let momentum: Double
  /// True for Nesterov's form.
  public let nesterov: Bool
  /// The factor of the decay, λ.
  public let weightDecay: Double

  /// The momentum, if there is any.
  public var slotNames: [String] { momentum == 0 ? [] : ["momentum"] }

  /// Takes one step.
  public func change(
    _ elements: UpdatedElements, step: Int, _ factors: UpdateFactors,
    by arithmetic: any FlatArithmetic
  ) {
    arithmetic.sgd(
      elements, momentum: momentum == 0 ? nil : momentum, nesterov: nesterov, factors)
  }
}

extension OptimizerRule {
  /// Stochastic gradient descent.
  public static func sgd(momentum: Double, nesterov: Bool, weightDecay: Double) -> OptimizerRule {
    OptimizerRule(SGD(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay))
  }
}

extension SGD {
  static let kind = RuleKind(
    name: "sgd", meaning: "gradient descent with momentum", learningRate: 0.1
  ) { (section) throws(ConfigurationError) in
    let momentum = try section.readMomentum()
    let nesterov = try section.boolean(
      "nesterov", default: false, meaning: "whether momentum looks ahead")
    if nesterov, momentum == 0, !section.isListing {
      throw section.unusable("nesterov", found: "true", expected: "false with momentum 0")
    }
    return .sgd(
      momentum: momentum, nesterov: nesterov,
      weightDecay: try section.readWeightDecay(default: 0))
  }
}

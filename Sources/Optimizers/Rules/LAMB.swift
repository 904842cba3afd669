import Configuration
public import Execution
public import Numerics

/// Adam whose direction, decay included, is given the length of the parameter: `p −= η‖p‖/‖r‖ r`.
///
/// Source: You et al. (2020), https://arxiv.org/abs/1904.00962.
public struct LAMB: DirectionRule {
  /// The averages of gradients and their squares.
  public let averages: MomentAverages
  /// The factor of the decay, λ.
  public let weightDecay: Double

  /// The averages of gradients and of their squares.
  public var slotNames: [String] { MomentAverages.slotNames }

  /// Advances the averages.
  public func advance(
    _ elements: UpdatedElements, step: Int, _ factors: UpdateFactors,
    by arithmetic: any FlatArithmetic
  ) -> SquareSums {
    arithmetic.lambMoments(ofBlock: elements, averages.moments(step: step), factors)
  }

  /// Moves parameters along the direction.
  public func change(
    _ elements: UpdatedElements, step: Int, _ factors: UpdateFactors,
    by arithmetic: any FlatArithmetic
  ) { arithmetic.lamb(elements, averages.moments(step: step), factors) }

  /// Returns `‖p‖ / ‖r‖`, or 1 where either norm is 0.
  public func trustRatio(update: Double, parameters: Double, weightDecay: Double) -> Double {
    update > 0 && parameters > 0 ? parameters / update : 1
  }
}

extension OptimizerRule {
  /// Adam with a trust ratio per parameter.
  public static func lamb(
    beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double
  ) -> OptimizerRule {
    let averages = MomentAverages(beta1: beta1, beta2: beta2, epsilon: epsilon)
    return OptimizerRule(LAMB(averages: averages, weightDecay: weightDecay))
  }
}

extension LAMB {
  static let kind = RuleKind(
    name: "lamb", meaning: "Adam with a trust ratio per parameter", learningRate: 0.001
  ) { (section) throws(ConfigurationError) in
    let averages = try MomentAverages.read(section, epsilon: 1e-6)
    return OptimizerRule(
      LAMB(averages: averages, weightDecay: try section.readWeightDecay(default: 0.01)))
  }
}

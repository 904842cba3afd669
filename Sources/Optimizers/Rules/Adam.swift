import Configuration
public import Execution
public import Numerics

/// Adam, with `g += λp`, or AdamW, with `p −= ηλp` apart from the gradient.
///
/// Source: `torch.optim.Adam` and `torch.optim.AdamW`.
public struct Adam: UpdateRule {
  /// The averages of gradients and their squares.
  public let averages: MomentAverages
  /// The factor of the decay, λ.
  public let weightDecay: Double
  /// True for AdamW.
  public let isDecoupled: Bool

  /// The averages of gradients and of their squares.
  public var slotNames: [String] { MomentAverages.slotNames }

  /// Takes one step.
  public func change(
    _ elements: UpdatedElements, step: Int, _ factors: UpdateFactors,
    by arithmetic: any FlatArithmetic
  ) {
    arithmetic.adam(
      elements, moments: averages.moments(step: step), decoupled: isDecoupled, factors)
  }
}

/// The averages that Adam and LAMB keep: their decay, and what keeps divisors from 0.
public struct MomentAverages: Hashable, Sendable {
  /// The decay of the average of gradients, β₁.
  public let beta1: Double
  /// The decay of the average of their squares, β₂.
  public let beta2: Double
  /// The number added to the root of squares, ε.
  public let epsilon: Double

  static let slotNames = ["first_moment", "second_moment"]

  /// The averages in one step.
  func moments(step: Int) -> AdamMoments {
    AdamMoments(step: step, beta1: beta1, beta2: beta2, epsilon: epsilon)
  }

  static func read(
    _ section: Section, epsilon: Double
  ) throws(ConfigurationError) -> MomentAverages {
    MomentAverages(
      beta1: try section.number(
        "beta1", default: 0.9, in: .belowOne, meaning: "decay of the mean of gradients"),
      beta2: try section.number(
        "beta2", default: 0.999, in: .belowOne, meaning: "decay of the mean of squares"),
      epsilon: try section.number(
        "epsilon", default: epsilon, in: .nonNegative, meaning: "added to the root of squares"))
  }
}

extension OptimizerRule {
  /// Adam, with the decay in the gradient.
  public static func adam(
    beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double
  ) -> OptimizerRule {
    let averages = MomentAverages(beta1: beta1, beta2: beta2, epsilon: epsilon)
    return OptimizerRule(Adam(averages: averages, weightDecay: weightDecay, isDecoupled: false))
  }

  /// Adam, with the decay apart from the gradient.
  public static func adamW(
    beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double
  ) -> OptimizerRule {
    let averages = MomentAverages(beta1: beta1, beta2: beta2, epsilon: epsilon)
    return OptimizerRule(Adam(averages: averages, weightDecay: weightDecay, isDecoupled: true))
  }
}

extension Adam {
  static let kind = kind("adam", meaning: "Adam", isDecoupled: false, weightDecay: 0)
  static let decoupledKind = kind(
    "adamw", meaning: "Adam with decay apart from the gradient", isDecoupled: true,
    weightDecay: 0.01)

  private static func kind(
    _ name: String, meaning: String, isDecoupled: Bool, weightDecay: Double
  ) -> RuleKind {
    RuleKind(name: name, meaning: meaning, learningRate: 0.001) {
      (section) throws(ConfigurationError) in
      let averages = try MomentAverages.read(section, epsilon: 1e-8)
      return OptimizerRule(
        Adam(
          averages: averages, weightDecay: try section.readWeightDecay(default: weightDecay),
          isDecoupled: isDecoupled))
    }
  }
}

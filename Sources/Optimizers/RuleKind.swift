// Rules as configurations name them.
import Configuration

/// A rule as configurations name it.
struct RuleKind: Sendable {
  /// Every rule, in the order of listings: the only list of them.
  static let all: [RuleKind] = [SGD.kind, Adam.kind, Adam.decoupledKind, LARS.kind, LAMB.kind]

  /// The name in configurations.
  let name: String
  /// The meaning, in a few words.
  let meaning: String
  /// The step size without a key.
  let learningRate: Double
  /// Reads the keys that only this rule has, and the decay.
  let read: @Sendable (Section) throws(ConfigurationError) -> OptimizerRule
}

extension Section {
  /// Reads the factor of a momentum.
  func readMomentum() throws(ConfigurationError) -> Double {
    try number(
      "momentum", default: 0.9, in: .belowOne, meaning: "share of the last change kept")
  }

  /// Reads the factor of the decay.
  func readWeightDecay(default value: Double) throws(ConfigurationError) -> Double {
    try number(
      "weight_decay", default: value, in: .nonNegative,
      meaning: "decay, λ; the loss that is reported is without penalties")
  }
}

// Optimizers as configurations write them.
package import Configuration
import Tensors

extension OptimizerSettings {
  /// Reads the keys `optimizer`, `train.clip` and `average`.
  package static func read(from root: Section) throws(ConfigurationError) -> OptimizerSettings {
    var settings = try root.oneOf(
      "optimizer", RuleKind.all.map(alternative), default: "sgd", keysBeside: ["sharded"],
      meaning: "how parameters change")
    settings.clipping = try readClipping(root.section("train").section("clip", shorthand: "norm"))
    settings.average = try readAverage(root.section("average", shorthand: "decay"))
    return settings
  }

  /// A rule by its name, with the keys of all rules.
  private static func alternative(_ kind: RuleKind) -> Alternative<OptimizerSettings> {
    Alternative(kind.name, primary: "learning_rate", meaning: kind.meaning) {
      (section) throws(ConfigurationError) in
      let learningRate = try section.number(
        "learning_rate", default: kind.learningRate, in: .nonNegative, meaning: "step size, η")
      return try penalized(section, try kind.read(section), learningRate)
    }
  }

  /// Reads the keys of all rules: the L1 penalty, and the kinds of parameters that are left out of something.
  private static func penalized(
    _ section: Section, _ rule: OptimizerRule, _ learningRate: Double
  ) throws(ConfigurationError) -> OptimizerSettings {
    let small: [ParameterKind] = [.bias, .normalization]
    var settings = OptimizerSettings(rule, learningRate: learningRate)
    settings.l1 = try section.number(
      "l1", default: 0, in: .nonNegative,
      meaning: "factor of the signs of parameters in the gradient: the L1 penalty")
    settings.undecayedKinds = try readKinds(
      "no_decay", from: section, default: rule.usesTrustRatio ? small : [],
      meaning: "kinds of parameters without weight_decay and l1")
    if rule.usesTrustRatio {
      settings.kindsWithoutTrustRatio = try readKinds(
        "no_adaptation", from: section, default: small,
        meaning: "kinds of parameters without a trust ratio")
    }
    return settings
  }

  private static func readKinds(
    _ key: String, from section: Section, default kinds: [ParameterKind], meaning: String
  ) throws(ConfigurationError) -> Set<ParameterKind> {
    let words = try section.words(
      key, ParameterKind.allCases.map(\.rawValue), default: kinds.map(\.rawValue),
      meaning: meaning)
    return Set(ParameterKind.allCases.filter { words.contains($0.rawValue) })
  }

  private static func readClipping(_ section: Section) throws(ConfigurationError) -> Clipping {
    let norm = try section.optionalNumber(
      "norm", in: .positive, unset: "none",
      meaning: "largest norm of the mean gradient of all parameters; a larger one is scaled down")
    let value = try section.optionalNumber(
      "value", in: .positive, unset: "none",
      meaning: "largest magnitude of an element of the mean gradient")
    guard let value else { return norm.map { .norm($0) } ?? .none }
    guard norm == nil else {
      throw section.unusable("value", found: "\(value)", expected: "nothing beside norm")
    }
    return .value(value)
  }

  private static func readAverage(_ section: Section) throws(ConfigurationError) -> Average? {
    let decay = try section.optionalNumber(
      "decay", in: .belowOne, unset: "none",
      meaning:
        "share kept of a moving average of the parameters, which is what is then evaluated")
    let start = try section.integer(
      "start", default: 0, in: .nonNegative,
      meaning: "steps after which the average is the parameters themselves")
    guard let decay else {
      guard start == 0 || section.isListing else {
        throw section.unusable("start", found: "\(start)", expected: "a decay beside it")
      }
      return nil
    }
    return Average(decay: decay, start: start)
  }
}

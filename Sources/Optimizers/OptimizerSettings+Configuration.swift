// Optimisers as configurations write them.
package import Configuration
import Tensors

extension OptimizerSettings {
  /// Reads the keys `optimizer`, `train.clip` and `average`.
  package static func read(from root: Section) throws(ConfigurationError) -> OptimizerSettings {
    var settings = try root.oneOf(
      "optimizer",
      [
        Alternative("sgd", primary: "learning_rate", meaning: "gradient descent with momentum") {
          (section) throws(ConfigurationError) in try readSGD(section)
        },
        Alternative("adam", primary: "learning_rate", meaning: "Adam") {
          (section) throws(ConfigurationError) in try readAdam(section, isDecoupled: false)
        },
        Alternative(
          "adamw", primary: "learning_rate", meaning: "Adam with decay apart from the gradient"
        ) { (section) throws(ConfigurationError) in try readAdam(section, isDecoupled: true) },
        Alternative(
          "lars", primary: "learning_rate", meaning: "momentum with a trust ratio per parameter"
        ) { (section) throws(ConfigurationError) in try readLARS(section) },
        Alternative(
          "lamb", primary: "learning_rate", meaning: "Adam with a trust ratio per parameter"
        ) { (section) throws(ConfigurationError) in try readLAMB(section) },
      ], default: "sgd", keysBeside: ["sharded"], meaning: "how parameters change")
    settings.clipping = try readClipping(root.section("train").section("clip", shorthand: "norm"))
    settings.average = try readAverage(root.section("average", shorthand: "decay"))
    return settings
  }

  private static func readSGD(
    _ section: Section
  ) throws(ConfigurationError) -> OptimizerSettings {
    let learningRate = try readLearningRate(section, default: 0.1)
    let momentum = try readMomentum(section)
    let nesterov = try section.boolean(
      "nesterov", default: false, meaning: "whether momentum looks ahead")
    if nesterov, momentum == 0, !section.isListing {
      throw section.unusable("nesterov", found: "true", expected: "false with momentum 0")
    }
    let weightDecay = try readWeightDecay(section, default: 0)
    return try penalized(
      section, .sgd(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay),
      learningRate)
  }

  private static func readAdam(
    _ section: Section, isDecoupled: Bool
  ) throws(ConfigurationError) -> OptimizerSettings {
    let learningRate = try readLearningRate(section, default: 0.001)
    let (beta1, beta2, epsilon) = try readMoments(section, epsilon: 1e-8)
    let weightDecay = try readWeightDecay(section, default: isDecoupled ? 0.01 : 0)
    let rule: OptimizerRule =
      isDecoupled
      ? .adamW(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
      : .adam(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    return try penalized(section, rule, learningRate)
  }

  private static func readLARS(
    _ section: Section
  ) throws(ConfigurationError) -> OptimizerSettings {
    let learningRate = try readLearningRate(section, default: 1)
    let momentum = try readMomentum(section)
    let trust = try section.number(
      "trust", default: 0.001, in: .positive, meaning: "factor of all trust ratios, η")
    let weightDecay = try readWeightDecay(section, default: 0)
    return try penalized(
      section, .lars(momentum: momentum, trust: trust, weightDecay: weightDecay), learningRate)
  }

  private static func readLAMB(
    _ section: Section
  ) throws(ConfigurationError) -> OptimizerSettings {
    let learningRate = try readLearningRate(section, default: 0.001)
    let (beta1, beta2, epsilon) = try readMoments(section, epsilon: 1e-6)
    let weightDecay = try readWeightDecay(section, default: 0.01)
    return try penalized(
      section, .lamb(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay),
      learningRate)
  }

  /// Reads what all rules have: the L1 penalty, and which parameters something does not concern.
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

  private static func readMomentum(_ section: Section) throws(ConfigurationError) -> Double {
    try section.number(
      "momentum", default: 0.9, in: .belowOne, meaning: "share of the last change kept")
  }

  private static func readMoments(
    _ section: Section, epsilon: Double
  ) throws(ConfigurationError) -> (beta1: Double, beta2: Double, epsilon: Double) {
    (
      try section.number(
        "beta1", default: 0.9, in: .belowOne, meaning: "decay of the mean of gradients"),
      try section.number(
        "beta2", default: 0.999, in: .belowOne, meaning: "decay of the mean of squares"),
      try section.number(
        "epsilon", default: epsilon, in: .nonNegative, meaning: "added to the root of squares")
    )
  }

  private static func readLearningRate(
    _ section: Section, default value: Double
  ) throws(ConfigurationError) -> Double {
    try section.number("learning_rate", default: value, in: .nonNegative, meaning: "step size, η")
  }

  private static func readWeightDecay(
    _ section: Section, default value: Double
  ) throws(ConfigurationError) -> Double {
    try section.number(
      "weight_decay", default: value, in: .nonNegative,
      meaning: "decay, λ; the loss that is reported is without penalties")
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

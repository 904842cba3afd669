// Optimisers as configurations write them.
import Configuration

extension OptimizerRule {
  /// Reads the rule and its step size.
  static func read(
    from root: Section
  ) throws(ConfigurationError) -> (rule: OptimizerRule, learningRate: Double) {
    try root.oneOf(
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
      ], default: "sgd", keysBeside: ["sharded"], meaning: "how parameters change")
  }

  private static func readSGD(
    _ section: Section
  ) throws(ConfigurationError) -> (rule: OptimizerRule, learningRate: Double) {
    let learningRate = try readLearningRate(section, default: 0.1)
    let momentum = try section.number(
      "momentum", default: 0.9, in: .belowOne, meaning: "share of the last change kept")
    let nesterov = try section.boolean(
      "nesterov", default: false, meaning: "whether momentum looks ahead")
    if nesterov, momentum == 0, !section.isListing {
      throw section.unusable("nesterov", found: "true", expected: "false with momentum 0")
    }
    let weightDecay = try readWeightDecay(section, default: 0)
    return (.sgd(momentum: momentum, nesterov: nesterov, weightDecay: weightDecay), learningRate)
  }

  private static func readAdam(
    _ section: Section, isDecoupled: Bool
  ) throws(ConfigurationError) -> (rule: OptimizerRule, learningRate: Double) {
    let learningRate = try readLearningRate(section, default: 0.001)
    let beta1 = try section.number(
      "beta1", default: 0.9, in: .belowOne, meaning: "decay of the mean of gradients")
    let beta2 = try section.number(
      "beta2", default: 0.999, in: .belowOne, meaning: "decay of the mean of squares")
    let epsilon = try section.number(
      "epsilon", default: 1e-8, in: .nonNegative, meaning: "added to the root of squares")
    let weightDecay = try readWeightDecay(section, default: isDecoupled ? 0.01 : 0)
    let rule: OptimizerRule =
      isDecoupled
      ? .adamW(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
      : .adam(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    return (rule, learningRate)
  }

  private static func readLearningRate(
    _ section: Section, default value: Double
  ) throws(ConfigurationError) -> Double {
    try section.number("learning_rate", default: value, in: .nonNegative, meaning: "step size, η")
  }

  private static func readWeightDecay(
    _ section: Section, default value: Double
  ) throws(ConfigurationError) -> Double {
    try section.number("weight_decay", default: value, in: .nonNegative, meaning: "decay, λ")
  }
}

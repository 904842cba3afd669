import Configuration
import Numerics

/// How the step size changes over a run: a pure function of the epochs done, so a run that goes on
/// needs to remember nothing.
///
/// The end of a schedule is a number of its own and not the epochs of the run, which may be raised
/// later.
public struct LearningRateSchedule: Hashable, Sendable {
  /// The shape of the curve, as a factor of the configured learning rate.
  public enum Shape: Hashable, Sendable {
    /// Always 1.
    case constant
    /// From 1 to `last` along half a cosine over `epochs`, then `last`.
    /// Source: Loshchilov and Hutter (2017), https://arxiv.org/abs/1608.03983.
    case cosine(epochs: Double, last: Double)
    /// From 1 to `last` along a line over `epochs`, then `last`.
    case linear(epochs: Double, last: Double)
    /// Times `factor` after every `epochs`.
    case step(epochs: Double, factor: Double)
  }

  /// The shape of the curve.
  public let shape: Shape
  /// The epochs over which the factor first rises from 0 along a line.
  public let warmupEpochs: Double

  /// Creates a schedule.
  public init(_ shape: Shape = .constant, warmupEpochs: Double = 0) {
    self.shape = shape
    self.warmupEpochs = warmupEpochs
  }

  /// The factor of the learning rate for a step.
  ///
  /// - Parameters:
  ///   - step: The number of the step, from 1.
  ///   - stepsPerEpoch: The steps of an epoch.
  /// - Returns: The factor, 0 or more.
  /// - Complexity: O(epochs) for steps, else O(1); no libm, so the same bits everywhere.
  public func factor(step: Int, stepsPerEpoch: Int) -> Double {
    let epochs = Double(step - 1) / Double(stepsPerEpoch)
    let warmup = warmupEpochs * Double(stepsPerEpoch)
    let rise = warmup > 0 ? min(1, Double(step) / warmup) : 1
    switch shape {
    case .constant: return rise
    case .cosine(let horizon, let last):
      let turns = 0.5 * min(1, epochs / horizon)
      return rise * (last + (1 - last) * 0.5 * (1 + Elementary.cosine(turns: turns)))
    case .linear(let horizon, let last):
      return rise * (1 + (last - 1) * min(1, epochs / horizon))
    case .step(let every, let factor):
      var result = rise
      for _ in 0..<Int(min(epochs / every, 10_000)) { result *= factor }
      return result
    }
  }
}

extension LearningRateSchedule {
  /// Reads the key `schedule`.
  static func read(from root: Section) throws(ConfigurationError) -> LearningRateSchedule {
    try root.oneOf(
      "schedule",
      [
        Alternative("constant", meaning: "the same in all steps") {
          (section) throws(ConfigurationError) in
          LearningRateSchedule(.constant, warmupEpochs: try readWarmup(section))
        },
        Alternative("cosine", primary: "epochs", meaning: "down along half a cosine") {
          (section) throws(ConfigurationError) in
          let (epochs, last) = try readDescent(section)
          return LearningRateSchedule(
            .cosine(epochs: epochs, last: last), warmupEpochs: try readWarmup(section))
        },
        Alternative("linear", primary: "epochs", meaning: "down along a line") {
          (section) throws(ConfigurationError) in
          let (epochs, last) = try readDescent(section)
          return LearningRateSchedule(
            .linear(epochs: epochs, last: last), warmupEpochs: try readWarmup(section))
        },
        Alternative("step", primary: "epochs", meaning: "times a factor every so many epochs") {
          (section) throws(ConfigurationError) in
          let epochs = try section.number(
            // Changes are counted one by one.
            "epochs", in: .between(0.01, 1e9), meaning: "epochs from one change to the next")
          let factor = try section.number(
            "factor", default: 0.1, in: .between(0, 1), meaning: "factor of each change")
          return LearningRateSchedule(
            .step(epochs: epochs, factor: factor), warmupEpochs: try readWarmup(section))
        },
      ], default: "constant", meaning: "how the learning rate changes")
  }

  private static func readDescent(
    _ section: Section
  ) throws(ConfigurationError) -> (epochs: Double, last: Double) {
    (
      try section.number("epochs", in: .positive, meaning: "epochs until the last factor"),
      try section.number(
        "last", default: 0, in: .between(0, 1), meaning: "last factor of the learning rate")
    )
  }

  private static func readWarmup(_ section: Section) throws(ConfigurationError) -> Double {
    try section.number(
      "warmup", default: 0, in: .nonNegative, meaning: "epochs of a first rise from 0")
  }
}

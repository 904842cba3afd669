import Numerics

/// The factor of the step size over a run: a pure function of the epochs done, so that a resumed run
/// needs nothing but, for ``Shape/plateau(_:)``, its evaluations.
///
/// The end of a schedule is a number of its own and not the epochs of the run, which may be raised
/// later. Formulas are PyTorch's (`torch.optim.lr_scheduler`), at the steps of an epoch too where these
/// are curves.
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
    /// From 1 to `last` along the power of a line over `epochs`, then `last`.
    case polynomial(epochs: Double, power: Double, last: Double)
    /// `factor` to the power of the epochs done.
    case exponential(factor: Double)
    /// Times `factor` after every `epochs`.
    case step(epochs: Double, factor: Double)
    /// Times `factor` after each of `epochs`, which ascend.
    case multiStep(epochs: [Double], factor: Double)
    /// Up and down once.
    case oneCycle(OneCycle)
    /// Times a factor whenever evaluations have not improved for a while.
    case plateau(Plateau)
  }

  /// From `first` up to 1 and then down to `last`, momentum as it is.
  ///
  /// Source: Smith and Topin (2018), https://arxiv.org/abs/1708.07120; `OneCycleLR` of PyTorch.
  public struct OneCycle: Hashable, Sendable {
    /// The epochs of the whole cycle.
    public var epochs: Double
    /// The share of the cycle in which the factor rises.
    public var rise: Double
    /// The factor of the first step.
    public var first: Double
    /// The factor of the last step, and after it.
    public var last: Double
    /// True if both ways are lines instead of half cosines.
    public var isLinear: Bool

    /// Creates a cycle.
    public init(
      epochs: Double, rise: Double = 0.3, first: Double = 0.04, last: Double = 4e-6,
      isLinear: Bool = false
    ) {
      self.epochs = epochs
      self.rise = rise
      self.first = first
      self.last = last
      self.isLinear = isLinear
    }

    fileprivate func factor(step: Int, stepsPerEpoch: Int) -> Double {
      // The first and the last step are the ends, as in PyTorch.
      let end = max(epochs * Double(stepsPerEpoch) - 1, 0)
      let top = rise * (end + 1) - 1
      let done = min(Double(step - 1), end)
      if done <= top { return between(first, 1, done, of: top) }
      return between(1, last, done - max(top, 0), of: end - max(top, 0))
    }

    private func between(_ a: Double, _ b: Double, _ done: Double, of all: Double) -> Double {
      let share = all > 0 ? done / all : 1
      if isLinear { return a + (b - a) * share }
      return b + (a - b) * 0.5 * (1 + Elementary.cosine(turns: 0.5 * share))
    }
  }

  /// The shape of the curve.
  public let shape: Shape
  /// The epochs over which the factor first rises from 0 along a line, while the curve begins.
  public let warmupEpochs: Double

  /// Creates a schedule.
  public init(_ shape: Shape = .constant, warmupEpochs: Double = 0) {
    self.shape = shape
    self.warmupEpochs = warmupEpochs
  }

  /// The rule by which evaluations reduce the learning rate, if there is one.
  package var plateau: Plateau? {
    guard case .plateau(let plateau) = shape else { return nil }
    return plateau
  }

  /// Returns the factor of the learning rate for a step, without the effect of evaluations.
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
    case .constant, .plateau: return rise
    case .cosine(let horizon, let last):
      let turns = 0.5 * min(1, epochs / horizon)
      return rise * (last + (1 - last) * 0.5 * (1 + Elementary.cosine(turns: turns)))
    case .linear(let horizon, let last):
      return rise * (1 + (last - 1) * min(1, epochs / horizon))
    case .polynomial(let horizon, let power, let last):
      let left = 1 - min(1, epochs / horizon)
      return rise * (last + (1 - last) * Elementary.exp(power * Elementary.log(left)))
    case .exponential(let factor):
      return rise * Elementary.exp(epochs * Elementary.log(factor))
    case .step(let every, let factor):
      return times(Int(min(epochs / every, 10_000)), factor, rise)
    case .multiStep(let milestones, let factor):
      return times(milestones.count { $0 <= epochs }, factor, rise)
    case .oneCycle(let cycle):
      return rise * cycle.factor(step: step, stepsPerEpoch: stepsPerEpoch)
    }
  }

  private func times(_ count: Int, _ factor: Double, _ start: Double) -> Double {
    var result = start
    for _ in 0..<count { result *= factor }
    return result
  }
}

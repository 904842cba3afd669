package import Execution
import Numerics
public import Tensors

/// A rule with its state: one flat vector per slot, of the layout of the parameters.
///
/// A step is one pass over the elements, or, where norms are needed first, several: after each, all ranks
/// exchange the ``PieceSums`` of the elements that they own.
public final class Optimizer {
  /// One pass over the elements in a step.
  package enum Pass: Hashable {
    /// Adds up the squares of gradients, and of parameters.
    case measureGradient
    /// Advances the state of a ``DirectionRule`` and adds up the squares of its direction, and of parameters.
    case measureDirection
    /// Changes the parameters.
    case change

    /// The round of its sums.
    package var round: Int { self == .measureDirection ? 1 : 0 }
  }

  /// The numbers of one step.
  package struct Step {
    /// One over the summed weight: the factor that turns a sum over rows into the mean.
    let scale: Double
    /// The factor of the sum of gradients: `scale`, times the factor of clipping.
    var gradientScale: Double
    /// The number of the step, from 1.
    package let number: Int
    /// The factor of the step size in this step.
    let rateFactor: Double
    /// One over the number of rows, which running averages follow.
    let rowScale: Double

    /// Creates the numbers of a step.
    package init(scale: Double, number: Int, rateFactor: Double = 1, rowScale: Double = 1) {
      self.scale = scale
      gradientScale = scale
      self.number = number
      self.rateFactor = rateFactor
      self.rowScale = rowScale
    }
  }

  /// The settings.
  public let settings: OptimizerSettings
  /// The rule.
  public var rule: OptimizerRule { settings.rule }
  /// The action of a step on each range of elements.
  public let ranges: UpdateRanges
  /// The state, in the order of ``UpdateRule/slotNames``; zero before the first step.
  public let slots: [FloatBuffer]
  /// The passes of a step, in order.
  package let passes: [Pass]
  let arithmetic: any FlatArithmetic
  /// Sums over elements; nil where none are needed.
  package let sums: PieceSums?
  /// The rule once more, as what it can do beyond changing parameters; nil where it cannot.
  let trustRatioRule: (any TrustRatioRule)?
  let directionRule: (any DirectionRule)?
  /// The arrays with a trust ratio, and true for those that decay.
  private let trustedArrays: [(array: Int, isDecayed: Bool)]
  /// The trust ratio of each array in this step; 1 for arrays without.
  private let trustRatios: UnsafeMutablePointer<Double>

  /// Creates the state for flat vectors, of which all elements follow the rule.
  ///
  /// - Parameters:
  ///   - rule: The rule.
  ///   - learningRate: The step size before its schedule.
  ///   - count: The elements of a flat vector.
  ///   - arithmetic: The arithmetic on them.
  package convenience init(
    _ rule: OptimizerRule, learningRate: Double, count: Int, arithmetic: any FlatArithmetic
  ) {
    self.init(
      OptimizerSettings(rule, learningRate: learningRate), ranges: UpdateRanges(count: count),
      arithmetic: arithmetic)
  }

  /// Creates the state for flat vectors of which one thread updates all elements.
  package convenience init(
    _ settings: OptimizerSettings, ranges: UpdateRanges, arithmetic: any FlatArithmetic
  ) {
    self.init(
      settings, ranges: ranges,
      slots: settings.rule.slotNames.map { _ in FloatBuffer(count: ranges.count) },
      arithmetic: arithmetic,
      sums: settings.needsNorms ? PieceSums(Pieces(ranges.learnedArrays)) : nil)
  }

  /// Takes over state, one vector per slot name of the rule.
  ///
  /// - Parameters:
  ///   - settings: The settings.
  ///   - ranges: The action of a step on each range of elements.
  ///   - slots: The state.
  ///   - arithmetic: The arithmetic on flat vectors.
  ///   - sums: The sums over elements, where the settings need norms.
  package init(
    _ settings: OptimizerSettings, ranges: UpdateRanges, slots: [FloatBuffer],
    arithmetic: any FlatArithmetic, sums: PieceSums?
  ) {
    precondition(sums != nil || !settings.needsNorms, "norms are needed, and no sums are given")
    self.arithmetic = arithmetic
    self.settings = settings
    self.ranges = ranges
    self.slots = slots
    self.sums = sums
    trustRatioRule = settings.rule.base as? any TrustRatioRule
    directionRule = settings.rule.base as? any DirectionRule
    var passes: [Pass] = []
    if settings.isClippedByNorm || trustRatioRule != nil && directionRule == nil {
      passes.append(.measureGradient)
    }
    if directionRule != nil { passes.append(.measureDirection) }
    self.passes = passes + [.change]
    trustedArrays = ranges.arrays.compactMap { array in
      guard case .learn(_, let isDecayed, let number?) = array.action else { return nil }
      return (number, isDecayed)
    }
    trustRatios = .allocate(capacity: max(ranges.arrays.count, 1))
    trustRatios.initialize(repeating: 1, count: max(ranges.arrays.count, 1))
  }

  deinit { trustRatios.deallocate() }

  /// Takes a whole step on one thread.
  ///
  /// - Parameters:
  ///   - parameters: The flat parameters, changed in place.
  ///   - gradient: The flat sum of the gradients of all rows; changed where elements are clipped.
  ///   - scale: One over the summed weight: the factor that turns the sum into the mean.
  ///   - step: The number of this step, from 1.
  ///   - rateFactor: The factor of the step size in this step.
  /// - Returns: The norm of the mean gradient where it is clipped by norm; if that is no finite number,
  ///   nothing was changed.
  @discardableResult
  package func takeStep(
    _ parameters: FloatBuffer, gradient: UnsafeMutablePointer<Float>, scale: Double, step: Int,
    rateFactor: Double = 1
  ) -> Double? {
    var step = begin(Step(scale: scale, number: step, rateFactor: rateFactor))
    let elements = 0..<ranges.count
    clipValues(of: gradient, step, elements)
    var norm: Double?
    for pass in passes {
      run(pass, step, parameters, gradient: gradient, elements: elements)
      norm = conclude(pass, &step) ?? norm
      if let norm, !norm.isFinite { break }
    }
    return norm
  }

  /// Returns the step with the gradient's factor of the first pass.
  package func begin(_ step: Step) -> Step {
    var step = step
    // Elements that are bounded are multiplied by the scale before.
    if case .value = settings.clipping { step.gradientScale = 1 }
    return step
  }

  /// Concludes a pass that has been done for all elements: makes norms and trust ratios of its sums.
  ///
  /// - Parameters:
  ///   - pass: The pass; all ranks know its sums.
  ///   - step: The step, whose gradient is scaled down by clipping.
  /// - Returns: The norm of the mean gradient, where it is clipped by norm and was measured now.
  package func conclude(_ pass: Pass, _ step: inout Step) -> Double? {
    guard let sums, pass != .change else { return nil }
    var norm: Double?
    if pass == .measureGradient, case .norm(let limit) = settings.clipping {
      let found = step.scale * sums.sum(quantity: 0, round: pass.round).squareRoot()
      step.gradientScale = step.scale * min(1, limit / (found + 1e-6))
      norm = found
    }
    let isDirection = pass == .measureDirection
    guard let rule = trustRatioRule, isDirection == (directionRule != nil) else { return norm }
    for (array, isDecayed) in trustedArrays {
      let update = sums.sum(ofArray: array, quantity: 0, round: pass.round).squareRoot()
      trustRatios[array] = rule.trustRatio(
        update: isDirection ? update : step.gradientScale * update,
        parameters: sums.sum(ofArray: array, quantity: 1, round: pass.round).squareRoot(),
        weightDecay: isDecayed ? rule.weightDecay : 0)
    }
    return norm
  }

  /// Returns the trust ratio of an array in this step; 1 for no array.
  func trustRatio(_ array: Int?) -> Double { array.map { trustRatios[$0] } ?? 1 }
}

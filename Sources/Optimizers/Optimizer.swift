package import Execution
public import Tensors

/// A rule with its state: one flat vector per slot, of the layout of the parameters.
///
/// A step is one pass over the elements, or, where norms are needed first, several: each is done for
/// all elements by whoever owns them, then ``PieceSums`` go to all ranks, then comes the next.
public final class Optimizer {
  /// One pass over the elements in a step.
  package enum Pass: Hashable {
    /// Adds up the squares of gradients, and of parameters.
    case measureGradient
    /// Advances the moments of LAMB and adds up the squares of its direction, and of parameters.
    case measureDirection
    /// Changes the parameters.
    case change

    /// The number of the sums that it makes.
    package var round: Int { self == .measureDirection ? 1 : 0 }
  }

  /// The numbers of one step.
  package struct Step {
    /// One over the summed weight: what a sum over rows is multiplied by to be the mean.
    package let scale: Double
    /// What the sum of gradients is multiplied by: `scale`, times what clipping makes of it.
    package var gradientScale: Double
    /// The number of the step, from 1.
    package let number: Int
    /// What the step size is multiplied by in this step.
    package let rateFactor: Double
    /// One over the number of rows, which running averages follow.
    package let rowScale: Double

    package init(scale: Double, number: Int, rateFactor: Double = 1, rowScale: Double = 1) {
      self.scale = scale
      gradientScale = scale
      self.number = number
      self.rateFactor = rateFactor
      self.rowScale = rowScale
    }
  }

  /// How parameters change.
  public let settings: OptimizerSettings
  /// What is done with the gradient.
  public var rule: OptimizerRule { settings.rule }
  /// What happens to which elements.
  public let ranges: UpdateRanges
  /// The state, in the order of ``OptimizerRule/slotNames``; zero before the first step.
  public let slots: [FloatBuffer]
  /// The passes of a step, in order.
  package let passes: [Pass]
  package let arithmetic: any FlatArithmetic
  /// Sums over elements; nil where none are needed.
  package let sums: PieceSums?
  /// The arrays with a trust ratio, and whether they decay.
  private let trustedArrays: [(array: Int, isDecayed: Bool)]
  /// What the step size of each array is multiplied by in this step.
  private let trustRatios: UnsafeMutablePointer<Double>

  /// Creates the state for flat vectors, of which all elements follow the rule.
  ///
  /// - Parameters:
  ///   - rule: What is done with the gradient.
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
  ///
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
  ///   - settings: How parameters change.
  ///   - ranges: What happens to which elements.
  ///   - slots: The state.
  ///   - arithmetic: The arithmetic on flat vectors.
  ///   - sums: The sums over elements, where the settings need norms.
  package init(
    _ settings: OptimizerSettings, ranges: UpdateRanges, slots: [FloatBuffer],
    arithmetic: any FlatArithmetic, sums: PieceSums?
  ) {
    self.arithmetic = arithmetic
    self.settings = settings
    self.ranges = ranges
    self.slots = slots
    var passes: [Pass] = []
    if settings.needsNorms {
      precondition(sums != nil, "norms are needed, and no sums are given")
      var measuresGradient = false
      if case .norm = settings.clipping { measuresGradient = true }
      if case .lars = settings.rule { measuresGradient = true }
      if measuresGradient { passes.append(.measureGradient) }
      if case .lamb = settings.rule { passes.append(.measureDirection) }
    }
    self.sums = sums
    self.passes = passes + [.change]
    trustedArrays = ranges.arrays.compactMap { array in
      guard case .learn(_, let isDecayed, let number?) = array.action else { return nil }
      return (number, isDecayed)
    }
    trustRatios = .allocate(capacity: max(ranges.arrays.count, 1))
    trustRatios.initialize(repeating: 1, count: max(ranges.arrays.count, 1))
  }

  deinit { trustRatios.deallocate() }

  /// Takes a whole step by one hand.
  ///
  /// - Parameters:
  ///   - parameters: The flat parameters, changed in place.
  ///   - gradient: The flat sum of the gradients of all rows; changed where elements are clipped.
  ///   - scale: What the sum is multiplied by to be the mean: one over the summed weight.
  ///   - step: The number of this step, from 1.
  ///   - rateFactor: What the step size is multiplied by in this step.
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

  /// The step as the first pass takes it.
  package func begin(_ step: Step) -> Step {
    var step = step
    // Elements that are bounded are multiplied by the scale before.
    if case .value = settings.clipping { step.gradientScale = 1 }
    return step
  }

  /// Bounds the elements of a gradient where that is asked for.
  package func clipValues(
    of gradient: UnsafeMutablePointer<Float>, _ step: Step, _ elements: Range<Int>
  ) {
    guard case .value(let limit) = settings.clipping else { return }
    ranges.forEach(in: elements) { action, range in
      guard case .learn = action else { return }
      arithmetic.clamp(
        gradient: gradient + range.lowerBound, count: range.count, scale: step.scale, limit: limit)
    }
  }

  /// Does one pass over a range of elements.
  ///
  /// - Parameters:
  ///   - pass: The pass.
  ///   - step: The step.
  ///   - parameters: The flat parameters, changed in place by the last pass.
  ///   - gradient: The sum of the gradients, of element i at index i.
  ///   - elements: The range, of whole blocks where norms are needed; no two threads the same.
  /// - Complexity: O(elements), memory-bound; no allocation.
  package func run(
    _ pass: Pass, _ step: Step, _ parameters: FloatBuffer, gradient: UnsafePointer<Float>,
    elements: Range<Int>
  ) {
    switch pass {
    case .measureGradient: measureGradient(parameters, gradient, elements)
    case .measureDirection: measureDirection(step, parameters, gradient, elements)
    case .change:
      ranges.forEach(in: elements) { action, range in
        switch action {
        case .keep: break
        case .follow(let momentum):
          arithmetic.follow(
            states: parameters.pointer + range.lowerBound, sum: gradient + range.lowerBound,
            count: range.count, momentum: momentum, scale: step.rowScale)
        case .learn(let factor, let isDecayed, let array):
          let ratio = array.map { trustRatios[$0] } ?? 1
          learn(
            parameters, gradient, range, step,
            learningRate: settings.learningRate * step.rateFactor * factor * ratio,
            isDecayed: isDecayed)
        }
      }
    }
  }

  /// Takes note of a pass that has been done for all elements.
  ///
  /// - Parameters:
  ///   - pass: The pass; all ranks know its sums.
  ///   - step: The step, whose gradient is scaled down by clipping.
  /// - Returns: The norm of the mean gradient, where it is clipped by norm and was measured now.
  package func conclude(_ pass: Pass, _ step: inout Step) -> Double? {
    guard let sums else { return nil }
    var norm: Double?
    if pass == .measureGradient, case .norm(let limit) = settings.clipping {
      let found = step.scale * sums.sum(quantity: 0, round: pass.round).squareRoot()
      step.gradientScale = step.scale * min(1, limit / (found + 1e-6))
      norm = found
    }
    if pass == .measureGradient, case .lars(_, let trust, let weightDecay) = rule {
      for (array, isDecayed) in trustedArrays {
        let g =
          step.gradientScale * sums.sum(ofArray: array, quantity: 0, round: pass.round).squareRoot()
        let p = sums.sum(ofArray: array, quantity: 1, round: pass.round).squareRoot()
        let decay = isDecayed ? weightDecay : 0
        trustRatios[array] = g > 0 && p > 0 ? trust * p / (g + decay * p) : 1
      }
    }
    if pass == .measureDirection {
      for (array, _) in trustedArrays {
        let r = sums.sum(ofArray: array, quantity: 0, round: pass.round).squareRoot()
        let p = sums.sum(ofArray: array, quantity: 1, round: pass.round).squareRoot()
        trustRatios[array] = r > 0 && p > 0 ? p / r : 1
      }
    }
    return norm
  }
}

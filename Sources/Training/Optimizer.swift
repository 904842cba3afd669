import Kernels
import Numerics
public import Tensors

/// A rule that changes parameters from their gradient; formulas and defaults are PyTorch's.
public enum OptimizerRule: Hashable, Sendable {
  /// Stochastic gradient descent: `g += λp`, `v = μv + g`, `p −= η(g + μv)` with Nesterov's form and
  /// `p −= ηv` without. Source: `torch.optim.SGD`.
  case sgd(momentum: Double, nesterov: Bool, weightDecay: Double)
  /// Adam, with `g += λp`. Source: `torch.optim.Adam`.
  case adam(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double)
  /// Adam with `p −= ηλp` apart from the gradient. Source: `torch.optim.AdamW`.
  case adamW(beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double)

  /// The names of the vectors that the rule carries from step to step.
  public var slotNames: [String] {
    switch self {
    case .sgd(momentum: 0, _, _): []
    case .sgd: ["momentum"]
    case .adam, .adamW: ["first_moment", "second_moment"]
    }
  }
}

/// A rule with its state: one flat vector per slot, of the layout of the parameters.
public final class Optimizer {
  /// What is done with the gradient.
  public let rule: OptimizerRule
  /// The step size before its schedule, η.
  public let learningRate: Double
  /// What happens to which elements.
  public let ranges: UpdateRanges
  /// The state, in the order of ``OptimizerRule/slotNames``; zero before the first step.
  public let slots: [FloatBuffer]

  /// Creates the state for flat vectors, of which all elements follow the rule.
  ///
  /// - Parameters:
  ///   - rule: What is done with the gradient.
  ///   - learningRate: The step size before its schedule.
  ///   - count: The elements of a flat vector.
  public convenience init(_ rule: OptimizerRule, learningRate: Double, count: Int) {
    self.init(rule, learningRate: learningRate, ranges: UpdateRanges(count: count))
  }

  /// Creates the state for flat vectors.
  ///
  /// - Parameters:
  ///   - rule: What is done with the gradient.
  ///   - learningRate: The step size before its schedule.
  ///   - ranges: What happens to which elements.
  public convenience init(_ rule: OptimizerRule, learningRate: Double, ranges: UpdateRanges) {
    self.init(
      rule, learningRate: learningRate, ranges: ranges,
      slots: rule.slotNames.map { _ in FloatBuffer(count: ranges.count) })
  }

  /// Takes over state, one vector per slot name of the rule.
  init(
    _ rule: OptimizerRule, learningRate: Double, ranges: UpdateRanges, slots: [FloatBuffer]
  ) {
    self.rule = rule
    self.learningRate = learningRate
    self.ranges = ranges
    self.slots = slots
  }

  /// Applies one step to a range of elements, in one pass over the flat vectors.
  ///
  /// - Parameters:
  ///   - parameters: The flat parameters, changed in place.
  ///   - gradient: The flat sum of the gradients of all rows.
  ///   - elements: The range; each element changes by itself, so ranges may run at the same time.
  ///   - scale: What the sum is multiplied by to be the mean: one over the summed weight.
  ///   - step: The number of this step, from 1.
  ///   - rateFactor: What the step size is multiplied by in this step.
  /// - Complexity: O(elements), memory-bound; no allocation.
  public func update(
    _ parameters: FloatBuffer, gradient: UnsafePointer<Float>, elements: Range<Int>, scale: Double,
    step: Int, rateFactor: Double = 1
  ) {
    let learningRate = learningRate * rateFactor
    ranges.forEach(in: elements) { action, range in
      switch action {
      case .keep: break
      case .learn(let factor, let isDecayed):
        learn(
          parameters, gradient, range, scale: scale, step: step,
          learningRate: learningRate * factor, isDecayed: isDecayed)
      }
    }
  }

  private func learn(
    _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>, _ elements: Range<Int>,
    scale: Double, step: Int, learningRate: Double, isDecayed: Bool
  ) {
    let (start, count) = (elements.lowerBound, elements.count)
    let (p, g) = (parameters.pointer + start, gradient + start)
    func adam(
      _ beta1: Double, _ beta2: Double, _ epsilon: Double, _ weightDecay: Double, isDecoupled: Bool
    ) {
      Update.adam(
        parameters: p, gradient: g, first: slots[0].pointer + start,
        second: slots[1].pointer + start, count: count, step: step, learningRate: learningRate,
        beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: isDecayed ? weightDecay : 0,
        decoupled: isDecoupled, gradientScale: scale)
    }
    switch rule {
    case .sgd(let momentum, let nesterov, let weightDecay):
      Update.sgd(
        parameters: p, gradient: g, momentum: slots.first.map { $0.pointer + start },
        count: count, learningRate: learningRate, momentumFactor: momentum, nesterov: nesterov,
        weightDecay: isDecayed ? weightDecay : 0, gradientScale: scale)
    case .adam(let beta1, let beta2, let epsilon, let weightDecay):
      adam(beta1, beta2, epsilon, weightDecay, isDecoupled: false)
    case .adamW(let beta1, let beta2, let epsilon, let weightDecay):
      adam(beta1, beta2, epsilon, weightDecay, isDecoupled: true)
    }
  }
}

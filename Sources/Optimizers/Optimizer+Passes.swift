// The passes of a step over a range of elements.
import Execution
import Numerics
package import Tensors

extension Optimizer {
  /// Bounds the elements of a gradient where the settings say so.
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
    case .change: change(step, parameters, gradient, elements)
    }
  }

  /// Adds up the squares of gradients and, for a rule with trust ratios, of parameters.
  private func measureGradient(
    _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>, _ elements: Range<Int>
  ) {
    guard let sums else { return }
    let round = Pass.measureGradient.round
    sums.forEach(in: elements) { piece, range in
      let ofGradient = arithmetic.sumOfSquares(
        ofBlock: gradient + range.lowerBound, count: range.count)
      sums.set(ofGradient, of: piece, quantity: 0, round: round)
      guard trustRatioRule != nil else { return }
      let ofParameters = arithmetic.sumOfSquares(
        ofBlock: parameters.pointer + range.lowerBound, count: range.count)
      sums.set(ofParameters, of: piece, quantity: 1, round: round)
    }
  }

  /// Advances the state of a rule and adds up the squares of its direction and of parameters.
  private func measureDirection(
    _ step: Step, _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>,
    _ elements: Range<Int>
  ) {
    guard let sums, let directionRule else { return }
    let round = Pass.measureDirection.round
    ranges.forEach(in: elements) { action, part in
      guard case .learn(_, let isDecayed, _) = action else { return }
      let factors = factors(step, learningRate: 0, isDecayed: isDecayed)
      sums.forEach(in: part) { piece, range in
        let squares = directionRule.advance(
          UpdatedElements(range, parameters: parameters, gradient: gradient, slots: slots),
          step: step.number, factors, by: arithmetic)
        sums.set(squares.direction, of: piece, quantity: 0, round: round)
        sums.set(squares.parameters, of: piece, quantity: 1, round: round)
      }
    }
  }

  /// Changes the elements that learn, and moves running averages.
  private func change(
    _ step: Step, _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>,
    _ elements: Range<Int>
  ) {
    let rule = settings.rule.base
    ranges.forEach(in: elements) { action, range in
      switch action {
      case .keep: break
      case .follow(let momentum):
        arithmetic.follow(
          states: parameters.pointer + range.lowerBound, sum: gradient + range.lowerBound,
          count: range.count, momentum: momentum, scale: step.rowScale)
      case .learn(let factor, let isDecayed, let array):
        let learningRate = settings.learningRate * step.rateFactor * factor * trustRatio(array)
        rule.change(
          UpdatedElements(range, parameters: parameters, gradient: gradient, slots: slots),
          step: step.number, factors(step, learningRate: learningRate, isDecayed: isDecayed),
          by: arithmetic)
      }
    }
  }

  /// The numbers that all rules have in common, for elements that decay or do not.
  private func factors(_ step: Step, learningRate: Double, isDecayed: Bool) -> UpdateFactors {
    UpdateFactors(
      learningRate: learningRate, weightDecay: isDecayed ? rule.weightDecay : 0,
      l1: isDecayed ? settings.l1 : 0, gradientScale: step.gradientScale)
  }
}

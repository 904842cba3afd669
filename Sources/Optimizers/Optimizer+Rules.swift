// What each rule does to a range of elements.
import Execution
import Numerics
package import Tensors

extension Optimizer {
  /// Changes elements that learn.
  package func learn(
    _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>, _ elements: Range<Int>,
    _ step: Step, learningRate: Double, isDecayed: Bool
  ) {
    let (start, count) = (elements.lowerBound, elements.count)
    let (p, g) = (parameters.pointer + start, gradient + start)
    let factors = UpdateFactors(
      learningRate: learningRate, weightDecay: isDecayed ? rule.weightDecay : 0,
      l1: isDecayed ? settings.l1 : 0, gradientScale: step.gradientScale)
    func adam(_ beta1: Double, _ beta2: Double, _ epsilon: Double, isDecoupled: Bool) {
      arithmetic.adam(
        parameters: p, gradient: g, first: slots[0].pointer + start,
        second: slots[1].pointer + start, count: count,
        moments: AdamMoments(step: step.number, beta1: beta1, beta2: beta2, epsilon: epsilon),
        decoupled: isDecoupled, factors)
    }
    switch rule {
    case .sgd(let momentum, let nesterov, _):
      arithmetic.sgd(
        parameters: p, gradient: g, momentum: slots.first.map { $0.pointer + start },
        count: count, momentumFactor: momentum, nesterov: nesterov, factors)
    case .adam(let beta1, let beta2, let epsilon, _):
      adam(beta1, beta2, epsilon, isDecoupled: false)
    case .adamW(let beta1, let beta2, let epsilon, _):
      adam(beta1, beta2, epsilon, isDecoupled: true)
    case .lars(let momentum, _, _):
      arithmetic.lars(
        parameters: p, gradient: g, momentum: slots[0].pointer + start, count: count,
        momentumFactor: momentum, factors)
    case .lamb(let beta1, let beta2, let epsilon, _):
      arithmetic.lamb(
        parameters: p, first: slots[0].pointer + start, second: slots[1].pointer + start,
        count: count,
        moments: AdamMoments(step: step.number, beta1: beta1, beta2: beta2, epsilon: epsilon),
        factors)
    }
  }

  /// Adds up the squares of gradients and, for a rule with trust ratios, of parameters.
  package func measureGradient(
    _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>, _ elements: Range<Int>
  ) {
    guard let sums else { return }
    sums.forEach(in: elements) { piece, range in
      let ofGradient = arithmetic.sumOfSquares(
        ofBlock: gradient + range.lowerBound, count: range.count)
      sums.set(ofGradient, of: piece, quantity: 0, round: Pass.measureGradient.round)
      guard rule.usesTrustRatio else { return }
      let ofParameters = arithmetic.sumOfSquares(
        ofBlock: parameters.pointer + range.lowerBound, count: range.count)
      sums.set(ofParameters, of: piece, quantity: 1, round: Pass.measureGradient.round)
    }
  }

  /// Advances the moments of LAMB and adds up the squares of its direction and of parameters.
  package func measureDirection(
    _ step: Step, _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>,
    _ elements: Range<Int>
  ) {
    guard let sums, case .lamb(let beta1, let beta2, let epsilon, let weightDecay) = rule else {
      return
    }
    let moments = AdamMoments(step: step.number, beta1: beta1, beta2: beta2, epsilon: epsilon)
    ranges.forEach(in: elements) { action, part in
      guard case .learn(_, let isDecayed, _) = action else { return }
      let factors = UpdateFactors(
        learningRate: 0, weightDecay: isDecayed ? weightDecay : 0,
        l1: isDecayed ? settings.l1 : 0, gradientScale: step.gradientScale)
      sums.forEach(in: part) { piece, range in
        let start = range.lowerBound
        let squares = arithmetic.lambMoments(
          parameters: parameters.pointer + start, gradient: gradient + start,
          first: slots[0].pointer + start, second: slots[1].pointer + start, count: range.count,
          moments: moments, factors)
        sums.set(squares.direction, of: piece, quantity: 0, round: Pass.measureDirection.round)
        sums.set(squares.parameters, of: piece, quantity: 1, round: Pass.measureDirection.round)
      }
    }
  }
}

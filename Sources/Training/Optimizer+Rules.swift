// What each rule does to a range of elements.
import Kernels
import Tensors

extension Optimizer {
  /// Changes elements that learn.
  func learn(
    _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>, _ elements: Range<Int>,
    _ step: Step, learningRate: Double, isDecayed: Bool
  ) {
    let (start, count) = (elements.lowerBound, elements.count)
    let (p, g, scale) = (parameters.pointer + start, gradient + start, step.gradientScale)
    let decay = isDecayed ? rule.weightDecay : 0
    let l1 = isDecayed ? settings.l1 : 0
    func adam(_ beta1: Double, _ beta2: Double, _ epsilon: Double, isDecoupled: Bool) {
      Update.adam(
        parameters: p, gradient: g, first: slots[0].pointer + start,
        second: slots[1].pointer + start, count: count, step: step.number,
        learningRate: learningRate, beta1: beta1, beta2: beta2, epsilon: epsilon,
        weightDecay: decay, decoupled: isDecoupled, l1: l1, gradientScale: scale)
    }
    switch rule {
    case .sgd(let momentum, let nesterov, _):
      Update.sgd(
        parameters: p, gradient: g, momentum: slots.first.map { $0.pointer + start },
        count: count, learningRate: learningRate, momentumFactor: momentum, nesterov: nesterov,
        weightDecay: decay, l1: l1, gradientScale: scale)
    case .adam(let beta1, let beta2, let epsilon, _):
      adam(beta1, beta2, epsilon, isDecoupled: false)
    case .adamW(let beta1, let beta2, let epsilon, _):
      adam(beta1, beta2, epsilon, isDecoupled: true)
    case .lars(let momentum, _, _):
      Update.lars(
        parameters: p, gradient: g, momentum: slots[0].pointer + start, count: count,
        learningRate: learningRate, momentumFactor: momentum, weightDecay: decay, l1: l1,
        gradientScale: scale)
    case .lamb:
      guard let direction = direction(step, isDecayed: isDecayed) else { return }
      Update.lamb(
        parameters: p, first: slots[0].pointer + start, second: slots[1].pointer + start,
        count: count, direction: direction, learningRate: learningRate)
    }
  }

  /// Adds up the squares of gradients and, for a rule with trust ratios, of parameters.
  func measureGradient(
    _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>, _ elements: Range<Int>
  ) {
    guard let sums else { return }
    sums.forEach(in: elements) { piece, range in
      let ofGradient = FlatSum.sumOfSquares(
        ofBlock: gradient + range.lowerBound, count: range.count)
      sums.set(ofGradient, of: piece, quantity: 0, round: Pass.measureGradient.round)
      guard rule.isAdaptive else { return }
      let ofParameters = FlatSum.sumOfSquares(
        ofBlock: parameters.pointer + range.lowerBound, count: range.count)
      sums.set(ofParameters, of: piece, quantity: 1, round: Pass.measureGradient.round)
    }
  }

  /// Advances the moments of LAMB and adds up the squares of its direction and of parameters.
  func measureDirection(
    _ step: Step, _ parameters: FloatBuffer, _ gradient: UnsafePointer<Float>,
    _ elements: Range<Int>
  ) {
    guard let sums else { return }
    ranges.forEach(in: elements) { action, part in
      guard case .learn(_, let isDecayed, _) = action,
        let direction = direction(step, isDecayed: isDecayed)
      else { return }
      sums.forEach(in: part) { piece, range in
        let start = range.lowerBound
        let squares = Update.lambMoments(
          parameters: parameters.pointer + start, gradient: gradient + start,
          first: slots[0].pointer + start, second: slots[1].pointer + start, count: range.count,
          direction: direction, l1: isDecayed ? settings.l1 : 0,
          gradientScale: step.gradientScale)
        sums.set(squares.direction, of: piece, quantity: 0, round: Pass.measureDirection.round)
        sums.set(squares.parameters, of: piece, quantity: 1, round: Pass.measureDirection.round)
      }
    }
  }

  /// The direction of LAMB in a step.
  private func direction(_ step: Step, isDecayed: Bool) -> LAMBDirection? {
    guard case .lamb(let beta1, let beta2, let epsilon, let weightDecay) = rule else { return nil }
    return LAMBDirection(
      step: step.number, beta1: beta1, beta2: beta2, epsilon: epsilon,
      weightDecay: isDecayed ? weightDecay : 0)
  }
}

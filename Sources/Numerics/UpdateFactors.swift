// The numbers that a step of an optimizer is made of, the same for every element of a range.

/// The step size, the penalties and the scale of the gradient in one step.
public struct UpdateFactors: Hashable, Sendable {
  /// The learning rate `η`, its schedule and a trust ratio included.
  public var learningRate: Double
  /// The factor of the parameters in the gradient, or in the decay of AdamW and LAMB.
  public var weightDecay: Double
  /// The factor of the parameters' signs in the gradient.
  public var l1: Double
  /// The factor that turns the sum of gradients into what a rule sees: one over the summed weight, times
  /// the factor of clipping.
  public var gradientScale: Double

  /// Creates the factors of a step.
  public init(
    learningRate: Double, weightDecay: Double = 0, l1: Double = 0, gradientScale: Double = 1
  ) {
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.l1 = l1
    self.gradientScale = gradientScale
  }
}

/// The averages that Adam and LAMB keep of gradients and their squares, in one step.
public struct AdamMoments: Hashable, Sendable {
  /// The number of the step, from 1.
  public var step: Int
  /// The factor `β₁` of the first moment.
  public var beta1: Double
  /// The factor `β₂` of the second moment.
  public var beta2: Double
  /// The number `ε` that keeps divisors from 0.
  public var epsilon: Double

  /// Creates the moments of a step.
  public init(step: Int, beta1: Double, beta2: Double, epsilon: Double) {
    self.step = step
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
  }
}

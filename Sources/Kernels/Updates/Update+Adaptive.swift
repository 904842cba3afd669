// Steps whose length follows the norms of each parameter, and the average of parameters.

public import Numerics

extension Update {
  /// Takes one step of LARS.
  ///
  /// `g ← scale·g + decay·p + l1·sign(p)`; `v ← μ·v + η·g`; `p ← p − v`. The momentum starts as zeros.
  /// Source: You, Gitman and Ginsburg (2017), algorithm 1, https://arxiv.org/abs/1708.03888.
  ///
  /// - Parameters:
  ///   - parameters: The parameters `p`, changed in place.
  ///   - gradient: The sum of gradients.
  ///   - momentum: The momentum `v`, changed in place.
  ///   - count: The number of elements.
  ///   - momentumFactor: The momentum factor `μ`.
  ///   - factors: The numbers of the step.
  public static func lars(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
    momentum: UnsafeMutablePointer<Float>, count: Int, momentumFactor: Double,
    _ factors: UpdateFactors
  ) {
    let rate = Lanes(repeating: Float(factors.learningRate))
    let mu = Lanes(repeating: Float(momentumFactor))
    @inline(__always) func run(_ penalties: some Penalties) {
      @inline(__always) func update<Some: Access>(_ i: Int, _ access: Some) {
        let p = access.read(parameters + i)
        let g = penalties.gradient(access.read(gradient + i), p)
        let v = mu * access.read(momentum + i) + rate * g
        access.write(v, momentum + i)
        access.write(p - v, parameters + i)
      }
      forEachIndex(count, update, update)
    }
    let decay = Decay(scale: factors.gradientScale, decay: factors.weightDecay)
    if factors.l1 == 0 { run(decay) } else { run(DecayAndSign(decay, l1: factors.l1)) }
  }

  /// Advances the moments of LAMB over a piece, and returns the sums of squares of its direction
  /// `r` and of its parameters `p`.
  ///
  /// `g ← scale·g + l1·sign(p)`; `m ← m + (1 − β₁)·(g − m)`; `v ← β₂·v + (1 − β₂)·g²`;
  /// `r = m/(1 − β₁ᵗ) / (√v/√(1 − β₂ᵗ) + ε) + decay·p`. Squares are added as
  /// ``FlatSum/sumOfSquares(ofBlock:count:)`` does. Both moments start as zeros.
  /// Source: You et al. (2020), algorithm 2, https://arxiv.org/abs/1904.00962.
  ///
  /// - Parameters:
  ///   - parameters: The parameters `p`.
  ///   - gradient: The sum of gradients.
  ///   - first: The first moment `m`, changed in place.
  ///   - second: The second moment `v`, changed in place.
  ///   - count: The number of elements.
  ///   - moments: The averages in this step `t`.
  ///   - factors: The numbers of the step; the learning rate has no part.
  /// - Returns: The sums of squares of the direction and of the parameters.
  public static func lambMoments(
    parameters: UnsafePointer<Float>, gradient: UnsafePointer<Float>,
    first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>, count: Int,
    moments: AdamMoments, _ factors: UpdateFactors
  ) -> (direction: Double, parameters: Double) {
    let direction = LAMBDirection(moments, decay: factors.weightDecay)
    @inline(__always) func sums(_ penalties: some Penalties) -> (SquareSum, SquareSum) {
      @inline(__always) func update<Some: Access>(
        _ i: Int, _ access: Some, _ sums: inout (ofDirection: SquareSum, ofParameters: SquareSum)
      ) {
        let p = access.read(parameters + i)
        let g = penalties.gradient(access.read(gradient + i), p)
        let (m, v) = direction.moments.advanced(
          access.read(first + i), access.read(second + i), by: g)
        access.write(m, first + i)
        access.write(v, second + i)
        sums.ofDirection.add(direction.lanes(m, v, p))
        sums.ofParameters.add(p)
      }
      var sums = (ofDirection: SquareSum(), ofParameters: SquareSum())
      forEachIndex(count, &sums, update, update)
      return sums
    }
    let decay = Decay(scale: factors.gradientScale, decay: 0)
    let (ofDirection, ofParameters) =
      factors.l1 == 0 ? sums(decay) : sums(DecayAndSign(decay, l1: factors.l1))
    return (ofDirection.value, ofParameters.value)
  }

  /// Moves parameters along the direction that ``lambMoments(parameters:gradient:first:second:count:moments:_:)``
  /// has measured: `p ← p − η·r`.
  ///
  /// - Parameters:
  ///   - parameters: The parameters `p`, changed in place.
  ///   - first: The first moment.
  ///   - second: The second moment.
  ///   - count: The number of elements.
  ///   - moments: The averages in this step `t`.
  ///   - factors: The numbers of the step.
  public static func lamb(
    parameters: UnsafeMutablePointer<Float>, first: UnsafePointer<Float>,
    second: UnsafePointer<Float>, count: Int, moments: AdamMoments, _ factors: UpdateFactors
  ) {
    let direction = LAMBDirection(moments, decay: factors.weightDecay)
    let rate = Lanes(repeating: Float(factors.learningRate))
    @inline(__always) func update<Some: Access>(_ i: Int, _ access: Some) {
      let p = access.read(parameters + i)
      let r = direction.lanes(access.read(first + i), access.read(second + i), p)
      access.write(p - rate * r, parameters + i)
    }
    forEachIndex(count, update, update)
  }

  /// Bounds the mean of gradients: `g ← min(max(scale·g, −limit), limit)`; what is not a number stays so.
  public static func clamp(
    gradient: UnsafeMutablePointer<Float>, count: Int, scale: Double, limit: Double
  ) {
    let scale = Lanes(repeating: Float(scale))
    let limit = Lanes(repeating: Float(limit))
    @inline(__always) func update<Some: Access>(_ i: Int, _ access: Some) {
      let g = access.read(gradient + i) * scale
      let bounded = g.replacing(with: limit, where: g .> limit)
        .replacing(with: -limit, where: g .< -limit)
      access.write(bounded, gradient + i)
    }
    forEachIndex(count, update, update)
  }

  /// Moves an average towards the parameters: `a ← a + (1 − decay)·(p − a)`.
  ///
  /// Source: `torch.optim.swa_utils.get_ema_multi_avg_fn`.
  public static func average(
    _ average: UnsafeMutablePointer<Float>, parameters: UnsafePointer<Float>, count: Int,
    decay: Double
  ) {
    let gain = Lanes(repeating: Float(1 - decay))
    @inline(__always) func update<Some: Access>(_ i: Int, _ access: Some) {
      let a = access.read(average + i)
      access.write(a + gain * (access.read(parameters + i) - a), average + i)
    }
    forEachIndex(count, update, update)
  }
}

/// The direction of LAMB in one step, as a function of moments and parameters.
private struct LAMBDirection {
  let moments: Moments
  private let correction1: Lanes
  private let decay: Lanes

  init(_ moments: AdamMoments, decay: Double) {
    self.moments = Moments(moments)
    correction1 = Lanes(repeating: Float(1 / self.moments.correction1))
    self.decay = Lanes(repeating: Float(decay))
  }

  @inline(__always) func lanes(_ m: Lanes, _ v: Lanes, _ p: Lanes) -> Lanes {
    (correction1 * m) / moments.divisor(v) + decay * p
  }
}

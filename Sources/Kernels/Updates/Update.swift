// One step of an optimiser over a range of flat vectors.

public import Numerics

/// Updates of parameters, in one pass over all vectors.
///
/// Formulas and order of operations are PyTorch's, in `Float`, with hyper-parameters rounded to
/// `Float` once. The gradient comes as a sum over rows; it is multiplied by `gradientScale`, one over
/// the summed weight, first of all. Then the slopes of penalties are added: `decay·p` of `decay/2·p²`,
/// `l1·sign(p)` of `l1·|p|`, with 0 at 0. Elements do not depend on one another, so ranges may be shared
/// out in any way. No allocation.
public enum Update {
  /// Takes one step of stochastic gradient descent.
  ///
  /// `g ← scale·g + decay·p + l1·sign(p)`; with momentum `v ← μ·v + g` and `g ← v`, or `g + μ·v` for Nesterov;
  /// `p ← p − η·g`. The momentum starts as zeros.
  /// Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html.
  ///
  /// - Parameters:
  ///   - parameters: The parameters `p`, changed in place.
  ///   - gradient: The sum of gradients.
  ///   - momentum: The momentum `v`, changed in place; without it `momentumFactor` has no part.
  ///   - count: The number of elements.
  ///   - momentumFactor: The momentum factor `μ`.
  ///   - nesterov: True if the step looks ahead.
  ///   - factors: The numbers of the step.
  public static func sgd(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
    momentum: UnsafeMutablePointer<Float>?, count: Int, momentumFactor: Double, nesterov: Bool,
    _ factors: UpdateFactors
  ) {
    @inline(__always) func run(_ penalties: some Penalties) {
      sgd(
        parameters, gradient, momentum, count: count, learningRate: factors.learningRate,
        momentumFactor: momentumFactor, nesterov: nesterov, penalties)
    }
    let decay = Decay(scale: factors.gradientScale, decay: factors.weightDecay)
    if factors.l1 == 0 { run(decay) } else { run(DecayAndSign(decay, l1: factors.l1)) }
  }

  @inline(__always)
  private static func sgd(
    _ parameters: UnsafeMutablePointer<Float>, _ gradient: UnsafePointer<Float>,
    _ momentum: UnsafeMutablePointer<Float>?, count: Int, learningRate: Double,
    momentumFactor: Double, nesterov: Bool, _ penalties: some Penalties
  ) {
    let rate = Lanes(repeating: Float(learningRate))
    let mu = Lanes(repeating: Float(momentumFactor))
    guard let momentum else {
      forEachLanes(parameters, gradient, into: parameters, count: count) { p, g in
        p - rate * penalties.gradient(g, p)
      }
      return
    }
    // A branch in the loop costs more than the whole pass, so both kinds are a·g + b·v.
    let ofGradient = Lanes(repeating: nesterov ? 1 : 0)
    let ofMomentum = Lanes(repeating: nesterov ? Float(momentumFactor) : 1)
    @inline(__always) func update<Some: Access>(_ i: Int, _ access: Some) {
      let p = access.read(parameters + i)
      let g = penalties.gradient(access.read(gradient + i), p)
      let v = mu * access.read(momentum + i) + g
      access.write(v, momentum + i)
      access.write(p - rate * (ofGradient * g + ofMomentum * v), parameters + i)
    }
    forEachIndex(count, update, update)
  }

  /// Takes one step of Adam, or of AdamW.
  ///
  /// `g ← scale·g`; then `p ← p − η·decay·p` if decoupled (AdamW), else `g ← g + decay·p` (Adam);
  /// `g ← g + l1·sign(p)`;
  /// `m ← m + (1 − β₁)·(g − m)`; `v ← β₂·v + (1 − β₂)·g²`;
  /// `p ← p − η/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + ε)`. Both moments start as zeros.
  /// Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html and AdamW.html.
  ///
  /// - Parameters:
  ///   - parameters: The parameters `p`, changed in place.
  ///   - gradient: The sum of gradients.
  ///   - first: The first moment `m`, changed in place.
  ///   - second: The second moment `v`, changed in place.
  ///   - count: The number of elements.
  ///   - moments: The averages in this step `t`.
  ///   - decoupled: True if the decay leaves the gradient alone.
  ///   - factors: The numbers of the step.
  public static func adam(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
    first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>, count: Int,
    moments: AdamMoments, decoupled: Bool, _ factors: UpdateFactors
  ) {
    let moments = Moments(moments)
    let keep = Lanes(
      repeating: decoupled ? Float(1 - factors.learningRate * factors.weightDecay) : 1)
    let rate = Lanes(repeating: Float(factors.learningRate / moments.correction1))
    @inline(__always) func run(_ penalties: some Penalties) {
      @inline(__always) func update<Some: Access>(_ i: Int, _ access: Some) {
        let p = access.read(parameters + i) * keep
        let g = penalties.gradient(access.read(gradient + i), p)
        let (m, v) = moments.advanced(access.read(first + i), access.read(second + i), by: g)
        access.write(m, first + i)
        access.write(v, second + i)
        access.write(p - (rate * m) / moments.divisor(v), parameters + i)
      }
      forEachIndex(count, update, update)
    }
    let decay = Decay(scale: factors.gradientScale, decay: decoupled ? 0 : factors.weightDecay)
    if factors.l1 == 0 { run(decay) } else { run(DecayAndSign(decay, l1: factors.l1)) }
  }

  /// The power `baseⁿ` by repeated squaring, for `n ≥ 0`: the same bits everywhere.
  static func power(_ base: Double, _ n: Int) -> Double {
    var (result, square, rest) = (1.0, base, n)
    while rest > 0 {
      if rest & 1 == 1 { result *= square }
      square *= square
      rest >>= 1
    }
    return result
  }
}

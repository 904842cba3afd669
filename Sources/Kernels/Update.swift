// One step of an optimiser over a range of flat vectors.

import CVectors
import Numerics

/// Updates of parameters, in one pass over all vectors.
///
/// Formulas and order of operations are PyTorch's, in `Float`, with hyper-parameters rounded to
/// `Float` once. The gradient comes as a sum over rows; it is multiplied by `gradientScale`, one over
/// the summed weight, first of all. Elements do not depend on one another, so ranges may be shared
/// out in any way. No allocation.
public enum Update {
  /// Takes one step of stochastic gradient descent.
  ///
  /// `g ← scale·g + decay·p`; with momentum `v ← μ·v + g` and `g ← v`, or `g + μ·v` for Nesterov;
  /// `p ← p − η·g`. The momentum starts as zeros.
  /// Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html.
  ///
  /// - Parameters:
  ///   - parameters: The parameters `p`, changed in place.
  ///   - gradient: The sum of gradients.
  ///   - momentum: The momentum `v`, changed in place; without it `momentumFactor` has no part.
  ///   - count: The number of elements.
  ///   - learningRate: The learning rate `η`.
  ///   - momentumFactor: The momentum factor `μ`.
  ///   - nesterov: Whether the step looks ahead.
  ///   - weightDecay: The factor of the parameters in the gradient.
  ///   - gradientScale: One over the summed weight.
  public static func sgd(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
    momentum: UnsafeMutablePointer<Float>?, count: Int, learningRate: Double,
    momentumFactor: Double, nesterov: Bool, weightDecay: Double, gradientScale: Double
  ) {
    let rate = Lanes(repeating: Float(learningRate))
    let mu = Lanes(repeating: Float(momentumFactor))
    let decay = Lanes(repeating: Float(weightDecay))
    let scale = Lanes(repeating: Float(gradientScale))
    guard let momentum else {
      forEachLanes(parameters, gradient, into: parameters, count: count) { p, g in
        p - rate * (g * scale + decay * p)
      }
      return
    }
    // A branch in the loop costs more than the whole pass, so both kinds are a·g + b·v.
    let ofGradient = Lanes(repeating: nesterov ? 1 : 0)
    let ofMomentum = Lanes(repeating: nesterov ? Float(momentumFactor) : 1)
    @inline(__always) func update<Some: Access>(_ i: Int, _ access: Some) {
      let p = access.load(parameters + i)
      let g = access.load(gradient + i) * scale + decay * p
      let v = mu * access.load(momentum + i) + g
      access.store(v, momentum + i)
      access.store(p - rate * (ofGradient * g + ofMomentum * v), parameters + i)
    }
    var i = 0
    while i &+ laneCount <= count {
      update(i, AllLanes())
      i &+= laneCount
    }
    if i < count { update(i, FirstLanes(count: count &- i)) }
  }

  /// Takes one step of Adam, or of AdamW.
  ///
  /// `g ← scale·g`; then `p ← p − η·decay·p` if decoupled (AdamW), else `g ← g + decay·p` (Adam);
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
  ///   - step: The number `t` of this step, from 1.
  ///   - learningRate: The learning rate `η`.
  ///   - beta1: The factor `β₁` of the first moment.
  ///   - beta2: The factor `β₂` of the second moment.
  ///   - epsilon: What keeps the divisor from zero.
  ///   - weightDecay: The factor of the parameters.
  ///   - decoupled: Whether the decay leaves the gradient alone.
  ///   - gradientScale: One over the summed weight.
  public static func adam(
    parameters: UnsafeMutablePointer<Float>, gradient: UnsafePointer<Float>,
    first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>, count: Int, step: Int,
    learningRate: Double, beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double,
    decoupled: Bool, gradientScale: Double
  ) {
    precondition(step >= 1, "steps of Adam are counted from 1, not \(step)")
    let correction1 = 1 - power(beta1, step)
    let correction2 = (1 - power(beta2, step)).squareRoot()
    let scale = Lanes(repeating: Float(gradientScale))
    let keep = Lanes(repeating: decoupled ? Float(1 - learningRate * weightDecay) : 1)
    let decay = Lanes(repeating: decoupled ? 0 : Float(weightDecay))
    let gain1 = Lanes(repeating: Float(1 - beta1))
    let factor2 = Lanes(repeating: Float(beta2))
    let gain2 = Lanes(repeating: Float(1 - beta2))
    let root2 = Lanes(repeating: Float(correction2))
    let small = Lanes(repeating: Float(epsilon))
    let rate = Lanes(repeating: Float(learningRate / correction1))
    @inline(__always) func update<Some: Access>(_ i: Int, _ access: Some) {
      let p = access.load(parameters + i) * keep
      let g = access.load(gradient + i) * scale + decay * p
      let oldFirst = access.load(first + i)
      let m = oldFirst + gain1 * (g - oldFirst)
      let v = access.load(second + i) * factor2 + gain2 * (g * g)
      access.store(m, first + i)
      access.store(v, second + i)
      let divisor = cvectors_sqrt(v) / root2 + small
      access.store(p - (rate * m) / divisor, parameters + i)
    }
    var i = 0
    while i &+ laneCount <= count {
      update(i, AllLanes())
      i &+= laneCount
    }
    if i < count { update(i, FirstLanes(count: count &- i)) }
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

/// How sixteen elements, or the fewer that are left, are read and written.
private protocol Access {
  func load(_ p: UnsafePointer<Float>) -> Lanes
  func store(_ x: Lanes, _ p: UnsafeMutablePointer<Float>)
}

private struct AllLanes: Access {
  @inline(__always) func load(_ p: UnsafePointer<Float>) -> Lanes { Kernels.load(p) }
  @inline(__always) func store(_ x: Lanes, _ p: UnsafeMutablePointer<Float>) {
    Kernels.store(x, p)
  }
}

private struct FirstLanes: Access {
  let count: Int
  @inline(__always) func load(_ p: UnsafePointer<Float>) -> Lanes {
    Kernels.load(p, first: count)
  }
  @inline(__always) func store(_ x: Lanes, _ p: UnsafeMutablePointer<Float>) {
    Kernels.store(x, p, first: count)
  }
}

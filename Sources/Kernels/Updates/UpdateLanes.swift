// The parts of the passes of optimisers: sixteen elements at a time.

import CVectors
import Numerics

/// The slopes of penalties, which are added to the mean of the gradients.
protocol Penalties {
  /// The gradient that a rule sees, from the sum of gradients and the parameters.
  func gradient(_ g: Lanes, _ p: Lanes) -> Lanes
}

/// `scale·g + decay·p`.
struct Decay: Penalties {
  let scale: Lanes
  let decay: Lanes

  init(scale: Double, decay: Double) {
    self.scale = Lanes(repeating: Float(scale))
    self.decay = Lanes(repeating: Float(decay))
  }

  @inline(__always) func gradient(_ g: Lanes, _ p: Lanes) -> Lanes { g * scale + decay * p }
}

/// `scale·g + decay·p + l1·sign(p)`.
struct DecayAndSign: Penalties {
  let decay: Decay
  let l1: Lanes

  init(_ decay: Decay, l1: Double) {
    self.decay = decay
    self.l1 = Lanes(repeating: Float(l1))
  }

  @inline(__always) func gradient(_ g: Lanes, _ p: Lanes) -> Lanes {
    let zero = Lanes(repeating: 0)
    let slope = zero.replacing(with: l1, where: p .> zero).replacing(with: -l1, where: p .< zero)
    return decay.gradient(g, p) + slope
  }
}

/// The moments of Adam and what is made of them in one step.
struct Moments {
  /// The factor by which the first moment falls short of the mean of gradients.
  let correction1: Double
  private let gain1: Lanes
  private let factor2: Lanes
  private let gain2: Lanes
  private let root2: Lanes
  private let small: Lanes

  init(_ moments: AdamMoments) {
    let (step, beta1, beta2) = (moments.step, moments.beta1, moments.beta2)
    precondition(step >= 1, "steps of Adam are counted from 1, not \(step)")
    correction1 = 1 - Update.power(beta1, step)
    gain1 = Lanes(repeating: Float(1 - beta1))
    factor2 = Lanes(repeating: Float(beta2))
    gain2 = Lanes(repeating: Float(1 - beta2))
    root2 = Lanes(repeating: Float((1 - Update.power(beta2, step)).squareRoot()))
    small = Lanes(repeating: Float(moments.epsilon))
  }

  /// `m + (1 − β₁)·(g − m)` and `β₂·v + (1 − β₂)·g²`.
  @inline(__always) func advanced(_ m: Lanes, _ v: Lanes, by g: Lanes) -> (Lanes, Lanes) {
    (m + gain1 * (g - m), v * factor2 + gain2 * (g * g))
  }

  /// `√v/√(1 − β₂ᵗ) + ε`.
  @inline(__always) func divisor(_ v: Lanes) -> Lanes { cvectors_sqrt(v) / root2 + small }
}

/// Calls `all` for each sixteen elements and `rest` for the fewer that are left.
@inline(__always)
func forEachIndex(
  _ count: Int, _ all: (Int, AllLanes) -> Void, _ rest: (Int, FirstLanes) -> Void
) {
  var i = 0
  while i &+ laneCount <= count {
    all(i, AllLanes())
    i &+= laneCount
  }
  if i < count { rest(i, FirstLanes(count: count &- i)) }
}

/// Does the same with a state that each call changes; captured, it would be allocated.
@inline(__always)
func forEachIndex<State>(
  _ count: Int, _ state: inout State, _ all: (Int, AllLanes, inout State) -> Void,
  _ rest: (Int, FirstLanes, inout State) -> Void
) {
  var i = 0
  while i &+ laneCount <= count {
    all(i, AllLanes(), &state)
    i &+= laneCount
  }
  if i < count { rest(i, FirstLanes(count: count &- i), &state) }
}

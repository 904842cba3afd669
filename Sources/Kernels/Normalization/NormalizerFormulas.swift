// The formulas of a normaliser, element by element, and the terms that it sums along rows.

import Numerics

/// The group that each lane belongs to.
protocol LaneGroups {
  /// The numbers of the lanes' groups.
  func lanes(_ p: UnsafePointer<Float>) -> Lanes
}

/// One group for all lanes.
struct SameGroup: LaneGroups {
  let group: Int
  @inline(__always) func lanes(_ p: UnsafePointer<Float>) -> Lanes { Lanes(repeating: p[group]) }
}

/// A group for each lane.
struct OwnGroups<Some: Access>: LaneGroups {
  let first: Int
  let access: Some
  @inline(__always) func lanes(_ p: UnsafePointer<Float>) -> Lanes { access.read(p + first) }
}

/// A function of two elements and of what is known of their group.
protocol GroupFormula {
  associatedtype Known
  func known<Groups: LaneGroups>(_ groups: Groups) -> Known
  func value(_ known: Known, _ a: Lanes, _ b: Lanes) -> Lanes
}

/// The formula `γ · x̂ + β`.
struct Normalized: GroupFormula {
  let mean: UnsafePointer<Float>
  let inverse: UnsafePointer<Float>
  let scale: UnsafePointer<Float>
  let shift: UnsafePointer<Float>

  @inline(__always)
  func known<Groups: LaneGroups>(_ groups: Groups) -> (mean: Lanes, slope: Lanes, shift: Lanes) {
    (groups.lanes(mean), groups.lanes(scale) * groups.lanes(inverse), groups.lanes(shift))
  }

  @inline(__always)
  func value(_ known: (mean: Lanes, slope: Lanes, shift: Lanes), _ x: Lanes, _: Lanes) -> Lanes {
    (x - known.mean) * known.slope + known.shift
  }
}

/// The formula `γ / √(σ² + ε) · (c − t / n − x̂ · s / n)`.
struct InputGradient: GroupFormula {
  struct Known {
    let mean: Lanes
    let inverse: Lanes
    let shiftShare: Lanes
    let scaleShare: Lanes
    let slope: Lanes
  }

  let mean: UnsafePointer<Float>
  let inverse: UnsafePointer<Float>
  let scale: UnsafePointer<Float>
  let s: UnsafePointer<Float>
  let t: UnsafePointer<Float>
  let share: Float

  @inline(__always)
  func known<Groups: LaneGroups>(_ groups: Groups) -> Known {
    let share = Lanes(repeating: share)
    let inverse = groups.lanes(inverse)
    return Known(
      mean: groups.lanes(mean), inverse: inverse, shiftShare: groups.lanes(t) * share,
      scaleShare: groups.lanes(s) * share, slope: groups.lanes(scale) * inverse)
  }

  @inline(__always)
  func value(_ known: Known, _ cotangent: Lanes, _ x: Lanes) -> Lanes {
    let normal = (x - known.mean) * known.inverse
    return known.slope * (cotangent - known.shiftShare - normal * known.scaleShare)
  }
}

/// The formula `c · x̂`.
struct NormalTerm: GroupFormula {
  let mean: UnsafePointer<Float>
  let inverse: UnsafePointer<Float>

  @inline(__always)
  func known<Groups: LaneGroups>(_ groups: Groups) -> (mean: Lanes, inverse: Lanes) {
    (groups.lanes(mean), groups.lanes(inverse))
  }

  @inline(__always)
  func value(_ known: (mean: Lanes, inverse: Lanes), _ cotangent: Lanes, _ x: Lanes) -> Lanes {
    cotangent * ((x - known.mean) * known.inverse)
  }
}

/// The formula `(x − μ)²`.
struct SquaredDeviation: GroupFormula {
  let mean: UnsafePointer<Float>

  @inline(__always)
  func known<Groups: LaneGroups>(_ groups: Groups) -> Lanes { groups.lanes(mean) }

  @inline(__always)
  func value(_ mean: Lanes, _ x: Lanes, _: Lanes) -> Lanes {
    let deviation = x - mean
    return deviation * deviation
  }
}

/// The squares of the deviations from a mean.
struct SquaredDeviations: LaneTerms {
  let a: UnsafePointer<Float>
  let mean: Float

  @inline(__always) func lanes(at i: Int) -> Lanes { square(load(a + i)) }
  @inline(__always) func lanes(at i: Int, first count: Int) -> Lanes {
    square(load(a + i, first: count, filler: mean))
  }
  @inline(__always) private func square(_ x: Lanes) -> Lanes {
    let deviation = x - Lanes(repeating: mean)
    return deviation * deviation
  }
}

/// The products of a cotangent and what is normalised.
struct NormalTerms: LaneTerms {
  let cotangent: UnsafePointer<Float>
  let x: UnsafePointer<Float>
  let mean: Lanes
  let inverse: Lanes

  @inline(__always) func lanes(at i: Int) -> Lanes {
    load(cotangent + i) * ((load(x + i) - mean) * inverse)
  }
  @inline(__always) func lanes(at i: Int, first count: Int) -> Lanes {
    load(cotangent + i, first: count) * ((load(x + i, first: count) - mean) * inverse)
  }
}

// One step of running averages over a range of flat vectors.

import Numerics

extension Update {
  /// Moves running averages: `s ← (1 − m)·s + m·(scale·sum)`.
  ///
  /// - Parameters:
  ///   - states: The averages `s`, changed in place.
  ///   - sum: The sum over rows of what they follow.
  ///   - count: The number of elements.
  ///   - momentum: The weight `m` of what is new.
  ///   - scale: One over the number of rows.
  public static func follow(
    states: UnsafeMutablePointer<Float>, sum: UnsafePointer<Float>, count: Int, momentum: Double,
    scale: Double
  ) {
    let (keep, gain) = (Lanes(repeating: Float(1 - momentum)), Lanes(repeating: Float(momentum)))
    let scale = Lanes(repeating: Float(scale))
    forEachLanes(states, sum, into: states, count: count) { s, sum in
      keep * s + gain * (sum * scale)
    }
  }
}

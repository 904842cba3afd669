// Floats of eight bits of precision, as gradients may be sent between hosts.

/// Rounding to bfloat16, the upper half of a `Float`, with what was lost kept for the next time.
public enum BFloat16 {
  /// Rounds `values + residual` to nearest, ties to even, and keeps in `residual` what was lost.
  ///
  /// Source of error feedback: Seide et al., *1-Bit Stochastic Gradient Descent* (2014), section 3.
  ///
  /// - Parameters:
  ///   - values: The numbers; finite.
  ///   - residual: The error carried so far, changed in place.
  ///   - target: Gets the rounded numbers.
  ///   - count: The number of elements, a multiple of 16.
  public static func encode(
    _ values: UnsafePointer<Float>, residual: UnsafeMutablePointer<Float>,
    into target: UnsafeMutablePointer<UInt16>, count: Int
  ) {
    precondition(count % laneCount == 0, "\(count) elements are not whole vectors")
    var i = 0
    while i < count {
      let wanted = load(values + i) + load(residual + i)
      let bits = unsafeBitCast(wanted, to: SIMD16<UInt32>.self)
      let isOdd = (bits &>> 16) & 1
      let rounded = (bits &+ 0x7fff &+ isOdd) & 0xffff_0000
      store(wanted - unsafeBitCast(rounded, to: Lanes.self), residual + i)
      UnsafeMutableRawPointer(target + i).storeBytes(
        of: SIMD16<UInt16>(truncatingIfNeeded: rounded &>> 16), as: SIMD16<UInt16>.self)
      i &+= laneCount
    }
  }

  /// Widens numbers to `Float`, exactly.
  ///
  /// - Parameters:
  ///   - source: The rounded numbers.
  ///   - target: Gets them as `Float`.
  ///   - count: The number of elements, a multiple of 16.
  public static func decode(
    _ source: UnsafePointer<UInt16>, into target: UnsafeMutablePointer<Float>, count: Int
  ) {
    precondition(count % laneCount == 0, "\(count) elements are not whole vectors")
    var i = 0
    while i < count {
      let half = UnsafeRawPointer(source + i).loadUnaligned(as: SIMD16<UInt16>.self)
      let bits = SIMD16<UInt32>(truncatingIfNeeded: half) &<< 16
      store(unsafeBitCast(bits, to: Lanes.self), target + i)
      i &+= laneCount
    }
  }
}

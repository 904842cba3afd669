// Elementary functions of `Float` and of lanes of `Float`: the same bits on every machine, whatever
// its mathematical library. `Elementary+Double.swift` holds those of `Double`.

/// Elementary functions that give the same bits everywhere.
///
/// Branch-free sums, products and quotients in a written order: a lane of a vector gets the bits of
/// the function of one number. Infinities and NaN go where IEEE 754 sends them, denormal arguments
/// and results included. Errors are stated in units in the last place (ulp) of the result.
public enum Elementary {
  /// The exponential `eˣ`, within 1 ulp.
  @_transparent
  public static func exp<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    let (excess, exponent) = reducedExponential(x)
    return scaled(excess + Lanes(lanes: 1), by: exponent)
  }

  /// The natural logarithm, within 1 ulp; −∞ at zero, not a number below it.
  ///
  /// `x = 2ᵉ·m` with `√½ ≤ m < √2`, and a polynomial in `m − 1`.
  /// Source: Cephes `logf` (coefficients), https://www.netlib.org/cephes/.
  @_transparent
  public static func log<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    // Denormal numbers are taken times 2²³: all bits of this are set for them, none for others.
    let isDenormal = x.bits.adding(-0x0080_0000).shiftedRight(31)
    let normal = x * Lanes(bits: isDenormal.masked(23 << 23).adding(0x3F80_0000))
    // Counted from the bits of √½, the exponent field is e and the rest belongs to m.
    let rootHalf: Int32 = 0x3F35_04F3
    let fromRoot = normal.bits.adding(-rootHalf)
    let exponent = fromRoot.shiftedRight(23).subtracting(isDenormal.masked(23))
    let e = number(exponent, as: Lanes.self)
    let f = Lanes(bits: fromRoot.masked(0x007F_FFFF).adding(rootHalf)) - Lanes(lanes: 1)
    let finite = logarithm(ofOneMoreThan: f, exponent: e)

    // The rest by integers, as comparisons of floats here cost more than the polynomial: what is
    // added is x itself at infinity and NaN, NaN below zero, −∞ at both zeros, else 0.
    let none = x.bits.masked(0)
    let isBeyond = none.adding(0x7F7F_FFFF).subtracting(x.bits).shiftedRight(31)
    let isBelow = none.adding(.min).subtracting(x.bits).masked(x.bits).shiftedRight(31)
    let isZero = x.bits.masked(.max).adding(-1).shiftedRight(31)
    let special = x.bits.masked(.max).masked(isBeyond).combined(isBelow.masked(0x7FC0_0000))
    return (finite + Lanes(bits: special)) - Lanes(bits: isZero.masked(0x7F80_0000))
  }

  /// The logarithm of `2ᵉ · (1 + f)` for `√½ ≤ 1 + f < √2` and a whole number e.
  @usableFromInline @_transparent
  static func logarithm<Lanes: FloatLanes>(ofOneMoreThan f: Lanes, exponent e: Lanes) -> Lanes {
    let f2 = f * f
    var p = Lanes(lanes: 7.037683629e-2)
    p = p * f + Lanes(lanes: -1.151461031e-1)
    p = p * f + Lanes(lanes: 1.167699874e-1)
    p = p * f + Lanes(lanes: -1.2420140846e-1)
    p = p * f + Lanes(lanes: 1.4249322787e-1)
    p = p * f + Lanes(lanes: -1.6668057665e-1)
    p = p * f + Lanes(lanes: 2.0000714765e-1)
    p = p * f + Lanes(lanes: -2.4999993993e-1)
    p = p * f + Lanes(lanes: 3.3333331174e-1)
    // log 2 = 0.693359375 − 2.12194440e-4, the first part exact times any e.
    let low = p * f * f2 + e * Lanes(lanes: -2.1219444e-4) - f2 * Lanes(lanes: 0.5)
    return (f + low) + e * Lanes(lanes: 0.693359375)
  }

  /// The hyperbolic tangent, within 2 ulp.
  ///
  /// `1 − 2z / (1 + z)` with `z = e^(−2|x|)` from 0.55 on, below it an odd polynomial of degree 11.
  /// Source: Cephes `tanhf` (coefficients), https://www.netlib.org/cephes/.
  @_transparent
  public static func tanh<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    let one = Lanes(lanes: 1)
    let minusTwo = Lanes(lanes: -2)
    let magnitude = Lanes(bits: x.bits.masked(0x7FFF_FFFF))
    let z = exp(magnitude * minusTwo)
    let far = one + minusTwo * z / (one + z)
    let x2 = x * x
    var p = Lanes(lanes: -5.70498872745e-3)
    p = p * x2 + Lanes(lanes: 2.06390887954e-2)
    p = p * x2 + Lanes(lanes: -5.37397155531e-2)
    p = p * x2 + Lanes(lanes: 1.33314422036e-1)
    p = p * x2 + Lanes(lanes: -3.33332819422e-1)
    let near = p * x2 * magnitude + magnitude
    let result = Lanes.choose(near, where: magnitude, isBelow: Lanes(lanes: 0.55), else: far)
    return Lanes(bits: result.bits.masked(0x7FFF_FFFF).combined(x.bits.masked(.min)))
  }

  /// The error function, within 1.5 ulp.
  ///
  /// `1 − e^(−p(|x|))` from 0.93 on, below it an odd polynomial of degree 11.
  /// Source: N. Juffa, https://forums.developer.nvidia.com/t/53413 (coefficients).
  @_transparent
  public static func erf<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    let t = Lanes(bits: x.bits.masked(.max))
    let s = x * x
    var p = Lanes(lanes: -1.72853470e-5) * t + Lanes(lanes: 3.83197126e-4)
    p = p * s + (Lanes(lanes: -3.88396438e-3) * t + Lanes(lanes: 2.42546219e-2))
    p = p * t + Lanes(lanes: -1.06777877e-1)
    p = p * t + Lanes(lanes: -6.34846687e-1)
    p = p * t + Lanes(lanes: -1.28717512e-1)
    let far = Lanes(lanes: 1) - exp(p * t - t)
    var q = Lanes(lanes: -5.96761703e-4)
    q = q * s + Lanes(lanes: 4.99119423e-3)
    q = q * s + Lanes(lanes: -2.67681349e-2)
    q = q * s + Lanes(lanes: 1.12819925e-1)
    q = q * s + Lanes(lanes: -3.76125336e-1)
    q = q * s + Lanes(lanes: 1.28379166e-1)
    let near = q * x + x
    let limit = Lanes(lanes: 0.927734375)
    let magnitude = Lanes.choose(far, where: limit, isBelow: t, else: near)
    return Lanes(bits: magnitude.bits.masked(.max).combined(x.bits.masked(.min)))
  }

  /// The logistic function `1 / (1 + e⁻ˣ)`, within 2 ulp.
  ///
  /// From `z = e^(−|x|)`, so that it neither overflows nor loses small results: `z / (1 + z)` below
  /// zero, `1 / (1 + z)` from zero on, less what `1 + z` lost in rounding.
  @_transparent
  public static func sigmoid<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    let one = Lanes(lanes: 1)
    let z = exp(Lanes(bits: x.bits.masked(0x7FFF_FFFF)) * Lanes(lanes: -1))
    let zero = Lanes(lanes: 0)
    let divisor = one + z
    let lost = z - (divisor - one)
    let quotient = Lanes.choose(z, where: x, isBelow: zero, else: one) / divisor
    // 1 / (1 + z) is the quotient from zero on and the rest of 1 below it.
    let reciprocal = Lanes.choose(one - quotient, where: x, isBelow: zero, else: quotient)
    return quotient - quotient * (lost * reciprocal)
  }

  /// Splits `eˣ` into `2ⁿ · (1 + excess)`, for use before ``scaled(_:by:)``.
  ///
  /// `x = n·log 2 + r` with `|r| ≤ log 2 / 2`; excess is `eʳ − 1`, a polynomial of degree 7 in `r`
  /// whose first term is `r` itself, so that it keeps its precision near zero.
  /// Source: Cephes `expf` (coefficients), https://www.netlib.org/cephes/.
  @usableFromInline @_transparent
  static func reducedExponential<Lanes: FloatLanes>(
    _ x: Lanes
  ) -> (excess: Lanes, exponent: Lanes.Bits) {
    // Beyond these the result is infinite or rounds to zero; a NaN stays one.
    let (top, bottom) = (Lanes(lanes: 89), Lanes(lanes: -104))
    var bounded = Lanes.choose(top, where: top, isBelow: x, else: x)
    bounded = Lanes.choose(bottom, where: bounded, isBelow: bottom, else: bounded)
    // Adding 1.5 · 2²³ rounds to a whole number and leaves it in the low bits.
    let rounded = bounded * Lanes(lanes: 1.442695041) + Lanes(lanes: 0x1.8p23)
    let n = rounded - Lanes(lanes: 0x1.8p23)
    // log 2 = 0.693359375 − 2.12194440e-4, the first part exact times any n.
    let high = bounded - n * Lanes(lanes: 0.693359375)
    let low = n * Lanes(lanes: -2.1219444e-4)
    let r = high - low
    var p = Lanes(lanes: 1.98756915e-4)
    p = p * r + Lanes(lanes: 1.3981999507e-3)
    p = p * r + Lanes(lanes: 8.3334519073e-3)
    p = p * r + Lanes(lanes: 4.1665795894e-2)
    p = p * r + Lanes(lanes: 1.6666665459e-1)
    p = p * r + Lanes(lanes: 5.0000001201e-1)
    // Not r but its two parts, so that the rounding of r does not enter.
    return ((p * (r * r) - low) + high, rounded.bits.adding(-0x4B40_0000))
  }

  /// The product `x · 2ⁿ` for `−252 ≤ n ≤ 254`, rounded once where `x` is near 1.
  @usableFromInline @_transparent
  static func scaled<Lanes: FloatLanes>(_ x: Lanes, by exponent: Lanes.Bits) -> Lanes {
    let half = exponent.shiftedRight(1)
    let rest = exponent.subtracting(half)
    return x * Lanes(bits: half.adding(127).shiftedLeft(23))
      * Lanes(bits: rest.adding(127).shiftedLeft(23))
  }

  /// Whole numbers below 2²² as floats, without the conversion that few CPUs have for vectors.
  @usableFromInline @_transparent
  static func number<Lanes: FloatLanes>(_ bits: Lanes.Bits, as: Lanes.Type) -> Lanes {
    Lanes(bits: bits.adding(0x4B40_0000)) - Lanes(lanes: 0x1.8p23)
  }
}

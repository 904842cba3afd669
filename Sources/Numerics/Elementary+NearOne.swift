// Exponentials less one and logarithms near one, of `Float` and of lanes of `Float`: no digit is lost where what
// is taken off, or added, is nearly all there is.

extension Elementary {
  /// The exponential less one, `eˣ − 1`, within 1.5 ulp.
  ///
  /// `2ⁿ · ((eʳ − 1) + (1 − 2⁻ⁿ))`, whose second term is exact wherever it matters.
  @_transparent
  public static func expm1<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    let one = Lanes(lanes: 1)
    // From −18 down the result rounds to −1; a NaN stays one.
    let bottom = Lanes(lanes: -40)
    let (excess, exponent) = reducedExponential(
      Lanes.choose(bottom, where: x, isBelow: bottom, else: x))
    let reverse = exponent.masked(0).subtracting(exponent)
    let result = scaled(excess + (one - scaled(one, by: reverse)), by: exponent)
    // The sign is that of x, which matters at −0.
    return Lanes(bits: result.bits.combined(x.bits.masked(.min)))
  }

  /// The logarithm of one more, `log(1 + x)`, within 1.5 ulp; −∞ at −1, not a number below it.
  @_transparent
  public static func log1p<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    let (minusOne, infinity) = (Lanes(lanes: -1), Lanes(lanes: .infinity))
    let finite = logarithmOfOneMore(x)
    let pole = Lanes.choose(
      Lanes(lanes: .nan), where: x, isBelow: minusOne, else: infinity * minusOne)
    let result = Lanes.choose(finite, where: minusOne, isBelow: x, else: pole)
    // Infinity, and what is not a number, stays what it is.
    return Lanes.choose(result, where: x, isBelow: infinity, else: x)
  }

  /// The softplus `log(1 + eˣ)`, within 2.1 ulp: `max(x, 0) + log(1 + z)` with `z = e^(−|x|)`.
  ///
  /// `log(1 + z) = z − s · (z − R)` with `s = z / (2 + z)`, at most 1/3, and a polynomial R in `s²`: half of the time
  /// of ``log1p(_:)``.
  /// Source: fdlibm `e_log.c` (method), https://www.netlib.org/fdlibm/; coefficients least in relative error.
  @_transparent
  public static func softplus<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    let zero = Lanes(lanes: 0)
    let z = exp(Lanes(bits: x.bits.masked(.max)) * Lanes(lanes: -1))
    let s = z / (z + Lanes(lanes: 2))
    let w = s * s
    var p = Lanes(lanes: 0.29425317)
    p = p * w + Lanes(lanes: 0.27661729)
    p = p * w + Lanes(lanes: 0.40047753)
    p = p * w + Lanes(lanes: 0.6666577)
    return Lanes.choose(zero, where: x, isBelow: zero, else: x) + (z - s * (z - p * w))
  }

  /// The logarithm `log(1 + x)` of a finite `x` above −1.
  ///
  /// `1 + x = 2ᵉ · (1 + f)` with `√½ ≤ 1 + f < √2`. The sum is rounded to find e alone; `f` is
  /// `x · 2⁻ᵉ + (2⁻ᵉ − 1)`, which is x itself where `e` is 0.
  /// Source: Cephes `logf` (coefficients), https://www.netlib.org/cephes/.
  @usableFromInline @_transparent
  static func logarithmOfOneMore<Lanes: FloatLanes>(_ x: Lanes) -> Lanes {
    let one = Lanes(lanes: 1)
    let rootHalf: Int32 = 0x3F35_04F3
    let exponent = (one + x).bits.adding(-rootHalf).shiftedRight(23)
    let reverse = exponent.masked(0).subtracting(exponent)
    let f = scaled(x, by: reverse) + (scaled(one, by: reverse) - one)
    let result = logarithm(ofOneMoreThan: f, exponent: number(exponent, as: Lanes.self))
    return Lanes(bits: result.bits.combined(x.bits.masked(.min)))
  }
}

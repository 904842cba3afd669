// Elementary functions of `Double`, for random draws and for whoever needs the same bits everywhere.

extension Elementary {
  /// The exponential `eˣ`, within 1 ulp.
  ///
  /// Source: fdlibm `e_exp.c` (method and coefficients), https://www.netlib.org/fdlibm/.
  public static func exp(_ x: Double) -> Double {
    if x.isNaN { return x }
    if x > 709.782712893384 { return .infinity }
    if x < -745.1332191019412 { return 0 }
    let (excess, n) = reducedExponential(x)
    let half = n >> 1
    return (1 + excess) * powerOfTwo(half) * powerOfTwo(n - half)
  }

  /// The natural logarithm, within 1 ulp; −∞ at zero, not a number below it.
  ///
  /// Source: fdlibm `e_log.c` (method and coefficients), https://www.netlib.org/fdlibm/.
  public static func log(_ x: Double) -> Double {
    if x < 0 { return .nan }
    if x == 0 { return -.infinity }
    guard x.isFinite else { return x }
    let isSmall = x < .leastNormalMagnitude
    let normal = isSmall ? x * 0x1p54 : x
    let rootHalf: Int64 = 0x3FE6_A09E_667F_3BCD
    let fromRoot = Int64(bitPattern: normal.bitPattern) - rootHalf
    let e = Double((fromRoot >> 52) - (isSmall ? 54 : 0))
    let m = Double(bitPattern: UInt64((fromRoot & 0x000F_FFFF_FFFF_FFFF) + rootHalf))
    return logarithm(ofOneMoreThan: m - 1, exponent: e)
  }

  /// The exponential less one, `eˣ − 1`, within 2 ulp.
  ///
  /// `2ⁿ · ((eʳ − 1) + (1 − 2⁻ⁿ))`, whose second term is exact wherever it matters.
  public static func expm1(_ x: Double) -> Double {
    if x.isNaN || x.magnitude < 0x1p-54 { return x }
    if x > 709.782712893384 { return .infinity }
    if x < -40 { return -1 }
    let (excess, n) = reducedExponential(x)
    let half = n >> 1
    let rest = n > 60 ? 1 : 1 - powerOfTwo(-n)
    return (excess + rest) * powerOfTwo(half) * powerOfTwo(n - half)
  }

  /// The logarithm of one more, `log(1 + x)`, within 1.5 ulp; −∞ at −1, not a number below it.
  ///
  /// `1 + x = 2ᵉ · (1 + f)`. The sum is rounded to find e alone; `f` is `x · 2⁻ᵉ + (2⁻ᵉ − 1)`, which is x
  /// itself where `e` is 0.
  public static func log1p(_ x: Double) -> Double {
    if x.isNaN || x.magnitude < 0x1p-54 { return x }
    if x <= -1 { return x == -1 ? -.infinity : .nan }
    // From here on the one is lost in rounding.
    if x > 0x1p60 { return log(x) }
    let rootHalf: Int64 = 0x3FE6_A09E_667F_3BCD
    let e = Int((Int64(bitPattern: (1 + x).bitPattern) - rootHalf) >> 52)
    let power = powerOfTwo(-e)
    return logarithm(ofOneMoreThan: x * power + (power - 1), exponent: Double(e))
  }

  /// The softplus `log(1 + eˣ)`, within 2 ulp.
  public static func softplus(_ x: Double) -> Double {
    (x < 0 ? 0 : x) + log1p(exp(-x.magnitude))
  }

  /// The logarithm of `2ᵉ · (1 + f)` for `√½ ≤ 1 + f < √2` and a whole number e.
  private static func logarithm(ofOneMoreThan f: Double, exponent e: Double) -> Double {
    let s = f / (2 + f)
    let z = s * s
    var p = 1.479819860511658591e-1
    p = p * z + 1.531383769920937332e-1
    p = p * z + 1.818357216161805012e-1
    p = p * z + 2.222219843214978396e-1
    p = p * z + 2.857142874366239149e-1
    p = p * z + 3.999999999940941908e-1
    p = p * z + 6.666666666666735130e-1
    let halfSquare = 0.5 * f * f
    return e * log2High - ((halfSquare - (s * (halfSquare + p * z) + e * log2Low)) - f)
  }

  /// The hyperbolic tangent, within 2.5 ulp.
  ///
  /// `1 − 2z / (1 + z)` with `z = e^(−2|x|)` from 0.55 on, `(1 − z) / (1 + z)` without loss of digits
  /// below.
  public static func tanh(_ x: Double) -> Double {
    if x.isNaN || x.magnitude < 0x1p-28 { return x }
    // From 22 on the result rounds to 1.
    let magnitude = min(x.magnitude, 22)
    let (excess, n) = reducedExponential(-2 * magnitude)
    let power = powerOfTwo(n)
    let z = power * (1 + excess)
    let result =
      magnitude < 0.55 ? -(power * excess + (power - 1)) / (1 + z) : 1 - 2 * z / (1 + z)
    return x.sign == .minus ? -result : result
  }

  /// The error function, within 4 ulp.
  ///
  /// `2/√π · e^−x² · Σₙ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!!`, whose terms are all of one sign.
  /// Source: NIST Digital Library of Mathematical Functions, 7.6.2, https://dlmf.nist.gov/7.6.
  public static func erf(_ x: Double) -> Double {
    if x.isNaN { return x }
    // From 6 on the result rounds to 1.
    if x.magnitude >= 6 { return x.sign == .minus ? -1 : 1 }
    var (term, sum, n) = (x, x, 1.0)
    while term.magnitude > sum.magnitude * 0x1p-56 {
      term *= 2 * x * x / (2 * n + 1)
      sum += term
      n += 1
    }
    return sum * exp(-x * x) * (2 / Double.pi.squareRoot())
  }

  /// The logistic function `1 / (1 + e⁻ˣ)`, within 2 ulp.
  public static func sigmoid(_ x: Double) -> Double {
    let z = exp(-x.magnitude)
    return (x < 0 ? z : 1) / (1 + z)
  }

  /// The cosine of `2π·turns`, within 2 ulp of 1, for `|turns| < 2⁴⁹`; exact at quarter turns.
  public static func cosine(turns: Double) -> Double { sine(turns: turns, quarters: 1) }

  /// The sine of `2π·turns`, within 2 ulp of 1, for `|turns| < 2⁴⁹`; exact at quarter turns.
  public static func sine(turns: Double) -> Double { sine(turns: turns, quarters: 0) }

  /// The sine of `2π·turns + quarters·π/2`.
  ///
  /// Turns are reduced to an eighth of a turn without rounding.
  /// Source: fdlibm `k_sin.c` and `k_cos.c` (coefficients), https://www.netlib.org/fdlibm/.
  private static func sine(turns: Double, quarters: Int) -> Double {
    guard turns.magnitude < 0x1p49 else { return .nan }
    let nearest = rounded(turns * 4)
    let angle = (turns - nearest * 0.25) * 6.283185307179586
    let z = angle * angle
    let value: Double
    let quadrant = (Int(nearest) &+ quarters) & 3
    if quadrant & 1 == 0 {
      var p = 1.58969099521155010221e-10
      p = p * z - 2.50507602534068634195e-8
      p = p * z + 2.75573137070700676789e-6
      p = p * z - 1.98412698298579493134e-4
      p = p * z + 8.33333333332248946124e-3
      p = p * z - 1.66666666666666324348e-1
      value = angle + angle * z * p
    } else {
      var p = -1.13596475577881948265e-11
      p = p * z + 2.08757232129817482790e-9
      p = p * z - 2.75573143513906633035e-7
      p = p * z + 2.48015872894767294178e-5
      p = p * z - 1.38888888888741095749e-3
      p = p * z + 4.16666666666666019037e-2
      value = 1 - (0.5 * z - z * z * p)
    }
    return quadrant & 2 == 0 ? value : -value
  }

  private static let log2High = 6.93147180369123816490e-1
  private static let log2Low = 1.90821492927058770002e-10

  /// Splits `eˣ` into `2ⁿ · (1 + excess)`.
  private static func reducedExponential(_ x: Double) -> (excess: Double, n: Int) {
    let n = rounded(x * 1.44269504088896338700)
    let high = x - n * log2High
    let low = n * log2Low
    let r = high - low
    let t = r * r
    var p = 4.13813679705723846039e-8
    p = p * t - 1.65339022054652515390e-6
    p = p * t + 6.61375632143793436117e-5
    p = p * t - 2.77777777770155933842e-3
    p = p * t + 1.66666666666666019037e-1
    let c = r - t * p
    return (high - (low - r * c / (2 - c)), Int(n))
  }

  /// The nearest whole number, ties to even, for magnitudes below 2⁵¹; without libm's `rint`.
  private static func rounded(_ x: Double) -> Double { (x + 0x1.8p52) - 0x1.8p52 }

  /// The number 2ⁿ for `−1022 ≤ n ≤ 1023`.
  private static func powerOfTwo(_ n: Int) -> Double {
    Double(bitPattern: UInt64(n + 1023) << 52)
  }
}

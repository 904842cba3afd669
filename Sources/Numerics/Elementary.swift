// Elementary functions of `Float`: the same bits on every machine, whatever its mathematical library.
// `Elementary+Double.swift` holds those of `Double`.

import CElements

/// Elementary functions that give the same bits everywhere.
///
/// Branch-free sums, products and quotients in a written order: a number gets the bits that the kernels,
/// which are made of the same formulas, give it among others. Infinities and NaN go where IEEE 754 sends
/// them, denormal arguments and results included. Errors are stated in units in the last place (ulp) of the
/// result.
public enum Elementary {
  /// The exponential `eˣ`, within 1 ulp.
  public static func exp(_ x: Float) -> Float { celements_exp_of(x) }

  /// The exponential less one, `eˣ − 1`, within 1.5 ulp.
  public static func expm1(_ x: Float) -> Float { celements_expm1_of(x) }

  /// The natural logarithm, within 1 ulp; −∞ at zero, not a number below it.
  public static func log(_ x: Float) -> Float { celements_log_of(x) }

  /// The logarithm of one more, `log(1 + x)`, within 1.5 ulp; −∞ at −1, not a number below it.
  public static func log1p(_ x: Float) -> Float { celements_log1p_of(x) }

  /// The softplus `log(1 + eˣ)`, within 2.1 ulp.
  public static func softplus(_ x: Float) -> Float { celements_softplus_of(x) }

  /// The hyperbolic tangent, within 2 ulp.
  public static func tanh(_ x: Float) -> Float { celements_tanh_of(x) }

  /// The error function, within 1.5 ulp.
  public static func erf(_ x: Float) -> Float { celements_erf_of(x) }

  /// The logistic function `1 / (1 + e⁻ˣ)`, within 2 ulp.
  public static func sigmoid(_ x: Float) -> Float { celements_sigmoid_of(x) }
}

// Elementary functions of lanes: the same bits on every machine, whatever its mathematical library.
//
// Branch-free sums, products and quotients in a written order. Infinities and NaN go where IEEE 754 sends
// them, denormal arguments and results included. `Elementary` of Numerics says how exact they are.

/// The exponential less one of the reduced argument, and the exponent n of `eˣ = 2ⁿ · (excess + 1)`.
///
/// `x = n · log 2 + r` with `|r| ≤ ½ log 2`, and a polynomial in r, whose first term is `r` itself, so that
/// it keeps its precision near zero.
/// Source: Cephes `expf` (coefficients), https://www.netlib.org/cephes/.
INLINE Lanes reduced_exponential(Lanes x, Bits *exponent) {
  // Beyond these the result is infinite or rounds to zero; a NaN stays one.
  const Lanes top = 89, bottom = -104;
  const Lanes capped = choose(top, top, x, x);
  const Lanes bounded = choose(bottom, capped, bottom, capped);
  // Adding 1.5 · 2²³ rounds to a whole number and leaves it in the low bits.
  const Lanes rounded = bounded * 1.442695041f + 0x1.8p23f;
  const Lanes n = rounded - 0x1.8p23f;
  // log 2 = 0.693359375 − 2.12194440e-4, the first part exact times any n.
  const Lanes high = bounded - n * 0.693359375f;
  const Lanes low = n * -2.1219444e-4f;
  const Lanes r = high - low;
  Lanes p = 1.98756915e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  *exponent = bits_of(rounded) - 0x4B400000u;
  // Not r but its two parts, so that the rounding of r does not enter.
  return (p * (r * r) - low) + high;
}

/// The product `x · 2ⁿ` for `−252 ≤ n ≤ 254`, rounded once where `x` is near 1.
INLINE Lanes scaled(Lanes x, Bits exponent) {
  const Bits half = shifted_right(exponent, 1);
  const Bits rest = exponent - half;
  return x * lanes_of((half + 127u) << 23) * lanes_of((rest + 127u) << 23);
}

/// Whole numbers below 2²² as floats, without the conversion that few CPUs have for vectors.
INLINE Lanes number_of(Bits x) { return lanes_of(x + 0x4B400000u) - 0x1.8p23f; }

/// The magnitude of `x` with the sign of `sign`.
INLINE Lanes with_sign(Lanes x, Lanes sign) {
  return lanes_of((bits_of(x) & 0x7FFFFFFFu) | (bits_of(sign) & 0x80000000u));
}

INLINE Lanes magnitude(Lanes x) { return lanes_of(bits_of(x) & 0x7FFFFFFFu); }

INLINE Lanes exponential(Lanes x) {
  Bits exponent;
  const Lanes excess = reduced_exponential(x, &exponent);
  return scaled(excess + 1, exponent);
}

/// `2ⁿ · ((eʳ − 1) + (1 − 2⁻ⁿ))`, whose second term is exact wherever it matters.
INLINE Lanes exponential_less_one(Lanes x) {
  // From −18 down the result rounds to −1; a NaN stays one.
  const Lanes one = 1, bottom = -40;
  Bits exponent;
  const Lanes excess = reduced_exponential(choose(bottom, x, bottom, x), &exponent);
  const Lanes result = scaled(excess + (one - scaled(one, -exponent)), exponent);
  // The sign is that of x, which matters at −0.
  return lanes_of(bits_of(result) | (bits_of(x) & 0x80000000u));
}

/// The logarithm of `2ᵉ · (1 + f)` for `√½ ≤ 1 + f < √2` and a whole number e.
///
/// Source: Cephes `logf` (coefficients), https://www.netlib.org/cephes/.
INLINE Lanes logarithm_of_parts(Lanes f, Lanes e) {
  const Lanes f2 = f * f;
  Lanes p = 7.037683629e-2f;
  p = p * f + -1.151461031e-1f;
  p = p * f + 1.167699874e-1f;
  p = p * f + -1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f + -1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f + -2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  // log 2 = 0.693359375 − 2.12194440e-4, the first part exact times any e.
  const Lanes low = p * f * f2 + e * -2.1219444e-4f - f2 * 0.5f;
  return (f + low) + e * 0.693359375f;
}

/// `x = 2ᵉ · m` with `√½ ≤ m < √2`, and a polynomial in `m − 1`.
INLINE Lanes logarithm(Lanes x) {
  const uint32_t root_half = 0x3F3504F3u;
  // Denormal numbers are taken times 2²³: all bits of this are set for them, none for others.
  const Bits is_denormal = shifted_right(bits_of(x) - 0x00800000u, 31);
  const Lanes normal = x * lanes_of((is_denormal & (23u << 23)) + 0x3F800000u);
  // Counted from the bits of √½, the exponent field is e and the rest belongs to m.
  const Bits from_root = bits_of(normal) - root_half;
  const Lanes e = number_of(shifted_right(from_root, 23) - (is_denormal & 23u));
  const Lanes f = lanes_of((from_root & 0x007FFFFFu) + root_half) - 1;
  const Lanes finite = logarithm_of_parts(f, e);

  // What is added is x itself at infinity and NaN, NaN below zero, −∞ at both zeros, else 0.
  const Bits x_bits = bits_of(x);
  const Bits is_beyond = shifted_right(0x7F7FFFFFu - x_bits, 31);
  const Bits is_below = shifted_right((0x80000000u - x_bits) & x_bits, 31);
  const Bits is_zero = shifted_right((x_bits & 0x7FFFFFFFu) - 1u, 31);
  const Bits special = (x_bits & 0x7FFFFFFFu & is_beyond) | (is_below & 0x7FC00000u);
  return (finite + lanes_of(special)) - lanes_of(is_zero & 0x7F800000u);
}

/// `1 + x = 2ᵉ · (1 + f)` with `√½ ≤ 1 + f < √2`. The sum is rounded to find e alone; `f` is
/// `x · 2⁻ᵉ + (2⁻ᵉ − 1)`, which is x itself where `e` is 0.
INLINE Lanes logarithm_of_one_more(Lanes x) {
  const Lanes one = 1, minus_one = -1, infinity = INFINITY;
  const Bits exponent = shifted_right(bits_of(one + x) - 0x3F3504F3u, 23);
  const Bits reverse = -exponent;
  const Lanes f = scaled(x, reverse) + (scaled(one, reverse) - one);
  const Lanes sum = logarithm_of_parts(f, number_of(exponent));
  const Lanes finite = lanes_of(bits_of(sum) | (bits_of(x) & 0x80000000u));
  const Lanes pole = choose(NAN, x, minus_one, -INFINITY);
  const Lanes result = choose(finite, minus_one, x, pole);
  // Infinity, and what is not a number, stays what it is.
  return choose(result, x, infinity, x);
}

/// `max(x, 0) + log(1 + z)` with `z = e^(−|x|)`.
///
/// `log(1 + z) = z − s · (z − R)` with `s = z / (2 + z)`, at most 1/3, and a polynomial R in `s²`: half of the
/// time of the logarithm of one more.
/// Source: fdlibm `e_log.c` (method), https://www.netlib.org/fdlibm/; coefficients least in relative error.
INLINE Lanes softplus(Lanes x) {
  const Lanes zero = 0;
  const Lanes z = exponential(magnitude(x) * -1);
  const Lanes s = z / (z + 2);
  const Lanes w = s * s;
  Lanes p = 0.29425317f;
  p = p * w + 0.27661729f;
  p = p * w + 0.40047753f;
  p = p * w + 0.6666577f;
  return choose(zero, x, zero, x) + (z - s * (z - p * w));
}

/// From `z = e^(−|x|)`, so that it neither overflows nor loses small results: `z / (1 + z)` below zero,
/// `1 / (1 + z)` from zero on, less what `1 + z` lost in rounding.
INLINE Lanes sigmoid(Lanes x) {
  const Lanes zero = 0, one = 1;
  const Lanes z = exponential(magnitude(x) * -1);
  const Lanes divisor = one + z;
  const Lanes lost = z - (divisor - one);
  const Lanes quotient = choose(z, x, zero, one) / divisor;
  // 1 / (1 + z) is the quotient from zero on and the rest of 1 below it.
  const Lanes reciprocal = choose(one - quotient, x, zero, quotient);
  return quotient - quotient * (lost * reciprocal);
}

/// `1 − 2z / (1 + z)` with `z = e^(−2|x|)` from 0.55 on, below it an odd polynomial of degree 11.
///
/// Source: Cephes `tanhf` (coefficients), https://www.netlib.org/cephes/.
INLINE Lanes hyperbolic_tangent(Lanes x) {
  const Lanes one = 1, minus_two = -2, limit = 0.55f;
  const Lanes size = magnitude(x);
  const Lanes z = exponential(size * minus_two);
  const Lanes far = one + minus_two * z / (one + z);
  const Lanes x2 = x * x;
  Lanes p = -5.70498872745e-3f;
  p = p * x2 + 2.06390887954e-2f;
  p = p * x2 + -5.37397155531e-2f;
  p = p * x2 + 1.33314422036e-1f;
  p = p * x2 + -3.33332819422e-1f;
  const Lanes near = p * x2 * size + size;
  return with_sign(choose(near, size, limit, far), x);
}

/// `1 − e^(−p(|x|))` from 0.93 on, below it an odd polynomial of degree 11.
///
/// Source: N. Juffa, https://forums.developer.nvidia.com/t/53413 (coefficients).
INLINE Lanes error_function(Lanes x) {
  const Lanes limit = 0.927734375f;
  const Lanes t = magnitude(x);
  const Lanes s = x * x;
  Lanes p = t * -1.72853470e-5f + 3.83197126e-4f;
  p = p * s + (t * -3.88396438e-3f + 2.42546219e-2f);
  p = p * t + -1.06777877e-1f;
  p = p * t + -6.34846687e-1f;
  p = p * t + -1.28717512e-1f;
  const Lanes far = 1 - exponential(p * t - t);
  Lanes q = -5.96761703e-4f;
  q = q * s + 4.99119423e-3f;
  q = q * s + -2.67681349e-2f;
  q = q * s + 1.12819925e-1f;
  q = q * s + -3.76125336e-1f;
  q = q * s + 1.28379166e-1f;
  const Lanes near = q * x + x;
  return with_sign(choose(far, limit, t, near), x);
}

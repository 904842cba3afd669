/// Sixteen floats; Swift sees SIMD16<Float>.
typedef float cvectors_float16 __attribute__((ext_vector_type(16)));

/// The correctly rounded root of each lane: one machine instruction, where Swift's own squareRoot()
/// tests every lane for a negative number and calls libm.
static inline cvectors_float16 cvectors_sqrt(cvectors_float16 x) {
  return __builtin_elementwise_sqrt(x);
}

/// Sixteen floats; Swift sees SIMD16<Float>.
typedef float cvectors_float16 __attribute__((ext_vector_type(16)));

/// The correctly rounded root of each lane: one machine instruction, where Swift's own squareRoot()
/// tests every lane for a negative number and calls libm.
static inline cvectors_float16 cvectors_sqrt(cvectors_float16 x) {
  return __builtin_elementwise_sqrt(x);
}

/// How the calling thread computes with numbers: rounding, and what is below the smallest normal one.
static inline unsigned long cvectors_arithmetic(void) {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr();
#elif defined(__aarch64__)
  unsigned long control;
  __asm__ volatile("mrs %0, fpcr" : "=r"(control));
  return control;
#else
  return 0;
#endif
}

static inline void cvectors_set_arithmetic(unsigned long control) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr((unsigned)control);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(control));
#endif
}

/// The bits that make numbers below the smallest normal one zero, in operands and results.
static inline unsigned long cvectors_flush_bits(void) {
#if defined(__x86_64__)
  return 0x8040;
#elif defined(__aarch64__)
  return 1ul << 24;
#else
  return 0;
#endif
}

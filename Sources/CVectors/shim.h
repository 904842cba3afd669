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

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/// The x86-64 level of the CPU that its operating system lets programs use: 4, 3 or 1; 0 elsewhere.
static inline int cvectors_level(void) {
#if defined(__x86_64__)
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 1;
  // FMA, MOVBE, XSAVE in use, AVX, F16C.
  const unsigned needed1 = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29;
  if ((c & needed1) != needed1) return 1;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & 0x6) != 0x6) return 1;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 1;
  // BMI1, AVX2, BMI2.
  const unsigned needed3 = 1u << 3 | 1u << 5 | 1u << 8;
  if ((b & needed3) != needed3) return 1;
  const unsigned all = b;
  // LZCNT.
  if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(c & 1u << 5)) return 1;
  // AVX-512 F, DQ, CD, BW, VL.
  const unsigned needed4 = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
  return (low & 0xE6) == 0xE6 && (all & needed4) == needed4 ? 4 : 3;
#else
  return 0;
#endif
}

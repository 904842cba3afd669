// Vectors of one instruction set, for the file that includes this one.
//
// CPRODUCTS_SET is defined before: 0, 1 or 2, as in the enumeration. NAME gives each function of a set its
// own name. Products and sums are joined only where fused() says so.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "CProducts.h"

#pragma STDC FP_CONTRACT OFF

#if CPRODUCTS_SET == 2
#include <immintrin.h>
#pragma clang attribute push(                                                       \
    __attribute__((target("avx2,fma,bmi,bmi2,avx512f,avx512dq,avx512bw,avx512vl"))), \
    apply_to = function)
#define NAME(name) name##_avx512
#define LANES 16
#elif CPRODUCTS_SET == 1
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx2,fma,bmi,bmi2"))), apply_to = function)
#define NAME(name) name##_avx2
#define LANES 8
#else
#define NAME(name) name##_baseline
#define LANES 4
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float Vector __attribute__((ext_vector_type(LANES)));
/// A vector anywhere in memory.
typedef float LooseVector __attribute__((ext_vector_type(LANES), aligned(4), may_alias));

INLINE Vector load(const float *p) { return *(const LooseVector *)p; }

INLINE void store(float *p, Vector x) { *(LooseVector *)p = x; }

/// Returns a·b + c, rounded once.
#if defined(__x86_64__) && CPRODUCTS_SET == 0
// Four calls of a function: not wherever it is used.
static __attribute__((noinline))
#else
INLINE
#endif
Vector fused(Vector a, Vector b, Vector c) { return __builtin_elementwise_fma(a, b, c); }

/// The lanes below a count.
#if CPRODUCTS_SET == 2
typedef __mmask16 Mask;
INLINE Mask first(ptrdiff_t count) {
  return count >= LANES ? (Mask)0xFFFF : (Mask)((1u << (count < 0 ? 0 : count)) - 1);
}
INLINE Vector load_some(const float *p, Mask mask) { return _mm512_maskz_loadu_ps(mask, p); }
INLINE void store_some(float *p, Vector x, Mask mask) { _mm512_mask_storeu_ps(p, mask, x); }
#elif CPRODUCTS_SET == 1
typedef __m256i Mask;
INLINE Mask first(ptrdiff_t count) {
  const int n = count > LANES ? LANES : count < 0 ? 0 : (int)count;
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE Vector load_some(const float *p, Mask mask) { return _mm256_maskload_ps(p, mask); }
INLINE void store_some(float *p, Vector x, Mask mask) { _mm256_maskstore_ps(p, mask, x); }
#else
typedef int Mask;
INLINE Mask first(ptrdiff_t count) { return count > LANES ? LANES : count < 0 ? 0 : (int)count; }
INLINE Vector load_some(const float *p, Mask mask) {
  Vector x = 0;
  for (int i = 0; i < mask; i++) x[i] = p[i];
  return x;
}
INLINE void store_some(float *p, Vector x, Mask mask) {
  for (int i = 0; i < mask; i++) p[i] = x[i];
}
#endif

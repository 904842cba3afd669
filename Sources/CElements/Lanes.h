// Sixteen floats at a time over pointers: what the loops of all kernels are made of.

#include <math.h>
#include <string.h>

#include "CElements.h"

#if MASKED_LANES
#include <immintrin.h>
#endif

#pragma STDC FP_CONTRACT OFF
// No function that takes or returns a vector leaves its file.
#pragma clang diagnostic ignored "-Wpsabi"

#define INLINE static inline __attribute__((always_inline, unused))

/// One AVX-512 register, two of AVX2, four of SSE or NEON.
typedef float Lanes __attribute__((ext_vector_type(16)));
/// The bit patterns of lanes; they wrap round.
typedef uint32_t Bits __attribute__((ext_vector_type(16)));

/// The number of lanes.
enum { lane_count = 16 };

INLINE Bits bits_of(Lanes x) { return __builtin_bit_cast(Bits, x); }

INLINE Lanes lanes_of(Bits x) { return __builtin_bit_cast(Lanes, x); }

/// Each lane shifted to the right, its sign copied in.
INLINE Bits shifted_right(Bits x, int count) {
  typedef int32_t Signed __attribute__((ext_vector_type(16)));
  return __builtin_bit_cast(Bits, __builtin_bit_cast(Signed, x) >> count);
}

/// `yes` in the lanes where `x < y`, `no` elsewhere, also where either is not a number.
INLINE Lanes choose(Lanes yes, Lanes x, Lanes y, Lanes no) { return x < y ? yes : no; }

INLINE Lanes load(const float *p) {
  Lanes x;
  memcpy(&x, p, sizeof x);
  return x;
}

INLINE void store(Lanes x, float *p) { memcpy(p, &x, sizeof x); }

#if MASKED_LANES

/// The mask of the first lanes, sixteen or fewer.
INLINE __mmask16 first_lanes(ptrdiff_t count) { return (__mmask16)((1u << count) - 1); }

/// Loads sixteen floats or fewer; the other lanes are `filler`.
INLINE Lanes load_first(const float *p, ptrdiff_t count, float filler) {
  return _mm512_mask_loadu_ps((Lanes)filler, first_lanes(count), p);
}

/// Stores the first lanes, sixteen or fewer.
INLINE void store_first(Lanes x, float *p, ptrdiff_t count) {
  _mm512_mask_storeu_ps(p, first_lanes(count), x);
}

#else

/// Copies fewer than seventeen floats as two pieces that may overlap: half the time of memmove.
INLINE void copy_first(const float *a, float *c, ptrdiff_t count) {
#define PIECES(floats)                                       \
  do {                                                       \
    char first[4 * (floats)], last[4 * (floats)];            \
    memcpy(first, a, sizeof first);                          \
    memcpy(last, a + count - (floats), sizeof last);         \
    memcpy(c, first, sizeof first);                          \
    memcpy(c + count - (floats), last, sizeof last);         \
  } while (0)
  if (count >= 8) {
    PIECES(8);
  } else if (count >= 4) {
    PIECES(4);
  } else if (count >= 2) {
    PIECES(2);
  } else if (count == 1) {
    *c = *a;
  }
#undef PIECES
}

/// Loads sixteen floats or fewer; the other lanes are `filler`.
INLINE Lanes load_first(const float *p, ptrdiff_t count, float filler) {
  Lanes x = filler;
  copy_first(p, (float *)&x, count);
  return x;
}

/// Stores the first lanes, sixteen or fewer.
INLINE void store_first(Lanes x, float *p, ptrdiff_t count) {
  copy_first((const float *)&x, p, count);
}

#endif

/// The larger of each lane; `b` where either is not a number.
INLINE Lanes larger(Lanes a, Lanes b) { return choose(a, b, a, b); }

/// The largest lane, of lanes that are numbers.
INLINE float largest_lane(Lanes x) {
  const __auto_type x8 = x.lo < x.hi ? x.hi : x.lo;
  const __auto_type x4 = x8.lo < x8.hi ? x8.hi : x8.lo;
  const __auto_type x2 = x4.lo < x4.hi ? x4.hi : x4.lo;
  return x2[0] < x2[1] ? x2[1] : x2[0];
}

/// The sum of the lanes in a fixed tree: eight plus eight, four plus four, and so on.
INLINE float lane_sum(Lanes x) {
  const __auto_type x8 = x.lo + x.hi;
  const __auto_type x4 = x8.lo + x8.hi;
  const __auto_type x2 = x4.lo + x4.hi;
  return x2[0] + x2[1];
}

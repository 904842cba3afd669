// Operands copied into panels: for each k, the lanes of some neighbouring columns.

#pragma once

#include "Lanes.h"

/// Transposes a square of vectors.
INLINE void transpose(Vector r[LANES]) {
  Vector t[LANES];
#if LANES == 4
#define LOW 0, 4, 1, 5
#define HIGH 2, 6, 3, 7
#define LOW2 0, 1, 4, 5
#define HIGH2 2, 3, 6, 7
#elif LANES == 8
#define LOW 0, 8, 1, 9, 4, 12, 5, 13
#define HIGH 2, 10, 3, 11, 6, 14, 7, 15
#define LOW2 0, 1, 8, 9, 4, 5, 12, 13
#define HIGH2 2, 3, 10, 11, 6, 7, 14, 15
#else
#define LOW 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define LOW2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define HIGH2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#endif
  // Squares of 4 × 4 in each quarter of 128 bits.
#pragma clang loop unroll(full)
  for (int i = 0; i < LANES; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], LOW);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], HIGH);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < LANES; i += 4) {
    r[i] = __builtin_shufflevector(t[i], t[i + 2], LOW2);
    r[i + 1] = __builtin_shufflevector(t[i], t[i + 2], HIGH2);
    r[i + 2] = __builtin_shufflevector(t[i + 1], t[i + 3], LOW2);
    r[i + 3] = __builtin_shufflevector(t[i + 1], t[i + 3], HIGH2);
  }
  // Then the squares among each other.
#if LANES == 8
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    t[i] = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    t[i + 4] = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < LANES; i++) r[i] = t[i];
#elif LANES == 16
#define EVEN 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27
#define ODD 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31
#pragma clang loop unroll(full)
  for (int i = 0; i < 4; i++) {
    const Vector a = __builtin_shufflevector(r[i], r[i + 4], EVEN);
    const Vector b = __builtin_shufflevector(r[i], r[i + 4], ODD);
    const Vector c = __builtin_shufflevector(r[i + 8], r[i + 12], EVEN);
    const Vector d = __builtin_shufflevector(r[i + 8], r[i + 12], ODD);
    t[i] = __builtin_shufflevector(a, c, EVEN);
    t[i + 4] = __builtin_shufflevector(b, d, EVEN);
    t[i + 8] = __builtin_shufflevector(a, c, ODD);
    t[i + 12] = __builtin_shufflevector(b, d, ODD);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < LANES; i++) r[i] = t[i];
#undef EVEN
#undef ODD
#endif
#undef LOW
#undef HIGH
#undef LOW2
#undef HIGH2
}

/// Copies `[rows, columns]` of stride `from` into its transpose, `[columns, rows]` of stride `to`.
///
/// With padding, lanes are written up to a multiple of vectors, zero where there are no rows.
static void transpose_block(const float *a, ptrdiff_t from, ptrdiff_t rows, ptrdiff_t columns,
                            float *b, ptrdiff_t to, bool padded) {
  for (ptrdiff_t i = 0; i < rows; i += LANES) {
    const ptrdiff_t height = rows - i < LANES ? rows - i : LANES;
    const bool whole = padded || height == LANES;
    const Mask valid = first(height);
    for (ptrdiff_t k = 0; k < columns; k += LANES) {
      const float *at = a + i * from + k;
      float *into = b + k * to + i;
      Vector r[LANES];
      if (height == LANES && k + LANES <= columns) {
#pragma clang loop unroll(full)
        for (int j = 0; j < LANES; j++) r[j] = load(at + j * from);
        transpose(r);
#pragma clang loop unroll(full)
        for (int j = 0; j < LANES; j++) store(into + j * to, r[j]);
        continue;
      }
      const Mask mask = first(columns - k);
      const ptrdiff_t width = columns - k < LANES ? columns - k : LANES;
      for (int j = 0; j < LANES; j++) {
        r[j] = 0;
        if (j < height) r[j] = load_some(at + j * from, mask);
      }
      transpose(r);
      for (int j = 0; j < width; j++) {
        if (whole)
          store(into + j * to, r[j]);
        else
          store_some(into + j * to, r[j], valid);
      }
    }
  }
}

/// Copies `[rows, columns]` of stride `from` into rows of some whole vectors, zero beyond the columns.
static void copy_block(const float *a, ptrdiff_t from, ptrdiff_t rows, ptrdiff_t columns,
                       float *b, ptrdiff_t to) {
  for (ptrdiff_t k = 0; k < rows; k++) {
    ptrdiff_t j = 0;
    for (; j + LANES <= columns; j += LANES) store(b + k * to + j, load(a + k * from + j));
    if (j < columns) store(b + k * to + j, load_some(a + k * from + j, first(columns - j)));
  }
}

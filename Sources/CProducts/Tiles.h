// Tiles of a product: some rows times some vectors of lanes, each element one chain of fused multiply-adds.

#pragma once

#include "Lanes.h"

/// The most rows of a tile of one, two and three vectors, as many sums as registers hold beside operands, the
/// vectors of the widest, and the cache lines that a tile which fetches takes a term.
#if CPRODUCTS_SET == 2
#define ROWS1 16
#define ROWS2 12
#define ROWS3 8
#define WIDEST 3
#define FETCHED 2
#elif CPRODUCTS_SET == 1
#define ROWS1 12
#define ROWS2 6
#define WIDEST 2
#define FETCHED 1
#else
#define ROWS1 8
#define ROWS2 6
#define WIDEST 2
#define FETCHED 1
#endif

/// A run of chains: D[i][j] goes on from itself, or from zero, by the sum over k of P[i][k]·Q[k][j].
typedef struct {
  ptrdiff_t depth;
  /// Element (i, k) of P: at p[i·pStride + k] if along, at p[k·pStride + i] else.
  const float *p;
  ptrdiff_t pStride;
  /// Row k of Q, at q + k·qStride.
  const float *q;
  ptrdiff_t qStride;
  float *d;
  ptrdiff_t dStride;
  /// The lanes of the last vector.
  ptrdiff_t last;
  bool goesOn;
  /// The memory to prefetch; used by tiles that fetch.
  const float *ahead;
} Run;

INLINE void run_tile(const int rows, const int vectors, const bool along, const bool masked,
                     const bool fetches, const Run *run) {
  const Mask mask = masked ? first(run->last) : first(LANES);
  const ptrdiff_t dStride = run->dStride, pStride = run->pStride, qStride = run->qStride;
  float *const d = run->d;
  Vector sums[ROWS1][WIDEST];
  if (run->goesOn) {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) {
        const float *at = d + i * dStride + v * LANES;
        sums[i][v] = masked && v == vectors - 1 ? load_some(at, mask) : load(at);
      }
  } else {
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) sums[i][v] = 0;
  }
  const float *p = run->p, *q = run->q, *ahead = run->ahead;
#pragma clang loop unroll(disable)
  for (ptrdiff_t k = run->depth; k > 0; k--) {
    Vector x[WIDEST];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++)
      x[v] = masked && v == vectors - 1 ? load_some(q + v * LANES, mask) : load(q + v * LANES);
#pragma clang loop unroll(full)
    for (int i = 0; i < rows; i++) {
      const Vector y = p[along ? i * pStride : i];
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) sums[i][v] = fused(y, x[v], sums[i][v]);
    }
    if (fetches) {
#pragma clang loop unroll(full)
      for (int line = 0; line < FETCHED; line++, ahead += 64 / sizeof(float))
        __builtin_prefetch(ahead);
    }
    p += along ? 1 : pStride;
    q += qStride;
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows; i++)
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      float *at = d + i * dStride + v * LANES;
      if (masked && v == vectors - 1)
        store_some(at, sums[i][v], mask);
      else
        store(at, sums[i][v]);
    }
}

typedef void (*Tile)(const Run *);

#define TILE(R, V)                                                                \
  static void tile_##R##_##V##_along(const Run *run) {                            \
    run_tile(R, V, true, false, false, run);                                      \
  }                                                                               \
  static void tile_##R##_##V##_across(const Run *run) {                           \
    run_tile(R, V, false, false, false, run);                                     \
  }                                                                               \
  static void tile_##R##_##V##_along_some(const Run *run) {                       \
    run_tile(R, V, true, true, false, run);                                       \
  }                                                                               \
  static void tile_##R##_##V##_across_some(const Run *run) {                      \
    run_tile(R, V, false, true, false, run);                                      \
  }
#define FETCHING(R, V) \
  static void tile_##R##_##V##_fetching(const Run *run) { run_tile(R, V, true, false, true, run); }
#define FETCHING_ENTRY(R, V) tile_##R##_##V##_fetching,
#define ENTRY(R, V)                                         \
  {{tile_##R##_##V##_across, tile_##R##_##V##_across_some}, \
   {tile_##R##_##V##_along, tile_##R##_##V##_along_some}},

#define UPTO6(F, V) F(1, V) F(2, V) F(3, V) F(4, V) F(5, V) F(6, V)
#define UPTO8(F, V) UPTO6(F, V) F(7, V) F(8, V)
#define UPTO12(F, V) UPTO8(F, V) F(9, V) F(10, V) F(11, V) F(12, V)
#define UPTO16(F, V) UPTO12(F, V) F(13, V) F(14, V) F(15, V) F(16, V)
#define UPTO_(rows) UPTO##rows
#define UPTO(rows) UPTO_(rows)

UPTO(ROWS1)(TILE, 1)
UPTO(ROWS2)(TILE, 2)
#if WIDEST == 3
UPTO(ROWS3)(TILE, 3)
#endif

/// The tiles of a width: by rows less one, along, masked.
static const Tile tiles1[ROWS1][2][2] = {UPTO(ROWS1)(ENTRY, 1)};
static const Tile tiles2[ROWS2][2][2] = {UPTO(ROWS2)(ENTRY, 2)};
#if WIDEST == 3
static const Tile tiles3[ROWS3][2][2] = {UPTO(ROWS3)(ENTRY, 3)};
#endif

/// The widest tiles along that fetch ahead: by rows less one.
#if WIDEST == 3
UPTO(ROWS3)(FETCHING, 3)
static const Tile fetching[ROWS3] = {UPTO(ROWS3)(FETCHING_ENTRY, 3)};
#else
UPTO(ROWS2)(FETCHING, 2)
static const Tile fetching[ROWS2] = {UPTO(ROWS2)(FETCHING_ENTRY, 2)};
#endif

/// Returns the most rows of a tile of some vectors.
INLINE ptrdiff_t most_rows(ptrdiff_t vectors) {
#if WIDEST == 3
  if (vectors == 3) return ROWS3;
#endif
  return vectors == 2 ? ROWS2 : ROWS1;
}

INLINE Tile tile(ptrdiff_t rows, ptrdiff_t vectors, bool along, bool masked) {
#if WIDEST == 3
  if (vectors == 3) return tiles3[rows - 1][along][masked];
#endif
  return vectors == 2 ? tiles2[rows - 1][along][masked] : tiles1[rows - 1][along][masked];
}

INLINE ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

INLINE ptrdiff_t parts(ptrdiff_t whole, ptrdiff_t size) { return (whole + size - 1) / size; }

/// Returns the size of parts nearly alike, none larger than a size, each a multiple of a unit.
INLINE ptrdiff_t even_part(ptrdiff_t whole, ptrdiff_t size, ptrdiff_t unit) {
  if (whole <= size) return whole;
  return parts(parts(whole, parts(whole, size)), unit) * unit;
}

/// The floats of a block that stays in the second cache beside others.
#define BLOCK_FLOATS 98304

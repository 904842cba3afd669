// Tiles of convolutions: sums of some neighbouring positions for some vectors of channels.

#pragma once

#include "Lanes.h"

/// The most positions of a tile of one, two and three vectors: as many sums as registers hold.
#if CPRODUCTS_SET == 2
#define POSITIONS1 28
#define POSITIONS2 14
#define POSITIONS3 9
#define BROADEST 3
#else
#define POSITIONS1 12
#define POSITIONS2 6
#define BROADEST 2
#endif

#define FULLY _Pragma("clang loop unroll(full)")

#define WITH6(F, V) F(1, V) F(2, V) F(3, V) F(4, V) F(5, V) F(6, V)
#define WITH8(F, V) WITH6(F, V) F(7, V) F(8, V)
#define WITH9(F, V) WITH8(F, V) F(9, V)
#define WITH12(F, V) WITH9(F, V) F(10, V) F(11, V) F(12, V)
#define WITH14(F, V) WITH12(F, V) F(13, V) F(14, V)
#define WITH28(F, V) \
  WITH14(F, V) F(15, V) F(16, V) F(17, V) F(18, V) F(19, V) F(20, V) F(21, V) F(22, V) \
  F(23, V) F(24, V) F(25, V) F(26, V) F(27, V) F(28, V)
#define WITH_(count) WITH##count
#define WITH(count) WITH_(count)

/// Calls a tile function of a width for a number of positions.
#define TILE_CASE(M, V) \
  case M: CALL(M, V); return;
#if BROADEST == 3
#define TILES_OF_THREE \
  else switch (positions) { WITH(POSITIONS3)(TILE_CASE, 3) }
#else
#define TILES_OF_THREE
#endif
#define CHOOSE_TILE                                             \
  if (vectors == 1) switch (positions) { WITH(POSITIONS1)(TILE_CASE, 1) } \
  else if (vectors == 2) switch (positions) { WITH(POSITIONS2)(TILE_CASE, 2) } \
  TILES_OF_THREE

/// Returns the most positions of a tile of some vectors.
static ptrdiff_t most_positions(ptrdiff_t vectors) {
#if BROADEST == 3
  if (vectors == 3) return POSITIONS3;
#endif
  return vectors == 2 ? POSITIONS2 : POSITIONS1;
}

/// Estimates the half cycles of the tiles of a line of positions; each sum has some terms.
static double line_cost(ptrdiff_t positions, ptrdiff_t vectors, double terms) {
  const ptrdiff_t most = most_positions(vectors), tiles = (positions + most - 1) / most;
  double cost = 0;
  for (ptrdiff_t i = 0; i < tiles; i++) {
    const ptrdiff_t count = (positions + tiles - 1 - i) / tiles;
    const ptrdiff_t sums = count * vectors, loads = count + vectors;
    cost += 40 + terms * (sums > 8 ? (sums > loads ? sums : loads) : (loads > 8 ? loads : 8));
  }
  return cost;
}

/// Returns the width of panels, in vectors, that is fastest for lines of some positions, and its cost.
static ptrdiff_t panel_width(ptrdiff_t positions, ptrdiff_t vectors, double terms, double *cost) {
  ptrdiff_t best = 1;
  *cost = 0;
  for (ptrdiff_t width = 1; width <= BROADEST && width <= vectors; width++) {
    double sum = (double)(vectors / width) * line_cost(positions, width, terms);
    if (vectors % width) sum += line_cost(positions, vectors % width, terms);
    if (width > 1 && sum > *cost) continue;
    *cost = sum;
    best = width;
  }
  return best;
}

/// Sums of a tile: positions of the source at one distance, the same taps for each.
typedef struct {
  /// The first channel of the first tap of the first position, and the distance of positions.
  const float *source;
  ptrdiff_t position;
  /// Rows of taps, columns of taps in each, and neighbouring channels in each.
  ptrdiff_t rows, rowStep, weightRowStep;
  ptrdiff_t columns, columnStep, weightColumnStep;
  ptrdiff_t length;
  const float *weights;
  /// The first result, and the distance of positions.
  float *result;
  ptrdiff_t resultPosition;
  /// The number of tiles, one after another.
  ptrdiff_t tiles;
  /// The lanes of the last vector.
  ptrdiff_t last;
  const float *bias;
} Taps;

/// Computes a tile; if lanewise, each lane has a channel of its own in the source.
INLINE void sum_taps(const int positions, const int vectors, const bool lanewise, const bool masked,
                     const Taps *taps) {
  const Mask mask = first(taps->last);
  const bool isWhole = taps->last == LANES;
  const ptrdiff_t position = taps->position, length = taps->length;
  const float *source = taps->source;
  float *result = taps->result;
  for (ptrdiff_t tile = taps->tiles; tile > 0; tile--) {
    Vector sums[POSITIONS1][BROADEST];
    FULLY for (int m = 0; m < positions; m++) {
      FULLY for (int v = 0; v < vectors; v++) sums[m][v] = 0;
    }
    const float *row = source, *rowWeights = taps->weights;
    for (ptrdiff_t i = taps->rows; i > 0; i--) {
      const float *column = row, *columnWeights = rowWeights;
      for (ptrdiff_t j = taps->columns; j > 0; j--) {
        const float *q = column, *w = columnWeights;
        for (ptrdiff_t k = lanewise ? 1 : length; k > 0; k--) {
          Vector x[BROADEST];
          FULLY for (int v = 0; v < vectors; v++) x[v] = load(w + v * LANES);
          FULLY for (int m = 0; m < positions; m++) {
            if (lanewise) {
              FULLY for (int v = 0; v < vectors; v++)
                sums[m][v] = fused(
                    masked && v == vectors - 1 ? load_some(q + m * position + v * LANES, mask)
                                               : load(q + m * position + v * LANES),
                    x[v], sums[m][v]);
            } else {
              const Vector y = q[m * position];
              FULLY for (int v = 0; v < vectors; v++) sums[m][v] = fused(y, x[v], sums[m][v]);
            }
          }
          w += vectors * LANES;
          q++;
        }
        column += taps->columnStep;
        columnWeights += taps->weightColumnStep;
      }
      row += taps->rowStep;
      rowWeights += taps->weightRowStep;
    }
    FULLY for (int v = 0; v < vectors; v++) {
      const bool isPart = v == vectors - 1 && !isWhole;
      FULLY for (int m = 0; m < positions; m++) sums[m][v] += 0.0f;
      if (taps->bias) {
        const float *at = taps->bias + v * LANES;
        const Vector bias = isPart ? load_some(at, mask) : load(at);
        FULLY for (int m = 0; m < positions; m++) sums[m][v] += bias;
      }
      FULLY for (int m = 0; m < positions; m++) {
        float *at = result + m * taps->resultPosition + v * LANES;
        if (isPart)
          store_some(at, sums[m][v], mask);
        else
          store(at, sums[m][v]);
      }
    }
    source += positions * position;
    result += positions * taps->resultPosition;
  }
}

static __attribute__((noinline)) void sum_channels(ptrdiff_t positions, ptrdiff_t vectors,
                                                   const Taps *taps) {
#define CALL(M, V) sum_taps(M, V, false, false, taps)
  CHOOSE_TILE
#undef CALL
}

static __attribute__((noinline)) void sum_lanes(ptrdiff_t positions, ptrdiff_t vectors,
                                                const Taps *taps) {
#define CALL(M, V) sum_taps(M, V, true, false, taps)
  CHOOSE_TILE
#undef CALL
}

static __attribute__((noinline)) void sum_some_lanes(ptrdiff_t positions, ptrdiff_t vectors,
                                                     const Taps *taps) {
#define CALL(M, V) sum_taps(M, V, true, true, taps)
  CHOOSE_TILE
#undef CALL
}

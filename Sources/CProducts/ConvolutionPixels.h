// Tiles of weight gradients: sums over pixels for some elements of the kernel and vectors of channels.

#pragma once

#include "ConvolutionTiles.h"

/// Sums over pixels: of each element of x by a vector of y.
typedef struct {
  const float *x, *y;
  ptrdiff_t images, xImage, yImage;
  ptrdiff_t rows, xRow, yRow;
  ptrdiff_t columns, xColumn, yColumn;
  /// The distance of groups of elements of x.
  ptrdiff_t xGroup;
  /// The lanes of the last vector.
  ptrdiff_t last;
  /// The sums, vectors of one element after another.
  float *sums;
  bool goesOn;
} Pixels;

#define LOAD_SUMS(count)                                                              \
  FULLY for (int m = 0; m < (count); m++) {                                           \
    FULLY for (int v = 0; v < vectors; v++)                                           \
      sums[m][v] = pixels->goesOn ? load(pixels->sums + (m * vectors + v) * LANES) : (Vector)0.0f; \
  }
#define STORE_SUMS(count)                                                             \
  FULLY for (int m = 0; m < (count); m++) {                                           \
    FULLY for (int v = 0; v < vectors; v++)                                           \
      store(pixels->sums + (m * vectors + v) * LANES, sums[m][v] + 0.0f);             \
  }

INLINE void sum_pixels(const int groups, const int elements, const int vectors, const bool masked,
                       const Pixels *pixels) {
  const Mask mask = first(pixels->last);
  const ptrdiff_t xGroup = pixels->xGroup;
  Vector sums[POSITIONS1][BROADEST];
  LOAD_SUMS(groups * elements)
  for (ptrdiff_t n = 0; n < pixels->images; n++)
    for (ptrdiff_t r = 0; r < pixels->rows; r++) {
      const float *x = pixels->x + n * pixels->xImage + r * pixels->xRow;
      const float *y = pixels->y + n * pixels->yImage + r * pixels->yRow;
      for (ptrdiff_t u = pixels->columns; u > 0; u--) {
        Vector d[BROADEST];
        FULLY for (int v = 0; v < vectors; v++)
          d[v] = masked && v == vectors - 1 ? load_some(y + v * LANES, mask) : load(y + v * LANES);
        FULLY for (int g = 0; g < groups; g++) {
          FULLY for (int p = 0; p < elements; p++) {
            const Vector z = x[g * xGroup + p];
            FULLY for (int v = 0; v < vectors; v++)
              sums[g * elements + p][v] = fused(z, d[v], sums[g * elements + p][v]);
          }
        }
        x += pixels->xColumn;
        y += pixels->yColumn;
      }
    }
  STORE_SUMS(groups * elements)
}

/// Calls sums of groups of a few elements.
#define GROUP_CASE(G, P, V) \
  case ((G) * 8 + (P)) * 4 + (V): CALL(G, P, V); return;
#define ALL_GROUPS                                                              \
  GROUP_CASE(2, 1, 1) GROUP_CASE(2, 2, 1) GROUP_CASE(2, 3, 1) GROUP_CASE(2, 4, 1) \
  GROUP_CASE(3, 1, 1) GROUP_CASE(3, 2, 1) GROUP_CASE(3, 3, 1) GROUP_CASE(3, 4, 1) \
  GROUP_CASE(2, 1, 2) GROUP_CASE(2, 2, 2) GROUP_CASE(2, 3, 2) GROUP_CASE(3, 1, 2) \
  GROUP_CASE(3, 2, 2) GROUP_CASE(2, 5, 1) MORE_GROUPS
#if CPRODUCTS_SET == 2
#define MORE_GROUPS                                                             \
  GROUP_CASE(2, 4, 2) GROUP_CASE(3, 3, 2) GROUP_CASE(3, 4, 2) GROUP_CASE(3, 5, 1) \
  GROUP_CASE(2, 5, 2)
#else
#define MORE_GROUPS
#endif

/// Indicates that groups of elements are among the cases.
INLINE bool is_group(ptrdiff_t groups, ptrdiff_t elements, ptrdiff_t vectors) {
  return elements <= 5 && vectors <= 2 && groups * elements <= most_positions(vectors);
}

/// The most elements of a row of the kernel that are summed lanewise at once.
#define FEW 6
#define CHOOSE_FEW                                             \
  if (vectors == 1) switch (positions) { WITH(6)(TILE_CASE, 1) } \
  else switch (positions) { WITH(6)(TILE_CASE, 2) }

#define CHOOSE_GROUP \
  if (groups > 1) switch ((groups * 8 + positions) * 4 + vectors) { ALL_GROUPS }

static __attribute__((noinline)) void sum_by_element(ptrdiff_t groups, ptrdiff_t positions,
                                                ptrdiff_t vectors, const Pixels *pixels) {
#define CALL(G, P, V) sum_pixels(G, P, V, false, pixels)
  CHOOSE_GROUP
#undef CALL
#define CALL(M, V) sum_pixels(1, M, V, false, pixels)
  CHOOSE_TILE
#undef CALL
}

static __attribute__((noinline)) void sum_some_by_element(ptrdiff_t groups, ptrdiff_t positions,
                                               ptrdiff_t vectors, const Pixels *pixels) {
#define CALL(G, P, V) sum_pixels(G, P, V, true, pixels)
  CHOOSE_GROUP
#undef CALL
#define CALL(M, V) sum_pixels(1, M, V, true, pixels)
  CHOOSE_TILE
#undef CALL
}

/// Sums over pixels lanewise, of elements of some rows of the kernel; taps outside of x are left out.
typedef struct {
  const cproducts_convolution *c;
  /// The first image of x and of y, at the first channel.
  const float *x, *y;
  ptrdiff_t images, channels;
  /// Rows of y.
  ptrdiff_t row, rowEnd;
  /// The first element of the kernel.
  ptrdiff_t kernelRow, kernelColumn;
  /// The columns of y with all taps inside.
  ptrdiff_t inner, innerEnd;
  ptrdiff_t last;
  float *sums;
  bool goesOn;
} LanePixels;

INLINE void sum_lane_pixels(const int groups, const int elements, const int vectors,
                            const bool masked, const LanePixels *pixels) {
  const cproducts_axis *rows = &pixels->c->rows, *columns = &pixels->c->columns;
  const Mask mask = first(pixels->last);
  const ptrdiff_t channels = pixels->channels, xRow = columns->input * channels;
  const ptrdiff_t xGroup = rows->dilation * xRow, xElement = columns->dilation * channels;
  Vector sums[POSITIONS1][BROADEST];
  LOAD_SUMS(groups * elements)
  for (ptrdiff_t n = 0; n < pixels->images; n++)
    for (ptrdiff_t r = pixels->row; r < pixels->rowEnd; r++) {
      const ptrdiff_t i = r * rows->stride - rows->before + pixels->kernelRow * rows->dilation;
      const float *image = pixels->x + n * rows->input * xRow;
      const float *y = pixels->y + (n * rows->output + r) * columns->output * channels;
      const bool isInner = i >= 0 && i + (groups - 1) * rows->dilation < rows->input;
      for (ptrdiff_t u = 0; u < columns->output; u++, y += channels) {
        const ptrdiff_t j =
            u * columns->stride - columns->before + pixels->kernelColumn * columns->dilation;
        Vector d[BROADEST];
        FULLY for (int v = 0; v < vectors; v++)
          d[v] = masked && v == vectors - 1 ? load_some(y + v * LANES, mask) : load(y + v * LANES);
        const ptrdiff_t start = i * xRow + j * channels;
        const bool isWhole = isInner && u >= pixels->inner && u < pixels->innerEnd;
#define ADD(g, p)                                                                        \
  const float *at = image + (start + (g) * xGroup + (p) * xElement);                     \
  FULLY for (int v = 0; v < vectors; v++) {                                              \
    const Vector z = masked && v == vectors - 1 ? load_some(at + v * LANES, mask)        \
                                                : load(at + v * LANES);                  \
    sums[(g) * elements + (p)][v] = fused(z, d[v], sums[(g) * elements + (p)][v]);       \
  }
        if (isWhole) {
          FULLY for (int g = 0; g < groups; g++) {
            FULLY for (int p = 0; p < elements; p++) { ADD(g, p) }
          }
          continue;
        }
        FULLY for (int g = 0; g < groups; g++) {
          const ptrdiff_t row = i + g * rows->dilation;
          if (row < 0 || row >= rows->input) continue;
          FULLY for (int p = 0; p < elements; p++) {
            const ptrdiff_t column = j + p * columns->dilation;
            if (column >= 0 && column < columns->input) { ADD(g, p) }
          }
        }
#undef ADD
      }
    }
  STORE_SUMS(groups * elements)
}

static __attribute__((noinline)) void sum_pixel_lanes(ptrdiff_t groups, ptrdiff_t positions,
                                                      ptrdiff_t vectors, const LanePixels *pixels) {
#define CALL(G, P, V) sum_lane_pixels(G, P, V, false, pixels)
  CHOOSE_GROUP
#undef CALL
#define CALL(M, V) sum_lane_pixels(1, M, V, false, pixels)
  CHOOSE_FEW
#undef CALL
}

static __attribute__((noinline)) void sum_some_pixel_lanes(ptrdiff_t groups, ptrdiff_t positions,
                                                     ptrdiff_t vectors, const LanePixels *pixels) {
#define CALL(G, P, V) sum_lane_pixels(G, P, V, true, pixels)
  CHOOSE_GROUP
#undef CALL
#define CALL(M, V) sum_lane_pixels(1, M, V, true, pixels)
  CHOOSE_FEW
#undef CALL
}

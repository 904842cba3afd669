// Products in blocks: which operand lies in the lanes, and which part of it in which cache.

#pragma once

#include "Gradients.h"
#include "Packing.h"
#include "Tiles.h"

/// The most terms, lanes and rows of a block.
#define STRAIGHT_DEPTH 512
#define BLOCK_LANES 256
#define BLOCK_ROWS 192

/// The elements of a right operand beyond the caches; the most rows for which it is read as it streams in,
/// and its blocks then: a row of a block is fetched while a tile is computed.
#define STREAM_FLOATS (1 << 21)
#define STREAM_ROWS 24
#define STREAM_DEPTH 32
#define STREAM_LANES 1008

/// Computes D = P·Q for all rows of P over some lanes.
INLINE void run_rows(Run run, ptrdiff_t rows, ptrdiff_t vectors, bool along, bool masked) {
  const ptrdiff_t height = even_part(rows, most_rows(vectors), 1);
  const float *const p = run.p;
  float *const d = run.d;
  const ptrdiff_t step = along ? run.pStride : 1;
  for (ptrdiff_t i = 0; i < rows; i += height) {
    run.p = p + i * step;
    run.d = d + i * run.dStride;
    tile(least(height, rows - i), vectors, along, masked)(&run);
  }
}

/// Computes a product whose result lies row by row along the lanes: the right operand as it is stored.
static void multiply_straight(const cproducts_product *c, const float *a, const float *b, float *d,
                              float *scratch) {
  const ptrdiff_t rows = c->rows, columns = c->columns, depth = c->depth;
  const bool along = !c->transpose_lhs;
  const ptrdiff_t aStride = along ? depth : rows;
  const ptrdiff_t rowBlock = even_part(rows, BLOCK_ROWS, ROWS2);
  const ptrdiff_t depthBlock = even_part(depth, STRAIGHT_DEPTH, 8);
  // Rows far apart meet in few sets of the caches; nearer ones are read again as fast as copies.
  const bool packs = rows > STREAM_ROWS && depth * columns > STREAM_FLOATS;
  for (ptrdiff_t i = 0; i < rows; i += rowBlock) {
    const ptrdiff_t height = least(rowBlock, rows - i);
    for (ptrdiff_t k = 0; k < depth; k += depthBlock) {
      const ptrdiff_t length = least(depthBlock, depth - k);
      for (ptrdiff_t j = 0; j < columns; j += WIDEST * LANES) {
        const ptrdiff_t width = least(WIDEST * LANES, columns - j);
        const ptrdiff_t vectors = parts(width, LANES);
        Run run = {
            .depth = length,
            .p = a + (along ? i * aStride + k : k * aStride + i),
            .pStride = aStride,
            .q = b + k * columns + j,
            .qStride = columns,
            .d = d + i * columns + j,
            .dStride = columns,
            .last = width - (vectors - 1) * LANES,
            .goesOn = k > 0,
        };
        if (packs) {
          copy_block(run.q, columns, length, width, scratch, vectors * LANES);
          run.q = scratch;
          run.qStride = vectors * LANES;
        }
        run_rows(run, height, vectors, along, run.last < LANES);
      }
    }
  }
}

/// Copies rows into panels, row by row as they lie in memory.
static void copy_panels(const float *a, ptrdiff_t from, ptrdiff_t rows, ptrdiff_t columns, float *b,
                        ptrdiff_t panel) {
  for (ptrdiff_t k = 0; k < rows; k++)
    for (ptrdiff_t j = 0; j < columns; j += panel) {
      const ptrdiff_t width = least(panel, columns - j), padded = parts(width, LANES) * LANES;
      copy_block(a + k * from + j, from, 1, width, b + j * rows + k * padded, padded);
    }
}

/// Computes what multiply_straight() does, for few rows and a right operand beyond the caches.
static void multiply_streaming(const cproducts_product *c, const float *a, const float *b, float *d,
                               float *scratch) {
  const ptrdiff_t rows = c->rows, columns = c->columns, depth = c->depth;
  const ptrdiff_t panel = WIDEST * LANES, strip = even_part(rows, most_rows(WIDEST), 1);
  for (ptrdiff_t o = 0; o < columns; o += STREAM_LANES) {
    const ptrdiff_t block = least(STREAM_LANES, columns - o);
    for (ptrdiff_t k = 0; k < depth; k += STREAM_DEPTH) {
      const ptrdiff_t length = least(STREAM_DEPTH, depth - k);
      copy_panels(b + k * columns + o, columns, length, block, scratch, panel);
      const bool isLast = k + length == depth;
      const float *next = isLast ? b + o + STREAM_LANES : b + (k + length) * columns + o;
      ptrdiff_t left = !isLast ? least(STREAM_DEPTH, depth - k - length)
                       : o + block < columns ? least(STREAM_DEPTH, depth) : 0;
      ptrdiff_t part = 0;
      for (ptrdiff_t j = 0; j < block; j += panel) {
        const ptrdiff_t width = least(panel, block - j), vectors = parts(width, LANES);
        Run run = {
            .depth = length,
            .pStride = depth,
            .q = scratch + j * length,
            .qStride = vectors * LANES,
            .dStride = columns,
            .last = width - (vectors - 1) * LANES,
            .goesOn = k > 0,
        };
        for (ptrdiff_t i = 0; i < rows; i += strip) {
          const ptrdiff_t height = least(strip, rows - i);
          run.p = a + i * depth + k;
          run.d = d + i * columns + o + j;
          if (left > 0 && width == panel) {
            run.ahead = next + part;
            part += FETCHED * 64 / sizeof(float) * STREAM_DEPTH;
            if (part >= STREAM_LANES) next += columns, left--, part = 0;
            fetching[height - 1](&run);
          } else {
            tile(height, vectors, true, run.last < LANES)(&run);
          }
        }
      }
    }
  }
}

/// Computes a product with the rows of the result along the lanes; the right operand is stored transposed.
static void multiply_turned(const cproducts_product *c, const float *a, const float *b, float *d,
                            float *scratch) {
  const ptrdiff_t rows = c->rows, columns = c->columns, depth = c->depth;
  const ptrdiff_t laneBlock = even_part(rows, BLOCK_LANES, LANES);
  const ptrdiff_t padded = parts(laneBlock, LANES) * LANES;
  const ptrdiff_t depthBlock = even_part(depth, BLOCK_FLOATS / padded, 8);
  const ptrdiff_t columnBlock = even_part(columns, depth > depthBlock ? 516 : 60, ROWS2);
  float *const sums = scratch + padded * depth;
  for (ptrdiff_t i = 0; i < rows; i += laneBlock) {
    const ptrdiff_t height = least(laneBlock, rows - i);
    const ptrdiff_t all = parts(height, LANES);
    // One panel at a time: two vectors each, the last one if they are odd; or three.
    const ptrdiff_t wide = all == WIDEST ? all : least(all, 2);
    for (ptrdiff_t j = 0; j < all; j += wide) {
      const ptrdiff_t lanes = least(wide, all - j) * LANES;
      const ptrdiff_t given = least(lanes, height - j * LANES);
      float *panel = scratch + j * LANES * depth;
      if (c->transpose_lhs)
        copy_block(a + i + j * LANES, rows, depth, given, panel, lanes);
      else
        transpose_block(a + (i + j * LANES) * depth, depth, given, depth, panel, lanes, true);
    }
    for (ptrdiff_t o = 0; o < columns; o += columnBlock) {
      const ptrdiff_t width = least(columnBlock, columns - o);
      for (ptrdiff_t k = 0; k < depth; k += depthBlock) {
        const ptrdiff_t most = most_rows(wide), strip = even_part(width, most, 1);
        for (ptrdiff_t r = 0; r < width; r += strip)
          for (ptrdiff_t j = 0; j < all; j += wide) {
            const ptrdiff_t vectors = least(wide, all - j);
            const Run run = {
                .depth = least(depthBlock, depth - k),
                .p = b + (o + r) * depth + k,
                .pStride = depth,
                .q = scratch + j * LANES * depth + k * vectors * LANES,
                .qStride = vectors * LANES,
                .d = sums + r * padded + j * LANES,
                .dStride = padded,
                .last = LANES,
                .goesOn = k > 0,
            };
            tile(least(strip, width - r), vectors, true, false)(&run);
          }
      }
      transpose_block(sums, padded, width, height, d + i * columns + o, columns, false);
    }
  }
}

/// The most rows for which a right operand that is stored transposed is turned itself, block by block.
#define FEW_ROWS 4
#define FEW_DEPTH 128

/// Computes what multiply_turned() does, for rows too few to be lanes.
static void multiply_few(const cproducts_product *c, const float *a, const float *b, float *d,
                         float *scratch) {
  const ptrdiff_t columns = c->columns, depth = c->depth, panel = WIDEST * LANES;
  for (ptrdiff_t j = 0; j < columns; j += panel) {
    const ptrdiff_t width = least(panel, columns - j), vectors = parts(width, LANES);
    for (ptrdiff_t k = 0; k < depth; k += FEW_DEPTH) {
      const ptrdiff_t length = least(FEW_DEPTH, depth - k);
      transpose_block(b + j * depth + k, depth, width, length, scratch, vectors * LANES, true);
      const Run run = {
          .depth = length,
          .p = a + k,
          .pStride = depth,
          .q = scratch,
          .qStride = vectors * LANES,
          .d = d + j,
          .dStride = columns,
          .last = width - (vectors - 1) * LANES,
          .goesOn = k > 0,
      };
      tile(c->rows, vectors, true, run.last < LANES)(&run);
    }
  }
}

/// The elements of a result that is written as gradients are.
#define LARGE_RESULT (1 << 20)

/// The ways of a product.
typedef enum { straight, streaming, turned, few, folded } Way;

INLINE Way way(const cproducts_product *c) {
  if (c->transpose_rhs) {
    const bool isFew = c->rows <= FEW_ROWS && c->columns >= LANES && !c->transpose_lhs;
    return isFew ? few : turned;
  }
  if (c->transpose_lhs)
    return c->rows * c->columns > LARGE_RESULT && c->depth <= 1024 ? folded : straight;
  const bool streams = c->rows > 4 && c->rows <= STREAM_ROWS;
  return streams && c->depth * c->columns > STREAM_FLOATS ? streaming : straight;
}

/// The one leaf and the gradient that a product is whose left operand alone is transposed.
#define AS_GRADIENT(c, leaf, gradient)                                                         \
  const cproducts_leaf leaf = {.rows = (int)(c)->depth, .additions = 0};                       \
  const cproducts_gradient gradient = {.rows = (c)->depth, .lhs_columns = (c)->rows,           \
      .rhs_columns = (c)->columns, .leaves = &leaf, .leaf_count = 1, .depth = 1};

/// The product that a gradient of one microbatch is.
INLINE cproducts_product as_product(const cproducts_gradient *g) {
  return (cproducts_product){
      .rows = g->lhs_columns, .columns = g->rhs_columns, .depth = g->rows, .transpose_lhs = true};
}

ptrdiff_t NAME(scratch)(const cproducts_product *c) {
  switch (way(c)) {
    case straight: return STRAIGHT_DEPTH * WIDEST * LANES;
    case streaming: return STREAM_DEPTH * STREAM_LANES;
    case few: return FEW_DEPTH * WIDEST * LANES;
    case folded: {
      AS_GRADIENT(c, leaf, gradient)
      return NAME(gradient_scratch)(&gradient);
    }
    case turned: {
      const ptrdiff_t padded = parts(even_part(c->rows, BLOCK_LANES, LANES), LANES) * LANES;
      return padded * (c->depth + least(c->columns, 528));
    }
  }
}

void NAME(multiply)(const cproducts_product *c, const float *a, const float *b, float *d,
                    float *scratch) {
  if (c->rows == 0 || c->columns == 0) return;
  switch (way(c)) {
    case straight: return multiply_straight(c, a, b, d, scratch);
    case streaming: return multiply_streaming(c, a, b, d, scratch);
    case turned: return multiply_turned(c, a, b, d, scratch);
    case few: return multiply_few(c, a, b, d, scratch);
    case folded: {
      AS_GRADIENT(c, leaf, gradient)
      return NAME(gradient)(&gradient, a, b, d, scratch);
    }
  }
}

void NAME(fold)(const cproducts_gradient *g, const float *a, const float *b, float *d,
                float *scratch) {
  if (g->leaf_count > 1) return NAME(gradient)(g, a, b, d, scratch);
  const cproducts_product c = as_product(g);
  NAME(multiply)(&c, a, b, d, scratch);
}

ptrdiff_t NAME(fold_scratch)(const cproducts_gradient *g) {
  if (g->leaf_count > 1) return NAME(gradient_scratch)(g);
  const cproducts_product c = as_product(g);
  return NAME(scratch)(&c);
}

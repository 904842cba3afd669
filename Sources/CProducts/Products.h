// Products in blocks: which operand lies in the lanes, and which part of it in which cache.

#pragma once

#include "Packing.h"
#include "Tiles.h"

/// The most lanes and rows of a block.
#define BLOCK_LANES 256
#define BLOCK_ROWS 192

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
  const ptrdiff_t depthBlock = even_part(depth, 512, 8);
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
        if (height > 2 * most_rows(vectors)) {
          copy_block(run.q, columns, length, width, scratch, vectors * LANES);
          run.q = scratch;
          run.qStride = vectors * LANES;
        }
        run_rows(run, height, vectors, along, run.last < LANES);
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

ptrdiff_t NAME(scratch)(const cproducts_product *c) {
  if (!c->transpose_rhs) return 512 * WIDEST * LANES;
  const ptrdiff_t padded = parts(even_part(c->rows, BLOCK_LANES, LANES), LANES) * LANES;
  return padded * (c->depth + least(c->columns, 528));
}

void NAME(multiply)(const cproducts_product *c, const float *a, const float *b, float *d,
                    float *scratch) {
  if (c->rows == 0 || c->columns == 0) return;
  if (c->transpose_rhs)
    multiply_turned(c, a, b, d, scratch);
  else
    multiply_straight(c, a, b, d, scratch);
}

// Gradients of parameters: one product a microbatch, added up in the order of a tree before anything is stored.

#pragma once

#include "Packing.h"
#include "Tiles.h"

/// The most rows of a tile: alone, and with the sums of two leaves in registers at once.
#if CPRODUCTS_SET == 2
#define FOLD_ROWS 8
#define PAIR_ROWS 6
#else
#define FOLD_ROWS 6
#endif

/// A tile of a gradient: from all rows of some columns of both operands to one store.
typedef struct {
  const cproducts_leaf *leaves;
  const cproducts_leaf *end;
  /// Row r of the left operand, at p + r·pStride, and of the right one.
  const float *p;
  ptrdiff_t pStride;
  const float *q;
  ptrdiff_t qStride;
  float *d;
  ptrdiff_t dStride;
  /// The lanes of the last vector.
  ptrdiff_t last;
  /// Sums that wait for their right neighbours.
  Vector *waiting;
} Fold;

/// The sums of one leaf in a tile.
typedef struct {
  Vector at[FOLD_ROWS][WIDEST];
} Sums;

#define EACH(rows, vectors, body)      \
  _Pragma("clang loop unroll(full)")   \
  for (int i = 0; i < (rows); i++)     \
    _Pragma("clang loop unroll(full)") \
    for (int v = 0; v < (vectors); v++) body

/// Adds the products of one row to the sums of a leaf.
INLINE void add_row(const int rows, const int vectors, const bool masked, const Mask mask,
                    const float *p, const float *q, Sums *sums) {
  Vector x[WIDEST];
  EACH(1, vectors, {
    const float *at = q + v * LANES;
    x[v] = masked && v == vectors - 1 ? load_some(at, mask) : load(at);
  })
  EACH(rows, vectors, sums->at[i][v] = fused(p[i], x[v], sums->at[i][v]);)
}

/// Computes the sums of the next leaf.
INLINE void sum_leaf(const int rows, const int vectors, const bool masked, const Mask mask,
                     Fold *next, Sums *sums) {
  EACH(rows, vectors, sums->at[i][v] = 0;)
#pragma clang loop unroll(disable)
  for (int r = next->leaves->rows; r > 0; r--) {
    add_row(rows, vectors, masked, mask, next->p, next->q, sums);
    next->p += next->pStride;
    next->q += next->qStride;
  }
  next->leaves++;
}

/// Computes the sums of the next two leaves at once, and adds them.
INLINE void sum_pair(const int rows, const int vectors, const bool masked, const Mask mask,
                     Fold *next, Sums *sums) {
  const int first = next->leaves[0].rows, second = next->leaves[1].rows;
  const int both = first < second ? first : second;
  Fold right = *next;
  right.p += first * next->pStride;
  right.q += first * next->qStride;
  Sums other;
  EACH(rows, vectors, sums->at[i][v] = 0;)
  EACH(rows, vectors, other.at[i][v] = 0;)
#pragma clang loop unroll(disable)
  for (int r = 0; r < both; r++) {
    add_row(rows, vectors, masked, mask, next->p, next->q, sums);
    add_row(rows, vectors, masked, mask, right.p, right.q, &other);
    next->p += next->pStride, next->q += next->qStride;
    right.p += next->pStride, right.q += next->qStride;
  }
#pragma clang loop unroll(disable)
  for (int r = both; r < first; r++) {
    add_row(rows, vectors, masked, mask, next->p, next->q, sums);
    next->p += next->pStride, next->q += next->qStride;
  }
#pragma clang loop unroll(disable)
  for (int r = both; r < second; r++) {
    add_row(rows, vectors, masked, mask, right.p, right.q, &other);
    right.p += next->pStride, right.q += next->qStride;
  }
  EACH(rows, vectors, sums->at[i][v] = sums->at[i][v] + other.at[i][v];)
  next->p = right.p;
  next->q = right.q;
  next->leaves += 2;
}

/// Computes a tile, with the sums of one leaf in registers, or of two that are added to each other.
INLINE void fold_tile(const int rows, const int vectors, const bool pairs, const bool masked,
                      const Fold *fold) {
  const Mask mask = masked ? first(fold->last) : first(LANES);
  float *const d = fold->d;
  const ptrdiff_t dStride = fold->dStride;
  const cproducts_leaf *const end = fold->end;
  Fold next = *fold;
  Sums sums;
  // The tile to the right is stored next.
  EACH(rows, vectors, __builtin_prefetch(d + i * dStride + (v + vectors) * LANES, 1);)
  while (true) {
    int additions;
    if (pairs && next.leaves[0].additions == 0 && next.leaves[1].additions > 0) {
      sum_pair(rows, vectors, masked, mask, &next, &sums);
      additions = next.leaves[-1].additions - 1;
    } else {
      sum_leaf(rows, vectors, masked, mask, &next, &sums);
      additions = next.leaves[-1].additions;
    }
    for (; additions > 0; additions--) {
      next.waiting -= rows * vectors;
      EACH(rows, vectors, sums.at[i][v] = next.waiting[i * vectors + v] + sums.at[i][v];)
    }
    if (next.leaves == end) break;
    EACH(rows, vectors, next.waiting[i * vectors + v] = sums.at[i][v];)
    next.waiting += rows * vectors;
  }
  EACH(rows, vectors, {
    float *at = d + i * dStride + v * LANES;
    if (masked && v == vectors - 1)
      store_some(at, sums.at[i][v], mask);
    else
      store(at, sums.at[i][v]);
  })
}

#undef EACH

typedef void (*FoldTile)(const Fold *);

#define FOLD(R, V)                                                                            \
  static void fold_##R##_##V(const Fold *fold) { fold_tile(R, V, false, false, fold); }       \
  static void fold_##R##_##V##_some(const Fold *fold) { fold_tile(R, V, false, true, fold); }
#define PAIR(R, V)                                                                            \
  static void pair_##R##_##V(const Fold *fold) { fold_tile(R, V, true, false, fold); }        \
  static void pair_##R##_##V##_some(const Fold *fold) { fold_tile(R, V, true, true, fold); }
#define FOLD_ENTRY(R, V) {fold_##R##_##V, fold_##R##_##V##_some},
#define PAIR_ENTRY(R, V) {pair_##R##_##V, pair_##R##_##V##_some},

UPTO(FOLD_ROWS)(FOLD, 1)
UPTO(FOLD_ROWS)(FOLD, 2)
#if CPRODUCTS_SET == 2
UPTO(FOLD_ROWS)(FOLD, 3)
UPTO(PAIR_ROWS)(PAIR, 1)
UPTO(PAIR_ROWS)(PAIR, 2)
#endif

/// The tiles by pairs, vectors less one, rows less one, masked.
static const FoldTile folds[2][WIDEST][FOLD_ROWS][2] = {
#if CPRODUCTS_SET == 2
    {{UPTO(FOLD_ROWS)(FOLD_ENTRY, 1)},
     {UPTO(FOLD_ROWS)(FOLD_ENTRY, 2)},
     {UPTO(FOLD_ROWS)(FOLD_ENTRY, 3)}},
    {{UPTO(PAIR_ROWS)(PAIR_ENTRY, 1)}, {UPTO(PAIR_ROWS)(PAIR_ENTRY, 2)}},
#else
    {{UPTO(FOLD_ROWS)(FOLD_ENTRY, 1)}, {UPTO(FOLD_ROWS)(FOLD_ENTRY, 2)}},
#endif
};

/// The blocks of a gradient.
typedef struct {
  bool pairs;
  /// The lanes of a panel, and of a block of panels, which stays in the second cache.
  ptrdiff_t panel;
  ptrdiff_t block;
  /// The rows of a tile, and of some tiles that meet a panel while it is in the first cache.
  ptrdiff_t strip;
  ptrdiff_t group;
} Form;

static Form form(const cproducts_gradient *g) {
  Form f = {.panel = WIDEST * LANES, .strip = FOLD_ROWS};
#if CPRODUCTS_SET == 2
  if (g->leaf_count > 1) f = (Form){.pairs = true, .panel = 2 * LANES, .strip = PAIR_ROWS};
#endif
  const ptrdiff_t panels = BLOCK_FLOATS / (g->rows * f.panel);
  f.block = even_part(parts(g->rhs_columns, f.panel) * f.panel,
                      (panels < 1 ? 1 : panels) * f.panel, f.panel);
  f.strip = even_part(g->lhs_columns, f.strip, 1);
  // With few rows the result is what takes time, and wants to be written row by row.
  f.group = (g->rows < 64 ? 1 : 4) * f.strip;
  return f;
}

/// Copies some columns of all rows.
static void pack_strip(const float *a, ptrdiff_t from, ptrdiff_t rows, ptrdiff_t columns, float *b,
                       ptrdiff_t to) {
  for (ptrdiff_t r = 0; r < rows; r++)
    for (ptrdiff_t c = 0; c < columns; c += LANES)
      store(b + r * to + c, load_some(a + r * from + c, first(columns - c)));
}

/// Computes some rows of a gradient, in some columns for which the right operand is in panels if packed.
static void fold_group(const cproducts_gradient *g, const Form *f, Fold fold, ptrdiff_t strips,
                       ptrdiff_t height, const float *q, ptrdiff_t width, bool packed) {
  const FoldTile(*const tiles)[FOLD_ROWS][2] = folds[f->pairs];
  const float *const p = fold.p;
  float *const d = fold.d;
  for (ptrdiff_t j = 0; j < width; j += f->panel) {
    const ptrdiff_t lanes = least(f->panel, width - j), vectors = parts(lanes, LANES);
    fold.last = lanes - (vectors - 1) * LANES;
    fold.q = packed ? q + j * g->rows : q + j;
    fold.qStride = packed ? vectors * LANES : g->rhs_columns;
    for (ptrdiff_t i = 0; i < height; i += f->strip) {
      fold.p = p + i * strips;
      fold.d = d + i * fold.dStride + j;
      tiles[vectors - 1][least(f->strip, height - i) - 1][fold.last < LANES](&fold);
    }
  }
}

/// The floats of the sums that wait.
INLINE ptrdiff_t waiting_floats(const cproducts_gradient *g) {
  return (g->depth + 1) * FOLD_ROWS * WIDEST * LANES;
}

static ptrdiff_t NAME(gradient_scratch)(const cproducts_gradient *g) {
  if (g->lhs_columns == 0 || g->rhs_columns == 0) return 0;
  const Form f = form(g);
  return waiting_floats(g) + g->rows * (f.block + f.group) + LANES;
}

static void NAME(gradient)(const cproducts_gradient *g, const float *a, const float *b, float *d,
                    float *scratch) {
  const ptrdiff_t m = g->lhs_columns, n = g->rhs_columns, rows = g->rows;
  if (m == 0 || n == 0) return;
  const Form f = form(g);
  float *const panels = scratch + waiting_floats(g), *const strips = panels + rows * f.block;
  // Left rows far apart meet in few sets of the caches; nearer ones are read as fast as copies.
  const bool packsLeft = m > 2048 && n > 2 * f.panel, packsRight = m > 2 * f.strip;
  for (ptrdiff_t o = 0; o < n; o += f.block) {
    const ptrdiff_t width = least(f.block, n - o);
    if (packsRight)
      for (ptrdiff_t j = 0; j < width; j += f.panel) {
        const ptrdiff_t lanes = least(f.panel, width - j);
        copy_block(b + o + j, n, rows, lanes, panels + j * rows, parts(lanes, LANES) * LANES);
      }
    for (ptrdiff_t i = 0; i < m; i += f.group) {
      const ptrdiff_t height = least(f.group, m - i);
      if (packsLeft)
        for (ptrdiff_t s = 0; s < height; s += f.strip)
          pack_strip(a + i + s, m, rows, least(f.strip, height - s), strips + s * rows, f.strip);
      const Fold fold = {
          .leaves = g->leaves,
          .end = g->leaves + g->leaf_count,
          .p = packsLeft ? strips : a + i,
          .pStride = packsLeft ? f.strip : m,
          .d = d + i * n + o,
          .dStride = n,
          .waiting = (Vector *)scratch,
      };
      fold_group(g, &f, fold, packsLeft ? rows : 1, height, packsRight ? panels : b + o, width,
                 packsRight);
    }
  }
}

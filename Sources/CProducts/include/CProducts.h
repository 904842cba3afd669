// Products whose every element is one chain of fused multiply-adds, in one form per instruction set.

#ifndef CPRODUCTS_H
#define CPRODUCTS_H

#include <stdbool.h>
#include <stddef.h>

/// An instruction set that the kernels are built for.
typedef enum cproducts_set {
  /// The instructions of every CPU of the architecture; without fused multiply-adds, functions compute them.
  cproducts_baseline = 0,
  /// AVX2 and FMA.
  cproducts_avx2 = 1,
  /// AVX-512 F, DQ, BW and VL.
  cproducts_avx512 = 2,
} cproducts_set;

/// A product C = op(A)·op(B) of one shape, all row by row.
///
/// C is [rows, columns], A is [rows, depth] or, transposed, [depth, rows], B is [depth, columns] or, transposed,
/// [columns, depth].
typedef struct cproducts_product {
  ptrdiff_t rows;
  ptrdiff_t columns;
  ptrdiff_t depth;
  bool transpose_lhs;
  bool transpose_rhs;
} cproducts_product;

/// Returns the floats of scratch memory that a product takes.
ptrdiff_t cproducts_scratch(cproducts_set set, const cproducts_product *product);

/// Computes a product with one term or more.
///
/// Each element is one chain of fused multiply-adds over the depth in ascending order that begins at +0.
void cproducts_multiply(cproducts_set set, const cproducts_product *product, const float *a,
                        const float *b, float *c, float *scratch);

/// A microbatch of a gradient: its rows, and how many times the two last sums are added after its own.
typedef struct cproducts_leaf {
  int rows;
  int additions;
} cproducts_leaf;

/// The gradient of one parameter: aᵀ·b per microbatch, added up in the order of a tree.
typedef struct cproducts_gradient {
  /// The rows of all microbatches.
  ptrdiff_t rows;
  ptrdiff_t lhs_columns;
  ptrdiff_t rhs_columns;
  const cproducts_leaf *leaves;
  ptrdiff_t leaf_count;
  /// The most sums that wait for others at once.
  ptrdiff_t depth;
} cproducts_gradient;

/// Returns the floats of scratch memory that a gradient takes; it begins at the border of a cache line.
ptrdiff_t cproducts_fold_scratch(cproducts_set set, const cproducts_gradient *gradient);

/// Computes a gradient, [lhs_columns, rhs_columns], of a [rows, lhs_columns] and b [rows, rhs_columns].
///
/// The bits are those of one product per microbatch, added in the order that the leaves say, the left sum
/// first.
void cproducts_fold(cproducts_set set, const cproducts_gradient *gradient, const float *a,
                    const float *b, float *c, float *scratch);

#include "Convolutions.h"

#endif

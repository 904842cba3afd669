// Products whose every element is one chain of fused multiply-adds, in one form per instruction set.

#ifndef CPRODUCTS_H
#define CPRODUCTS_H

#include <stddef.h>

/// An instruction set that the kernels are built for.
typedef enum cproducts_set {
  /// What every CPU of the architecture has; without fused multiply-adds, functions compute them.
  cproducts_baseline = 0,
  /// AVX2 and FMA.
  cproducts_avx2 = 1,
  /// AVX-512 F, DQ, BW and VL.
  cproducts_avx512 = 2,
} cproducts_set;

/// Returns the floats of a vector of an instruction set.
ptrdiff_t cproducts_lanes(cproducts_set set);

#endif

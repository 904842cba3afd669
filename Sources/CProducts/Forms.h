// The forms of a function, one per instruction set, and the choice among them.

#pragma once

#include "CProducts.h"

#if defined(__x86_64__)
#define CHOOSE(set, function, ...)                                  \
  ((set) == cproducts_avx512 ? function##_avx512(__VA_ARGS__)       \
   : (set) == cproducts_avx2 ? function##_avx2(__VA_ARGS__)         \
                             : function##_baseline(__VA_ARGS__))
#else
#define CHOOSE(set, function, ...) function##_baseline(__VA_ARGS__)
#endif

/// Declares the three forms of a function.
#define FORMS(result, function, ...)        \
  result function##_baseline(__VA_ARGS__);  \
  result function##_avx2(__VA_ARGS__);      \
  result function##_avx512(__VA_ARGS__)

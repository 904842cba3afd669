// The kernels for CPUs with AVX2 and FMA.
#if defined(__x86_64__)
#define CPRODUCTS_SET 1
#include "Kernels.h"
#pragma clang attribute pop
#endif

// The kernels for CPUs with AVX-512.
#if defined(__x86_64__)
#define CPRODUCTS_SET 2
#include "Kernels.h"
#pragma clang attribute pop
#endif

// The kernels for CPUs with AVX2.

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,lzcnt"))), apply_to = function)
#define NAME(name) name##_avx2
#include "Kernels.h"
#pragma clang attribute pop
#endif

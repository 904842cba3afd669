// The kernels for CPUs with AVX-512.

#if defined(__x86_64__)
#pragma clang attribute push(                                                             \
    __attribute__((target("avx2,bmi,bmi2,lzcnt,avx512f,avx512dq,avx512bw,avx512vl"))), \
    apply_to = function)
#define NAME(name) name##_avx512
#define MASKED_LANES 1
#include "Kernels.h"
#pragma clang attribute pop
#endif

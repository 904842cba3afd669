#include <dnnl.h>

/// From the OpenMP runtime that oneDNN is built with; the count it sets belongs to the calling thread.
extern void omp_set_num_threads(int count);

// The kernels for every CPU of the architecture.

#define CPRODUCTS_SET 0
#include "Kernels.h"


// All kernels of one instruction set: included once by the file of each.

#include "Lanes.h"

ptrdiff_t NAME(lanes)(void) { return LANES; }

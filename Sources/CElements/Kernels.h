// All kernels of one instruction set, for the file that includes this one.
//
// NAME gives each set its own name; everything else is private to the file, so that the linker cannot take
// the code of one set for that of another. MASKED_LANES says that it loads and stores lanes by a mask.

#include "Lanes.h"
#include "Elementary.h"
#include "Elements.h"
#include "Rows.h"

const celements_kernels NAME(celements) = {
    .apply = apply,
    .apply_row = apply_row,
    .apply_matrix = apply_matrix,
    .softmax = softmax,
    .log_softmax = log_softmax,
    .log_sum_exp = log_sum_exp,
    .cross_entropy = cross_entropy,
    .cross_entropy_gradient = cross_entropy_gradient,
};

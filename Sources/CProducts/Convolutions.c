// Convolutions: the way from a name that Swift sees to the form of an instruction set.

#include "Forms.h"

typedef cproducts_convolution Shape;

FORMS(ptrdiff_t, forward_scratch, const Shape *);
ptrdiff_t cproducts_forward_scratch(cproducts_set set, const Shape *shape) {
  return CHOOSE(set, forward_scratch, shape);
}

FORMS(void, forward, const Shape *, const float *, const float *, const float *, float *, float *);
void cproducts_forward(cproducts_set set, const Shape *shape, const float *x, const float *w,
                       const float *b, float *y, float *scratch) {
  CHOOSE(set, forward, shape, x, w, b, y, scratch);
}

FORMS(ptrdiff_t, input_gradient_scratch, const Shape *);
ptrdiff_t cproducts_input_gradient_scratch(cproducts_set set, const Shape *shape) {
  return CHOOSE(set, input_gradient_scratch, shape);
}

FORMS(void, input_gradient, const Shape *, const float *, const float *, float *, float *);
void cproducts_input_gradient(cproducts_set set, const Shape *shape, const float *y,
                              const float *w, float *x, float *scratch) {
  CHOOSE(set, input_gradient, shape, y, w, x, scratch);
}

FORMS(ptrdiff_t, weight_gradient_scratch, const Shape *, const cproducts_leaves *);
ptrdiff_t cproducts_weight_gradient_scratch(cproducts_set set, const Shape *shape,
                                            const cproducts_leaves *leaves) {
  return CHOOSE(set, weight_gradient_scratch, shape, leaves);
}

FORMS(void, weight_gradient, const Shape *, const cproducts_leaves *, const float *, const float *,
      float *, float *);
void cproducts_weight_gradient(cproducts_set set, const Shape *shape,
                               const cproducts_leaves *leaves, const float *x, const float *y,
                               float *w, float *scratch) {
  CHOOSE(set, weight_gradient, shape, leaves, x, y, w, scratch);
}

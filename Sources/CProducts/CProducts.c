// The way from a name that Swift sees to the form of an instruction set.

#include "Forms.h"

FORMS(ptrdiff_t, scratch, const cproducts_product *);
ptrdiff_t cproducts_scratch(cproducts_set set, const cproducts_product *product) {
  return CHOOSE(set, scratch, product);
}

FORMS(void, multiply, const cproducts_product *, const float *, const float *, float *, float *);
void cproducts_multiply(cproducts_set set, const cproducts_product *product, const float *a,
                        const float *b, float *c, float *scratch) {
  CHOOSE(set, multiply, product, a, b, c, scratch);
}

FORMS(ptrdiff_t, fold_scratch, const cproducts_gradient *);
ptrdiff_t cproducts_fold_scratch(cproducts_set set, const cproducts_gradient *gradient) {
  return CHOOSE(set, fold_scratch, gradient);
}

FORMS(void, fold, const cproducts_gradient *, const float *, const float *, float *, float *);
void cproducts_fold(cproducts_set set, const cproducts_gradient *g, const float *a, const float *b,
                    float *c, float *scratch) {
  CHOOSE(set, fold, g, a, b, c, scratch);
}

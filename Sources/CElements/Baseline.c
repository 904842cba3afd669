// The kernels for every CPU of the architecture, and the functions of one number.

#define NAME(name) name##_baseline
#include "Kernels.h"

float celements_exp_of(float x) { return exponential(x)[0]; }
float celements_expm1_of(float x) { return exponential_less_one(x)[0]; }
float celements_log_of(float x) { return logarithm(x)[0]; }
float celements_log1p_of(float x) { return logarithm_of_one_more(x)[0]; }
float celements_softplus_of(float x) { return softplus(x)[0]; }
float celements_sigmoid_of(float x) { return sigmoid(x)[0]; }
float celements_tanh_of(float x) { return hyperbolic_tangent(x)[0]; }
float celements_erf_of(float x) { return error_function(x)[0]; }

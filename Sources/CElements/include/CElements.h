// Elementary functions, elementwise kernels and kernels over rows, in one form per instruction set.

#ifndef CELEMENTS_H
#define CELEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// An elementwise operation.
typedef enum celements_code : uint8_t {
  // Of one operand.
  celements_scale,
  celements_exp,
  celements_expm1,
  celements_log,
  celements_log1p,
  celements_softplus,
  celements_square,
  celements_sigmoid,
  celements_tanh,
  celements_relu,
  celements_sqrt,
  celements_abs,
  celements_sign,
  celements_erf,
  celements_power,
  celements_cap,
  // Of two.
  celements_add,
  celements_subtract,
  celements_multiply,
  celements_divide,
  celements_maximum,
  celements_relu_gradient,
  celements_sigmoid_gradient,
  celements_tanh_gradient,
} celements_code;

/// The elements of a matrix, each made from one element of either operand.
typedef struct celements_matrix {
  ptrdiff_t rows, columns;
  /// The elements that an operand advances from row to row; 0 where its row is repeated.
  ptrdiff_t a_stride, b_stride;
  /// Indicates that an operand has one element for a whole row; not both have.
  bool a_is_column, b_is_column;
} celements_matrix;

/// The kernels of one instruction set; `Kernels` says what they compute.
///
/// The sources of all sets are the same, and so are the bits: products and sums are not contracted.
typedef struct __attribute__((swift_attr("@Sendable"))) celements_kernels {
  void (*apply)(celements_code code, double number, const float *a, const float *b, float *c,
                ptrdiff_t count);
  void (*apply_row)(celements_code code, const float *a, const float *row, float *c,
                    ptrdiff_t rows, ptrdiff_t columns);
  void (*apply_matrix)(celements_code code, const float *a, const float *b, float *c,
                       celements_matrix matrix);
  void (*softmax)(const float *a, ptrdiff_t rows, ptrdiff_t columns, float *c);
  void (*log_softmax)(const float *a, ptrdiff_t rows, ptrdiff_t columns, float *c);
  void (*log_sum_exp)(const float *a, ptrdiff_t rows, ptrdiff_t columns, float *c);
  void (*cross_entropy)(const float *logits, const int32_t *labels, ptrdiff_t rows,
                        ptrdiff_t classes, float *c);
  void (*cross_entropy_gradient)(const float *cotangent, const float *logits,
                                 const int32_t *labels, ptrdiff_t rows, ptrdiff_t classes,
                                 float *_Nullable losses, float *c);
} celements_kernels;

/// The kernels for every CPU of the architecture.
extern const celements_kernels celements_baseline;
#if defined(__x86_64__)
/// The kernels for CPUs with AVX2.
extern const celements_kernels celements_avx2;
/// The kernels for CPUs with AVX-512 F, DQ, BW and VL.
extern const celements_kernels celements_avx512;
#endif

// Elementary functions of one number, in the bits that the kernels give every element.
float celements_exp_of(float x);
float celements_expm1_of(float x);
float celements_log_of(float x);
float celements_log1p_of(float x);
float celements_softplus_of(float x);
float celements_sigmoid_of(float x);
float celements_tanh_of(float x);
float celements_erf_of(float x);

#pragma clang assume_nonnull end

#endif

// Convolutions of images whose every element is one chain of fused multiply-adds.

#ifndef CPRODUCTS_CONVOLUTIONS_H
#define CPRODUCTS_CONVOLUTIONS_H

#include "CProducts.h"

/// The window along one spatial axis.
typedef struct cproducts_axis {
  /// The extents of x and y along the axis.
  ptrdiff_t input, output;
  /// The covered elements, and the distances between positions and between covered elements.
  ptrdiff_t kernel, stride, dilation;
  /// The padding before the first element of x.
  ptrdiff_t before;
} cproducts_axis;

/// A convolution of one shape: x is [batch, rows, columns, groups·inputs], y is [batch, rows, columns,
/// groups·outputs], W is [groups·outputs, inputs, rows, columns].
typedef struct cproducts_convolution {
  ptrdiff_t batch;
  ptrdiff_t groups;
  /// The channels of one group.
  ptrdiff_t inputs, outputs;
  cproducts_axis rows, columns;
} cproducts_convolution;

/// The microbatches whose weight gradients are added up in the order of a tree; their rows are images.
typedef struct cproducts_leaves {
  const cproducts_leaf *first;
  ptrdiff_t count;
  /// The most sums that wait for others at once.
  ptrdiff_t depth;
} cproducts_leaves;

/// Returns the floats of scratch memory that y takes.
ptrdiff_t cproducts_forward_scratch(cproducts_set set, const cproducts_convolution *shape);
/// Returns the floats of scratch memory that the cotangent of x takes.
ptrdiff_t cproducts_input_gradient_scratch(cproducts_set set, const cproducts_convolution *shape);
/// Returns the floats of scratch memory that the cotangent of W takes.
ptrdiff_t cproducts_weight_gradient_scratch(cproducts_set set, const cproducts_convolution *shape,
                                            const cproducts_leaves *leaves);

/// Computes y from x and W, and b per output channel unless it is null.
///
/// Each sum begins at +0 and goes over the kernel's rows, columns and the input channels in ascending order;
/// taps in the padding add nothing to finite sums. Then +0 is added, so that no sum is -0, and b.
void cproducts_forward(cproducts_set set, const cproducts_convolution *shape, const float *x,
                       const float *w, const float *b, float *y, float *scratch);

/// Computes the cotangent of x from that of y and W.
///
/// Each sum begins at +0 and goes over the rows and columns of y that the element reaches and the output
/// channels in ascending order; then +0 is added.
void cproducts_input_gradient(cproducts_set set, const cproducts_convolution *shape,
                              const float *y, const float *w, float *x, float *scratch);

/// Computes the cotangent of W from x and the cotangent of y.
///
/// Each leaf is a sum that begins at +0 and goes over the images of a microbatch and the rows and columns of y in
/// ascending order; then +0 is added. They are added in the order that the leaves say, the left sum first.
void cproducts_weight_gradient(cproducts_set set, const cproducts_convolution *shape,
                               const cproducts_leaves *leaves, const float *x, const float *y,
                               float *w, float *scratch);

#endif

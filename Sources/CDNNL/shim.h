#include <dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>

/// From the OpenMP runtime that oneDNN is built with; the count it sets belongs to the calling thread.
extern void omp_set_num_threads(int count);

/// One argument of a primitive.
static inline dnnl_exec_arg_t cdnnl_argument(int index, dnnl_memory_t memory) {
  dnnl_exec_arg_t argument = {index, memory};
  return argument;
}

static inline int cdnnl_arg_source(void) { return DNNL_ARG_SRC; }
static inline int cdnnl_arg_weights(void) { return DNNL_ARG_WEIGHTS; }
static inline int cdnnl_arg_bias(void) { return DNNL_ARG_BIAS; }
static inline int cdnnl_arg_destination(void) { return DNNL_ARG_DST; }
static inline int cdnnl_arg_scratchpad(void) { return DNNL_ARG_SCRATCHPAD; }

/// A memory object is created without memory; it is given some before each execution.
static inline void *cdnnl_no_memory(void) { return DNNL_MEMORY_NONE; }

/// Describes a matrix; Swift would see the extents as a tuple of twelve.
static inline dnnl_status_t cdnnl_describe_matrix(
    dnnl_memory_desc_t *description, dnnl_dim_t rows, dnnl_dim_t columns, dnnl_data_type_t type,
    dnnl_format_tag_t tag) {
  dnnl_dims_t extents = {rows, columns};
  return dnnl_memory_desc_init_by_tag(description, 2, extents, type, tag);
}

/// Describes a tensor of any number of axes.
static inline dnnl_status_t cdnnl_describe_tensor(
    dnnl_memory_desc_t *description, int axis_count, const dnnl_dim_t *extents,
    dnnl_data_type_t type, dnnl_format_tag_t tag) {
  dnnl_dims_t all = {0};
  for (int axis = 0; axis < axis_count; ++axis) all[axis] = extents[axis];
  return dnnl_memory_desc_init_by_tag(description, axis_count, all, type, tag);
}

/// The numbers of a window over two axes: stride, dilation less 1, padding before and after.
typedef struct {
  dnnl_dim_t stride[2], dilation[2], before[2], after[2];
} cdnnl_window;

static inline cdnnl_window cdnnl_window_of(
    const dnnl_dim_t *stride, const dnnl_dim_t *dilation, const dnnl_dim_t *before,
    const dnnl_dim_t *after) {
  cdnnl_window window;
  for (int axis = 0; axis < 2; ++axis) {
    window.stride[axis] = stride[axis];
    window.dilation[axis] = dilation[axis];
    window.before[axis] = before[axis];
    window.after[axis] = after[axis];
  }
  return window;
}

static inline dnnl_status_t cdnnl_convolution_forward(
    dnnl_convolution_desc_t *operation, const dnnl_memory_desc_t *x, const dnnl_memory_desc_t *w,
    const dnnl_memory_desc_t *bias, const dnnl_memory_desc_t *y, const cdnnl_window *window) {
  return dnnl_dilated_convolution_forward_desc_init(
      operation, dnnl_forward_training, dnnl_convolution_direct, x, w, bias, y, window->stride,
      window->dilation, window->before, window->after);
}

static inline dnnl_status_t cdnnl_convolution_backward_data(
    dnnl_convolution_desc_t *operation, const dnnl_memory_desc_t *x, const dnnl_memory_desc_t *w,
    const dnnl_memory_desc_t *y, const cdnnl_window *window) {
  return dnnl_dilated_convolution_backward_data_desc_init(
      operation, dnnl_convolution_direct, x, w, y, window->stride, window->dilation,
      window->before, window->after);
}

static inline dnnl_status_t cdnnl_convolution_backward_weights(
    dnnl_convolution_desc_t *operation, const dnnl_memory_desc_t *x, const dnnl_memory_desc_t *w,
    const dnnl_memory_desc_t *y, const cdnnl_window *window) {
  return dnnl_dilated_convolution_backward_weights_desc_init(
      operation, dnnl_convolution_direct, x, w, NULL, y, window->stride, window->dilation,
      window->before, window->after);
}

static inline int cdnnl_arg_source_gradient(void) { return DNNL_ARG_DIFF_SRC; }
static inline int cdnnl_arg_weights_gradient(void) { return DNNL_ARG_DIFF_WEIGHTS; }
static inline int cdnnl_arg_destination_gradient(void) { return DNNL_ARG_DIFF_DST; }
static inline int cdnnl_arg_from(void) { return DNNL_ARG_FROM; }
static inline int cdnnl_arg_to(void) { return DNNL_ARG_TO; }

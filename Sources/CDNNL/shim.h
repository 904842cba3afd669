#include <dnnl.h>
#include <oneapi/dnnl/dnnl_debug.h>
#include <stdbool.h>
#include <stdlib.h>

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
static inline int cdnnl_arg_source_gradient(void) { return DNNL_ARG_DIFF_SRC; }
static inline int cdnnl_arg_weights_gradient(void) { return DNNL_ARG_DIFF_WEIGHTS; }
static inline int cdnnl_arg_destination_gradient(void) { return DNNL_ARG_DIFF_DST; }
static inline int cdnnl_arg_from(void) { return DNNL_ARG_FROM; }
static inline int cdnnl_arg_to(void) { return DNNL_ARG_TO; }

/// A memory object is created without memory; it is given some before each execution.
static inline void *cdnnl_no_memory(void) { return DNNL_MEMORY_NONE; }

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

// oneDNN 3 has layouts behind pointers and describes a primitive in one call; oneDNN 2 has layouts as
// structures and describes the operation first. From here on both look like oneDNN 3.

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t cdnnl_layout_t;
typedef const_dnnl_memory_desc_t cdnnl_const_layout_t;

static inline dnnl_status_t cdnnl_layout_create(
    cdnnl_layout_t *layout, int axis_count, const dnnl_dim_t *extents, dnnl_data_type_t type,
    dnnl_format_tag_t tag) {
  dnnl_dims_t all = {0};
  for (int axis = 0; axis < axis_count; ++axis) all[axis] = extents[axis];
  return dnnl_memory_desc_create_with_tag(layout, axis_count, all, type, tag);
}

/// Copies the layout that a description has chosen for one of its tensors; NULL if there is none.
static inline cdnnl_layout_t cdnnl_layout_chosen(
    const_dnnl_primitive_desc_t description, dnnl_query_t query) {
  const_dnnl_memory_desc_t chosen = dnnl_primitive_desc_query_md(description, query, 0);
  cdnnl_layout_t copy = NULL;
  if (chosen && dnnl_memory_desc_clone(&copy, chosen) != dnnl_success) return NULL;
  return copy;
}

static inline void cdnnl_layout_destroy(cdnnl_layout_t layout) { dnnl_memory_desc_destroy(layout); }

static inline dnnl_status_t cdnnl_describe_product(
    dnnl_primitive_desc_t *description, dnnl_engine_t engine, cdnnl_const_layout_t lhs,
    cdnnl_const_layout_t rhs, cdnnl_const_layout_t bias, cdnnl_const_layout_t result,
    const_dnnl_primitive_attr_t attributes) {
  return dnnl_matmul_primitive_desc_create(description, engine, lhs, rhs, bias, result, attributes);
}

static inline dnnl_status_t cdnnl_describe_convolution(
    dnnl_primitive_desc_t *description, dnnl_engine_t engine, cdnnl_const_layout_t x,
    cdnnl_const_layout_t w, cdnnl_const_layout_t bias, cdnnl_const_layout_t y,
    const cdnnl_window *window, const_dnnl_primitive_attr_t attributes) {
  return dnnl_convolution_forward_primitive_desc_create(
      description, engine, dnnl_forward_training, dnnl_convolution_direct, x, w, bias, y,
      window->stride, window->dilation, window->before, window->after, attributes);
}

/// Describes the gradient with respect to x, or else to w.
static inline dnnl_status_t cdnnl_describe_gradient(
    dnnl_primitive_desc_t *description, dnnl_engine_t engine, bool is_of_input,
    cdnnl_const_layout_t x, cdnnl_const_layout_t w, cdnnl_const_layout_t y,
    const cdnnl_window *window, const_dnnl_primitive_desc_t forward,
    const_dnnl_primitive_attr_t attributes) {
  if (is_of_input)
    return dnnl_convolution_backward_data_primitive_desc_create(
        description, engine, dnnl_convolution_direct, x, w, y, window->stride, window->dilation,
        window->before, window->after, forward, attributes);
  return dnnl_convolution_backward_weights_primitive_desc_create(
      description, engine, dnnl_convolution_direct, x, w, NULL, y, window->stride,
      window->dilation, window->before, window->after, forward, attributes);
}

#else

typedef dnnl_memory_desc_t *cdnnl_layout_t;
typedef const dnnl_memory_desc_t *cdnnl_const_layout_t;

static inline dnnl_status_t cdnnl_layout_create(
    cdnnl_layout_t *layout, int axis_count, const dnnl_dim_t *extents, dnnl_data_type_t type,
    dnnl_format_tag_t tag) {
  dnnl_dims_t all = {0};
  for (int axis = 0; axis < axis_count; ++axis) all[axis] = extents[axis];
  cdnnl_layout_t made = (cdnnl_layout_t)malloc(sizeof *made);
  if (!made) return dnnl_out_of_memory;
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(made, axis_count, all, type, tag);
  if (status != dnnl_success) {
    free(made);
    made = NULL;
  }
  *layout = made;
  return status;
}

/// Copies the layout that a description has chosen for one of its tensors; NULL if there is none.
static inline cdnnl_layout_t cdnnl_layout_chosen(
    const_dnnl_primitive_desc_t description, dnnl_query_t query) {
  const dnnl_memory_desc_t *chosen = dnnl_primitive_desc_query_md(description, query, 0);
  cdnnl_layout_t copy = chosen ? (cdnnl_layout_t)malloc(sizeof *copy) : NULL;
  if (copy) *copy = *chosen;
  return copy;
}

static inline void cdnnl_layout_destroy(cdnnl_layout_t layout) { free(layout); }

static inline dnnl_status_t cdnnl_describe_product(
    dnnl_primitive_desc_t *description, dnnl_engine_t engine, cdnnl_const_layout_t lhs,
    cdnnl_const_layout_t rhs, cdnnl_const_layout_t bias, cdnnl_const_layout_t result,
    const_dnnl_primitive_attr_t attributes) {
  dnnl_matmul_desc_t operation;
  dnnl_status_t status = dnnl_matmul_desc_init(&operation, lhs, rhs, bias, result);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(description, &operation, attributes, engine, NULL);
}

static inline dnnl_status_t cdnnl_describe_convolution(
    dnnl_primitive_desc_t *description, dnnl_engine_t engine, cdnnl_const_layout_t x,
    cdnnl_const_layout_t w, cdnnl_const_layout_t bias, cdnnl_const_layout_t y,
    const cdnnl_window *window, const_dnnl_primitive_attr_t attributes) {
  dnnl_convolution_desc_t operation;
  dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
      &operation, dnnl_forward_training, dnnl_convolution_direct, x, w, bias, y, window->stride,
      window->dilation, window->before, window->after);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(description, &operation, attributes, engine, NULL);
}

/// Describes the gradient with respect to x, or else to w.
static inline dnnl_status_t cdnnl_describe_gradient(
    dnnl_primitive_desc_t *description, dnnl_engine_t engine, bool is_of_input,
    cdnnl_const_layout_t x, cdnnl_const_layout_t w, cdnnl_const_layout_t y,
    const cdnnl_window *window, const_dnnl_primitive_desc_t forward,
    const_dnnl_primitive_attr_t attributes) {
  dnnl_convolution_desc_t operation;
  dnnl_status_t status =
      is_of_input ? dnnl_dilated_convolution_backward_data_desc_init(
                        &operation, dnnl_convolution_direct, x, w, y, window->stride,
                        window->dilation, window->before, window->after)
                  : dnnl_dilated_convolution_backward_weights_desc_init(
                        &operation, dnnl_convolution_direct, x, w, NULL, y, window->stride,
                        window->dilation, window->before, window->after);
  if (status != dnnl_success) return status;
  return dnnl_primitive_desc_create(description, &operation, attributes, engine, forward);
}

#endif

/// The name of an instruction set as oneDNN's own settings have it, such as avx2; NULL for one unknown here.
static inline const char *cdnnl_isa_name(dnnl_cpu_isa_t isa) {
  switch (isa) {
#if DNNL_VERSION_MAJOR >= 3
    case dnnl_cpu_isa_default: return "default";
    case dnnl_cpu_isa_avx2_vnni_2: return "avx2_vnni_2";
    case dnnl_cpu_isa_avx512_core_fp16: return "avx512_core_fp16";
    case dnnl_cpu_isa_avx512_core_amx_fp16: return "avx512_core_amx_fp16";
#else
    case dnnl_cpu_isa_all: return "default";
    case dnnl_cpu_isa_avx512_mic: return "avx512_mic";
    case dnnl_cpu_isa_avx512_mic_4ops: return "avx512_mic_4ops";
#endif
    case dnnl_cpu_isa_sse41: return "sse41";
    case dnnl_cpu_isa_avx: return "avx";
    case dnnl_cpu_isa_avx2: return "avx2";
    case dnnl_cpu_isa_avx2_vnni: return "avx2_vnni";
    case dnnl_cpu_isa_avx512_core: return "avx512_core";
    case dnnl_cpu_isa_avx512_core_vnni: return "avx512_core_vnni";
    case dnnl_cpu_isa_avx512_core_bf16: return "avx512_core_bf16";
    case dnnl_cpu_isa_avx512_core_amx: return "avx512_core_amx";
    default: return NULL;
  }
}

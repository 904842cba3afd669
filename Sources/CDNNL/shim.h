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
    dnnl_memory_desc_t *description, dnnl_dim_t rows, dnnl_dim_t columns, dnnl_format_tag_t tag) {
  dnnl_dims_t extents = {rows, columns};
  return dnnl_memory_desc_init_by_tag(description, 2, extents, dnnl_f32, tag);
}

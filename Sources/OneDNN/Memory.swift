import CDNNL

/// A memory object of oneDNN: a layout, and an address that is set before each execution.
final class Memory {
  let handle: dnnl_memory_t

  /// Creates a memory object that owns no memory.
  init(_ description: dnnl_memory_desc_t, _ context: Context) throws(OneDNNError) {
    var handle: dnnl_memory_t?
    var description = description
    try check(
      dnnl_memory_create(&handle, &description, context.engine, cdnnl_no_memory()),
      "dnnl_memory_create")
    guard let handle else {
      throw OneDNNError(call: "dnnl_memory_create", status: "no memory object", subject: "")
    }
    self.handle = handle
  }

  deinit { dnnl_memory_destroy(handle) }

  /// Sets the address that the next execution reads or writes.
  @inline(__always)
  func point(to address: UnsafeRawPointer) {
    let status = dnnl_memory_set_data_handle(handle, UnsafeMutableRawPointer(mutating: address))
    precondition(status == dnnl_success, "dnnl_memory_set_data_handle failed")
  }
}

/// The layout of a matrix, row by row or, transposed, column by column.
func matrix(
  rows: Int, columns: Int, isTransposed: Bool, _ format: NumberFormat = .float
) throws(OneDNNError) -> dnnl_memory_desc_t {
  var description = dnnl_memory_desc_t()
  try check(
    cdnnl_describe_matrix(
      &description, dnnl_dim_t(rows), dnnl_dim_t(columns), format.dataType,
      isTransposed ? dnnl_ba : dnnl_ab),
    "dnnl_memory_desc_init_by_tag", "matrix [\(rows), \(columns)]")
  return description
}

// Handles of oneDNN, each released by its owner: also where the initialiser of that owner throws.

import CDNNL

/// The order in memory of a tensor's elements, with its extents and the format of elements.
struct Layout: ~Copyable {
  let handle: cdnnl_layout_t

  /// Describes a tensor.
  ///
  /// - Parameters:
  ///   - extents: The length of each axis, at least 1.
  ///   - tag: The order of the axes in memory; any of them where the library is to choose.
  ///   - subject: The primitive that this is for, in errors.
  ///   - format: The format of an element.
  /// - Throws: ``OneDNNError`` if the library refuses the extents.
  init(
    _ extents: [Int], _ tag: dnnl_format_tag_t, _ subject: String, _ format: NumberFormat = .float
  ) throws(OneDNNError) {
    var handle: cdnnl_layout_t?
    try check(
      cdnnl_layout_create(
        &handle, Int32(extents.count), extents.map { dnnl_dim_t($0) }, format.dataType, tag),
      "dnnl_memory_desc_create", subject)
    self.handle = try required(handle, "dnnl_memory_desc_create", subject)
  }

  /// Takes over a layout of the library.
  fileprivate init(owned handle: cdnnl_layout_t) { self.handle = handle }

  deinit { cdnnl_layout_destroy(handle) }

  /// The bytes of a tensor in this layout.
  var byteCount: Int { dnnl_memory_desc_get_size(handle) }

  /// Returns whether another layout has the same extents, format and order.
  func equals(_ other: borrowing Layout) -> Bool {
    dnnl_memory_desc_equal(handle, other.handle) != 0
  }
}

/// A memory object: a layout, and an address that is set before each execution or belongs to it.
final class Memory {
  let handle: dnnl_memory_t
  /// The memory it owns; nil where callers set an address.
  private let buffer: UnsafeMutableRawPointer?

  /// Creates a memory object whose address callers set.
  convenience init(_ layout: borrowing Layout, _ context: Context) throws(OneDNNError) {
    try self.init(layout, context, buffer: nil)
  }

  /// Creates a memory object with memory of its own, all zeros: what pads a blocked layout counts as zero.
  convenience init(allocating layout: borrowing Layout, _ context: Context) throws(OneDNNError) {
    let byteCount = max(layout.byteCount, 1)
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    buffer.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    try self.init(layout, context, buffer: buffer)
    point(to: buffer)
  }

  /// Takes over `buffer`, also where it throws.
  private init(
    _ layout: borrowing Layout, _ context: Context, buffer: UnsafeMutableRawPointer?
  ) throws(OneDNNError) {
    var handle: dnnl_memory_t?
    do {
      try check(
        dnnl_memory_create(&handle, layout.handle, context.engine, cdnnl_no_memory()),
        "dnnl_memory_create")
      self.handle = try required(handle, "dnnl_memory_create", "")
    } catch {
      buffer?.deallocate()
      throw error
    }
    self.buffer = buffer
  }

  deinit {
    dnnl_memory_destroy(handle)
    buffer?.deallocate()
  }

  /// Sets the address that the next execution reads or writes.
  @inline(__always)
  func point(to address: UnsafeRawPointer) {
    let status = dnnl_memory_set_data_handle(handle, UnsafeMutableRawPointer(mutating: address))
    precondition(status == dnnl_success, "dnnl_memory_set_data_handle failed")
  }
}

/// Attributes of a primitive: its scratchpad is ours, and each element may pass through a function.
private struct Attributes: ~Copyable {
  let handle: dnnl_primitive_attr_t

  init(activation: dnnl_alg_kind_t? = nil) throws(OneDNNError) {
    var created: dnnl_primitive_attr_t?
    try check(dnnl_primitive_attr_create(&created), "dnnl_primitive_attr_create")
    let handle = try required(created, "dnnl_primitive_attr_create", "")
    do {
      try check(
        dnnl_primitive_attr_set_scratchpad_mode(handle, dnnl_scratchpad_mode_user),
        "dnnl_primitive_attr_set_scratchpad_mode")
      if let activation { try Attributes.append(activation, to: handle) }
    } catch {
      dnnl_primitive_attr_destroy(handle)
      throw error
    }
    self.handle = handle
  }

  deinit { dnnl_primitive_attr_destroy(handle) }

  private static func append(
    _ activation: dnnl_alg_kind_t, to attributes: dnnl_primitive_attr_t
  ) throws(OneDNNError) {
    var created: dnnl_post_ops_t?
    try check(dnnl_post_ops_create(&created), "dnnl_post_ops_create")
    let operations = try required(created, "dnnl_post_ops_create", "")
    defer { dnnl_post_ops_destroy(operations) }
    try check(cdnnl_append_eltwise(operations, activation), "dnnl_post_ops_append_eltwise")
    try check(
      dnnl_primitive_attr_set_post_ops(attributes, operations),
      "dnnl_primitive_attr_set_post_ops")
  }
}

/// An implementation that the library has chosen for an operation on tensors of given layouts.
struct PrimitiveDescription: ~Copyable {
  fileprivate let handle: dnnl_primitive_desc_t
  /// The operation and its shape, in errors.
  let subject: String

  /// Chooses an implementation of the product `f(A·B + b)`.
  ///
  /// The layout of `b` and the function `f` may be missing. Throws ``OneDNNError`` if the library refuses.
  init(
    product lhs: borrowing Layout, _ rhs: borrowing Layout, bias: cdnnl_layout_t? = nil,
    into result: borrowing Layout, activation: dnnl_alg_kind_t? = nil, _ context: Context,
    _ subject: String
  ) throws(OneDNNError) {
    let attributes = try Attributes(activation: activation)
    var handle: dnnl_primitive_desc_t?
    try check(
      cdnnl_describe_product(
        &handle, context.engine, lhs.handle, rhs.handle, bias, result.handle, attributes.handle),
      "dnnl_matmul_primitive_desc_create", subject)
    self.handle = try required(handle, "dnnl_matmul_primitive_desc_create", subject)
    self.subject = subject
  }

  /// Chooses an implementation of a convolution, with a bias where there is a layout of it.
  init(
    convolving x: borrowing Layout, _ w: borrowing Layout, bias: cdnnl_layout_t? = nil,
    into y: borrowing Layout, _ window: cdnnl_window, _ context: Context, _ subject: String
  ) throws(OneDNNError) {
    let attributes = try Attributes()
    var window = window
    var handle: dnnl_primitive_desc_t?
    try check(
      cdnnl_describe_convolution(
        &handle, context.engine, x.handle, w.handle, bias, y.handle, &window, attributes.handle),
      "dnnl_convolution_forward_primitive_desc_create", subject)
    self.handle = try required(handle, "dnnl_convolution_forward_primitive_desc_create", subject)
    self.subject = subject
  }

  /// Chooses an implementation of the gradient of a convolution with respect to its input or its weights.
  ///
  /// The library takes the convolution itself, whose operands are all of one format, as a hint.
  init(
    gradientOf forward: borrowing PrimitiveDescription, withRespectToInput isInputGradient: Bool,
    x: borrowing Layout, w: borrowing Layout, y: borrowing Layout, _ window: cdnnl_window,
    _ context: Context
  ) throws(OneDNNError) {
    let attributes = try Attributes()
    var window = window
    var handle: dnnl_primitive_desc_t?
    try check(
      cdnnl_describe_gradient(
        &handle, context.engine, isInputGradient, x.handle, w.handle, y.handle, &window,
        forward.handle, attributes.handle),
      "dnnl_convolution_backward_primitive_desc_create", forward.subject)
    self.handle = try required(
      handle, "dnnl_convolution_backward_primitive_desc_create", forward.subject)
    subject = forward.subject
  }

  /// Chooses an implementation of a copy from one layout into another.
  init(
    copying source: borrowing Layout, to target: borrowing Layout, _ context: Context,
    _ subject: String
  ) throws(OneDNNError) {
    let attributes = try Attributes()
    var handle: dnnl_primitive_desc_t?
    try check(
      dnnl_reorder_primitive_desc_create(
        &handle, source.handle, context.engine, target.handle, context.engine, attributes.handle),
      "dnnl_reorder_primitive_desc_create", subject)
    self.handle = try required(handle, "dnnl_reorder_primitive_desc_create", subject)
    self.subject = subject
  }

  deinit { dnnl_primitive_desc_destroy(handle) }

  /// Returns the layout that was chosen for one of the tensors.
  func layout(_ tensor: dnnl_query_t) throws(OneDNNError) -> Layout {
    Layout(
      owned: try required(
        cdnnl_layout_chosen(handle, tensor), "dnnl_primitive_desc_query_md", subject))
  }
}

/// A compiled primitive with the memory objects it runs on and a scratchpad of its own.
struct Primitive: ~Copyable {
  private let handle: dnnl_primitive_t
  private let arguments: UnsafeMutablePointer<dnnl_exec_arg_t>
  private let count: Int32
  /// Kept for as long as the arguments name them.
  private let memories: [Memory]
  private let context: Context

  /// Compiles a primitive, or takes it from the library's cache of compiled ones.
  ///
  /// - Parameters:
  ///   - description: The implementation.
  ///   - roles: The memory object of each argument but the scratchpad.
  ///   - context: Where it runs.
  /// - Throws: ``OneDNNError`` if the library is out of memory.
  /// - Complexity: up to milliseconds, when code is generated.
  init(
    _ description: borrowing PrimitiveDescription, _ roles: [(argument: Int32, memory: Memory)],
    _ context: Context
  ) throws(OneDNNError) {
    let scratchpad = try Memory(
      allocating: try description.layout(dnnl_query_scratchpad_md), context)
    var handle: dnnl_primitive_t?
    try check(
      dnnl_primitive_create(&handle, description.handle), "dnnl_primitive_create",
      description.subject)
    self.handle = try required(handle, "dnnl_primitive_create", description.subject)
    let roles = roles + [(cdnnl_arg_scratchpad(), scratchpad)]
    arguments = .allocate(capacity: roles.count)
    for (index, role) in roles.enumerated() {
      arguments[index] = cdnnl_argument(role.argument, role.memory.handle)
    }
    count = Int32(roles.count)
    memories = roles.map(\.memory)
    self.context = context
  }

  deinit {
    dnnl_primitive_destroy(handle)
    arguments.deallocate()
  }

  /// Computes; the CPU's stream does so before it returns, so there is nothing to wait for.
  ///
  /// - Complexity: 0.2 µs beside the work; no allocation of ours.
  @inline(__always)
  func run() {
    let status = dnnl_primitive_execute(handle, context.stream, count, arguments)
    precondition(status == dnnl_success, "dnnl_primitive_execute failed")
  }
}

/// Returns what a call that succeeded must have made.
private func required<Handle>(
  _ handle: Handle?, _ call: String, _ subject: String
) throws(OneDNNError) -> Handle {
  guard let handle else {
    throw OneDNNError(call: call, status: "returned nothing", subject: subject)
  }
  return handle
}

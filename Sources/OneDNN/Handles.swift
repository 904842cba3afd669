// Handles of oneDNN, each released by its owner, also if the owner's initialiser throws.

import CDNNL

/// The order in memory of a tensor's elements, with its extents and the format of elements.
struct Layout: ~Copyable {
  let handle: cdnnl_layout_t

  /// Describes a tensor.
  ///
  /// - Parameters:
  ///   - extents: The length of each axis, at least 1.
  ///   - tag: The order of the axes in memory; `dnnl_format_tag_any` lets the library choose.
  ///   - subject: The primitive that uses it, for errors.
  ///   - format: The format of an element.
  /// - Throws: ``OneDNNError`` if the library refuses the extents.
  init(
    _ extents: [Int], _ tag: dnnl_format_tag_t, _ subject: String, _ format: NumberFormat = .float
  ) throws(OneDNNError) {
    handle = try made("dnnl_memory_desc_create", subject) {
      cdnnl_layout_create(
        &$0, Int32(extents.count), extents.map { dnnl_dim_t($0) }, format.dataType, tag)
    }
  }

  /// Takes ownership of a layout of the library.
  fileprivate init(owned handle: cdnnl_layout_t) { self.handle = handle }

  deinit { cdnnl_layout_destroy(handle) }

  /// The size in bytes of a tensor in this layout.
  var byteCount: Int { dnnl_memory_desc_get_size(handle) }

  /// Returns whether another layout has the same extents, format and order.
  func equals(_ other: borrowing Layout) -> Bool {
    dnnl_memory_desc_equal(handle, other.handle) != 0
  }
}

/// A memory object: a layout, and an address that callers set before each execution, or a buffer of its own.
final class Memory {
  let handle: dnnl_memory_t
  /// The buffer that it owns; nil if callers set the address.
  private let buffer: UnsafeMutableRawPointer?

  /// Creates a memory object whose address callers set.
  convenience init(_ layout: borrowing Layout, _ context: Context) throws(OneDNNError) {
    try self.init(layout, context, buffer: nil)
  }

  /// Creates a memory object with a buffer of zeros of its own: the padding of blocked layouts must be zero.
  convenience init(allocating layout: borrowing Layout, _ context: Context) throws(OneDNNError) {
    let byteCount = max(layout.byteCount, 1)
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    buffer.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    try self.init(layout, context, buffer: buffer)
    point(to: buffer)
  }

  /// Takes ownership of `buffer`, and frees it if it throws.
  private init(
    _ layout: borrowing Layout, _ context: Context, buffer: UnsafeMutableRawPointer?
  ) throws(OneDNNError) {
    do throws(OneDNNError) {
      handle = try made("dnnl_memory_create") {
        dnnl_memory_create(&$0, layout.handle, context.engine, cdnnl_no_memory())
      }
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

/// Attributes of a primitive: a scratchpad that we provide.
private struct Attributes: ~Copyable {
  let handle: dnnl_primitive_attr_t

  init() throws(OneDNNError) {
    let handle = try made("dnnl_primitive_attr_create") { dnnl_primitive_attr_create(&$0) }
    do {
      try check(
        dnnl_primitive_attr_set_scratchpad_mode(handle, dnnl_scratchpad_mode_user),
        "dnnl_primitive_attr_set_scratchpad_mode")
    } catch {
      dnnl_primitive_attr_destroy(handle)
      throw error
    }
    self.handle = handle
  }

  deinit { dnnl_primitive_attr_destroy(handle) }
}

/// The implementation that the library chooses for an operation on tensors of given layouts.
///
/// Its initialisers throw ``OneDNNError`` if the library has none.
struct PrimitiveDescription: ~Copyable {
  fileprivate let handle: dnnl_primitive_desc_t
  /// The operation and its shape, for errors.
  let subject: String

  /// Chooses an implementation with the attributes of ours, by the library's function `call`.
  private init(
    _ call: StaticString, _ subject: String,
    _ choose: (inout dnnl_primitive_desc_t?, dnnl_primitive_attr_t) -> dnnl_status_t
  ) throws(OneDNNError) {
    let attributes = try Attributes()
    handle = try made(call, subject) { choose(&$0, attributes.handle) }
    self.subject = subject
  }

  /// Chooses an implementation of the product `A·B + b`; without `bias` b is 0.
  init(
    product lhs: borrowing Layout, _ rhs: borrowing Layout, bias: cdnnl_layout_t? = nil,
    into result: borrowing Layout, _ context: Context, _ subject: String
  ) throws(OneDNNError) {
    try self.init("dnnl_matmul_primitive_desc_create", subject) {
      cdnnl_describe_product(
        &$0, context.engine, lhs.handle, rhs.handle, bias, result.handle, $1)
    }
  }

  /// Chooses an implementation of a convolution, with a bias if its layout is given.
  init(
    convolving x: borrowing Layout, _ w: borrowing Layout, bias: cdnnl_layout_t? = nil,
    into y: borrowing Layout, _ window: cdnnl_window, _ context: Context, _ subject: String
  ) throws(OneDNNError) {
    var window = window
    try self.init("dnnl_convolution_forward_primitive_desc_create", subject) {
      cdnnl_describe_convolution(
        &$0, context.engine, x.handle, w.handle, bias, y.handle, &window, $1)
    }
  }

  /// Chooses an implementation of the gradient of a convolution with respect to its input or its weights.
  ///
  /// The library takes the convolution itself, with all operands in one format, as a hint.
  init(
    gradientOf forward: borrowing PrimitiveDescription, withRespectToInput isInputGradient: Bool,
    x: borrowing Layout, w: borrowing Layout, y: borrowing Layout, _ window: cdnnl_window,
    _ context: Context
  ) throws(OneDNNError) {
    var window = window
    try self.init("dnnl_convolution_backward_primitive_desc_create", forward.subject) {
      cdnnl_describe_gradient(
        &$0, context.engine, isInputGradient, x.handle, w.handle, y.handle, &window,
        forward.handle, $1)
    }
  }

  /// Chooses an implementation of a copy from one layout to another.
  init(
    copying source: borrowing Layout, to target: borrowing Layout, _ context: Context,
    _ subject: String
  ) throws(OneDNNError) {
    try self.init("dnnl_reorder_primitive_desc_create", subject) {
      dnnl_reorder_primitive_desc_create(
        &$0, source.handle, context.engine, target.handle, context.engine, $1)
    }
  }

  deinit { dnnl_primitive_desc_destroy(handle) }

  /// Returns the layout that the library chose for one of the tensors.
  func layout(_ tensor: dnnl_query_t) throws(OneDNNError) -> Layout {
    Layout(
      owned: try made("dnnl_primitive_desc_query_md", subject) {
        $0 = cdnnl_layout_chosen(handle, tensor)
        return dnnl_success
      })
  }
}

/// A compiled primitive with its memory objects and a scratchpad of its own.
struct Primitive: ~Copyable {
  private let handle: dnnl_primitive_t
  private let arguments: UnsafeMutablePointer<dnnl_exec_arg_t>
  private let count: Int32
  /// The owners of the handles in `arguments`.
  private let memories: [Memory]
  private let context: Context

  /// Compiles a primitive, or takes it from the library's cache of compiled ones.
  ///
  /// - Parameters:
  ///   - description: The implementation.
  ///   - roles: The memory object of each argument except the scratchpad.
  ///   - context: The engine and stream to run on.
  /// - Throws: ``OneDNNError`` if the library is out of memory.
  /// - Complexity: up to milliseconds if code must be generated.
  init(
    _ description: borrowing PrimitiveDescription, _ roles: [(argument: Int32, memory: Memory)],
    _ context: Context
  ) throws(OneDNNError) {
    let scratchpad = try Memory(
      allocating: try description.layout(dnnl_query_scratchpad_md), context)
    handle = try made("dnnl_primitive_create", description.subject) {
      dnnl_primitive_create(&$0, description.handle)
    }
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

  /// Runs the primitive; the CPU's stream is synchronous, so it has finished on return.
  ///
  /// - Complexity: 0.2 µs plus the work; no allocation on our side.
  @inline(__always)
  func run() {
    let status = dnnl_primitive_execute(handle, context.stream, count, arguments)
    precondition(status == dnnl_success, "dnnl_primitive_execute failed")
  }
}

/// Returns the handle that a call of the library makes.
///
/// - Parameters:
///   - call: The library's function, for errors.
///   - subject: The purpose of the call, for errors.
///   - create: Makes the call.
/// - Returns: The handle.
/// - Throws: ``OneDNNError`` if the call fails or makes nothing.
func made<Handle>(
  _ call: StaticString, _ subject: String = "", _ create: (inout Handle?) -> dnnl_status_t
) throws(OneDNNError) -> Handle {
  var handle: Handle?
  try check(create(&handle), call, subject)
  guard let handle else {
    throw OneDNNError(call: "\(call)", status: "returned nothing", subject: subject)
  }
  return handle
}

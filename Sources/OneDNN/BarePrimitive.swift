import CDNNL

/// A matrix product or convolution by itself, for measurements: what the library can do at its best.
///
/// Nothing precedes or follows the product, and tensors may be in whatever layout the library prefers:
/// what is in memory is not what a plain layout would say. A final class with one owner, used by one thread
/// at a time, after ``prepareThread()`` on each thread that does.
public final class BarePrimitive {
  /// How tensors lie in memory.
  public enum Layouts: Hashable, Sendable {
    /// As the program stores them: matrices row by row, images with channels last; weights of
    /// convolutions as the library prefers.
    case plain
    /// As the library prefers.
    case preferred
  }

  /// What is computed.
  public enum Work: Hashable, Sendable {
    /// The product `[rows, depth] · [depth, columns]`, of operands that are stored transposed or not.
    case product(rows: Int, columns: Int, depth: Int, transposeLHS: Bool, transposeRHS: Bool)
    /// y from x and W; the cotangent of x from that of y and W; that of W from x and that of y.
    case convolution(ConvolutionPrimitive.Kind, ConvolutionPrimitive.Geometry)
  }

  /// The bytes of the first operand, the second, and the result.
  public let byteCounts: (lhs: Int, rhs: Int, result: Int)

  private let context: Context
  private let primitive: dnnl_primitive_t
  private let memories: [Memory]
  private let scratchpad: UnsafeMutableRawPointer
  private let arguments: UnsafeMutablePointer<dnnl_exec_arg_t>

  /// Compiles the work.
  ///
  /// - Parameters:
  ///   - work: What is computed, of extents 1 or more; a convolution without a bias.
  ///   - layouts: How the three tensors lie in memory.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  /// - Complexity: up to milliseconds, when code is generated.
  public init(_ work: Work, _ layouts: Layouts) throws(OneDNNError) {
    let context = try Context()
    let description: dnnl_primitive_desc_t
    let roles: [(argument: Int32, query: dnnl_query_t)]
    switch work {
    case .product(let m, let n, let k, let transposeLHS, let transposeRHS):
      description = try BarePrimitive.product(
        (m, n, k), transposeLHS, transposeRHS, layouts, context)
      roles = [
        (cdnnl_arg_source(), dnnl_query_src_md), (cdnnl_arg_weights(), dnnl_query_weights_md),
        (cdnnl_arg_destination(), dnnl_query_dst_md),
      ]
    case .convolution(let kind, let geometry):
      description = try BarePrimitive.convolution(kind, geometry, layouts, context)
      switch kind {
      case .forward:
        roles = [
          (cdnnl_arg_source(), dnnl_query_src_md), (cdnnl_arg_weights(), dnnl_query_weights_md),
          (cdnnl_arg_destination(), dnnl_query_dst_md),
        ]
      case .inputGradient:
        roles = [
          (cdnnl_arg_destination_gradient(), dnnl_query_diff_dst_md),
          (cdnnl_arg_weights(), dnnl_query_weights_md),
          (cdnnl_arg_source_gradient(), dnnl_query_diff_src_md),
        ]
      case .weightGradient:
        roles = [
          (cdnnl_arg_source(), dnnl_query_src_md),
          (cdnnl_arg_destination_gradient(), dnnl_query_diff_dst_md),
          (cdnnl_arg_weights_gradient(), dnnl_query_diff_weights_md),
        ]
      }
    }
    defer { dnnl_primitive_desc_destroy(description) }
    var memories: [Memory] = []
    var sizes: [Int] = []
    for query in roles.map(\.query) + [dnnl_query_scratchpad_md] {
      guard let layout = dnnl_primitive_desc_query_md(description, query, 0) else {
        throw OneDNNError(
          call: "dnnl_primitive_desc_query_md", status: "no layout", subject: "\(work)")
      }
      memories.append(try Memory(layout.pointee, context))
      sizes.append(dnnl_memory_desc_get_size(layout))
    }
    var primitive: dnnl_primitive_t?
    try check(dnnl_primitive_create(&primitive, description), "dnnl_primitive_create", "\(work)")
    guard let primitive else {
      throw OneDNNError(
        call: "dnnl_primitive_create", status: "no primitive", subject: "\(work)")
    }
    self.context = context
    self.primitive = primitive
    self.memories = memories
    byteCounts = (sizes[0], sizes[1], sizes[2])
    scratchpad = .allocate(byteCount: max(sizes[3], 1), alignment: 64)
    memories[3].point(to: scratchpad)
    arguments = .allocate(capacity: 4)
    for (index, role) in roles.enumerated() {
      arguments[index] = cdnnl_argument(role.argument, memories[index].handle)
    }
    arguments[3] = cdnnl_argument(cdnnl_arg_scratchpad(), memories[3].handle)
  }

  deinit {
    dnnl_primitive_destroy(primitive)
    arguments.deallocate()
    scratchpad.deallocate()
  }

  /// Computes the result.
  ///
  /// - Parameters:
  ///   - lhs: The first operand.
  ///   - rhs: The second operand.
  ///   - result: Where the result goes; overlaps no operand.
  public func run(
    lhs: UnsafeRawPointer, rhs: UnsafeRawPointer, into result: UnsafeMutableRawPointer
  ) {
    memories[0].point(to: lhs)
    memories[1].point(to: rhs)
    memories[2].point(to: result)
    let status = dnnl_primitive_execute(primitive, context.stream, 4, arguments)
    precondition(status == dnnl_success, "dnnl_primitive_execute failed")
  }

  private static func product(
    _ extents: (m: Int, n: Int, k: Int), _ transposeLHS: Bool, _ transposeRHS: Bool,
    _ layouts: Layouts, _ context: Context
  ) throws(OneDNNError) -> dnnl_primitive_desc_t {
    let (m, n, k) = extents
    let subject = "product [\(m), \(k)] · [\(k), \(n)]"
    func tag(_ isTransposed: Bool) -> dnnl_format_tag_t {
      layouts == .preferred ? dnnl_format_tag_any : isTransposed ? dnnl_ba : dnnl_ab
    }
    var lhs = try tensor([m, k], tag(transposeLHS), subject)
    var rhs = try tensor([k, n], tag(transposeRHS), subject)
    var result = try tensor([m, n], tag(false), subject)
    var operation = dnnl_matmul_desc_t()
    try check(
      dnnl_matmul_desc_init(&operation, &lhs, &rhs, nil, &result), "dnnl_matmul_desc_init", subject)
    return try describe(&operation, hint: nil, context, subject)
  }

  private static func convolution(
    _ kind: ConvolutionPrimitive.Kind, _ geometry: ConvolutionPrimitive.Geometry,
    _ layouts: Layouts, _ context: Context
  ) throws(OneDNNError) -> dnnl_primitive_desc_t {
    let subject =
      "convolution of \(geometry.batch) images \(geometry.axes.map(\.input)) by \(geometry.weightExtents)"
    let images = layouts == .preferred ? dnnl_format_tag_any : dnnl_nhwc
    var x = try tensor(
      [geometry.batch, geometry.inputs] + geometry.axes.map(\.input), images, subject)
    var y = try tensor(
      [geometry.batch, geometry.outputs] + geometry.axes.map(\.output), images, subject)
    var w = try tensor(geometry.weightExtents, dnnl_format_tag_any, subject)
    func numbers(_ part: (ConvolutionPrimitive.Geometry.Axis) -> Int) -> [dnnl_dim_t] {
      geometry.axes.map { dnnl_dim_t(part($0)) }
    }
    var window = cdnnl_window_of(
      numbers(\.stride), numbers { $0.dilation - 1 }, numbers(\.before), numbers(\.after))
    var operation = dnnl_convolution_desc_t()
    try check(
      cdnnl_convolution_forward(&operation, &x, &w, nil, &y, &window),
      "dnnl_convolution_forward_desc_init", subject)
    let forward = try describe(&operation, hint: nil, context, subject)
    if case .forward = kind { return forward }
    defer { dnnl_primitive_desc_destroy(forward) }
    try check(
      kind == .inputGradient
        ? cdnnl_convolution_backward_data(&operation, &x, &w, &y, &window)
        : cdnnl_convolution_backward_weights(&operation, &x, &w, &y, &window),
      "dnnl_convolution_backward_desc_init", subject)
    return try describe(&operation, hint: forward, context, subject)
  }

  /// Chooses an implementation whose scratchpad is ours.
  private static func describe(
    _ operation: UnsafeRawPointer, hint: dnnl_primitive_desc_t?, _ context: Context,
    _ subject: String
  ) throws(OneDNNError) -> dnnl_primitive_desc_t {
    var attributes: dnnl_primitive_attr_t?
    try check(dnnl_primitive_attr_create(&attributes), "dnnl_primitive_attr_create")
    defer { dnnl_primitive_attr_destroy(attributes) }
    try check(
      dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user),
      "dnnl_primitive_attr_set_scratchpad_mode")
    var description: dnnl_primitive_desc_t?
    try check(
      dnnl_primitive_desc_create(&description, operation, attributes, context.engine, hint),
      "dnnl_primitive_desc_create", subject)
    guard let description else {
      throw OneDNNError(
        call: "dnnl_primitive_desc_create", status: "no description", subject: subject)
    }
    return description
  }
}

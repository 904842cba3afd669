import CDNNL

/// A convolution of images, or one of the two products it is differentiated into, compiled for one shape.
///
/// Images are `[batch, height, width, channels]`, channels last; weights are plain,
/// `[out, in / groups, height, width]`, and are brought into the layout that the library prefers by each
/// run. A final class with one owner, used by one thread at a time, after ``prepareThread()`` on each thread
/// that does.
public final class ConvolutionPrimitive {
  /// Which of the three tensors is computed from the other two.
  public enum Kind: Hashable, Sendable {
    /// y from x and W, perhaps with a bias per output channel.
    case forward(bias: Bool)
    /// The cotangent of x from that of y and W.
    case inputGradient
    /// The cotangent of W from x and that of y.
    case weightGradient
  }

  /// The extents of one convolution over two spatial axes.
  public struct Geometry: Hashable, Sendable {
    /// The window along one axis.
    public struct Axis: Hashable, Sendable {
      /// The extents of x and y along the axis.
      let input: Int, output: Int
      /// The elements the window covers, and those between its positions and between what it covers.
      let kernel: Int, stride: Int, dilation: Int
      /// The padding before the first element and after the last.
      let before: Int, after: Int

      /// Describes the window along one axis; without arguments but `input`, one that does nothing.
      public init(
        input: Int, output: Int, kernel: Int = 1, stride: Int = 1, dilation: Int = 1,
        before: Int = 0, after: Int = 0
      ) {
        self.input = input
        self.output = output
        self.kernel = kernel
        self.stride = stride
        self.dilation = dilation
        self.before = before
        self.after = after
      }
    }

    let batch: Int
    let inputs: Int
    let outputs: Int
    let groups: Int
    let axes: [Axis]

    /// Names a convolution.
    ///
    /// - Parameters:
    ///   - batch: The number of images.
    ///   - inputs: The channels of x.
    ///   - outputs: The channels of y.
    ///   - groups: The number of groups.
    ///   - axes: Height and width.
    public init(batch: Int, inputs: Int, outputs: Int, groups: Int, axes: [Axis]) {
      precondition(axes.count == 2, "a convolution over \(axes.count) axes")
      self.batch = batch
      self.inputs = inputs
      self.outputs = outputs
      self.groups = groups
      self.axes = axes
    }

    /// The extents of the weights, groups as an axis of their own where there are several.
    var weightExtents: [Int] {
      (groups > 1 ? [groups, outputs / groups] : [outputs])
        + [inputs / groups] + axes.map(\.kernel)
    }
  }

  private let context: Context
  private let kind: Kind
  private let primitive: dnnl_primitive_t
  private let reorder: dnnl_primitive_t?
  private let images: (x: Memory, y: Memory)
  /// The weights as the caller has them, and as the primitive wants them; one where these are the same.
  private let weights: (plain: Memory, preferred: Memory)
  private let bias: Memory?
  private let scratchpads: [Memory]
  private let buffers: [UnsafeMutableRawPointer]
  private let arguments: UnsafeMutablePointer<dnnl_exec_arg_t>
  private let argumentCount: Int32

  /// Compiles the convolution, or takes it from the library's cache of compiled ones.
  ///
  /// - Parameters:
  ///   - kind: What is computed.
  ///   - geometry: The extents, all 1 or more.
  ///   - operands: How the elements of those images that are operands are stored. Weights are `Float` whatever
  ///     this is; what brings them into the preferred layout rounds them too.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  /// - Complexity: up to milliseconds, when code is generated.
  public init(
    _ kind: Kind, _ geometry: Geometry, operands: NumberFormat = .float
  ) throws(OneDNNError) {
    let context = try Context()
    let subject =
      "convolution of \(geometry.batch) images \(geometry.axes.map(\.input)) by \(geometry.weightExtents)"
    let isGrouped = geometry.groups > 1
    let isForward = kind == .forward(bias: true) || kind == .forward(bias: false)
    var x = try tensor(
      [geometry.batch, geometry.inputs] + geometry.axes.map(\.input), dnnl_nhwc, subject,
      kind == .inputGradient ? .float : operands)
    var y = try tensor(
      [geometry.batch, geometry.outputs] + geometry.axes.map(\.output), dnnl_nhwc, subject,
      isForward ? .float : operands)
    var w = try tensor(
      geometry.weightExtents, dnnl_format_tag_any, subject,
      kind == .weightGradient ? .float : operands)
    let plain = try tensor(geometry.weightExtents, isGrouped ? dnnl_goihw : dnnl_oihw, subject)
    var b = try tensor([geometry.outputs], dnnl_a, subject)
    func numbers(_ part: (Geometry.Axis) -> Int) -> [dnnl_dim_t] {
      geometry.axes.map { dnnl_dim_t(part($0)) }
    }
    var window = cdnnl_window_of(
      numbers(\.stride), numbers { $0.dilation - 1 }, numbers(\.before),
      numbers(\.after))

    let hasBias = kind == .forward(bias: true)
    // A backward pass is described with a forward one as a hint, whose operands are all of one format.
    var (hintX, hintW, hintY) = (x, w, y)
    if !isForward {
      hintX.data_type = operands.dataType
      hintW.data_type = operands.dataType
      hintY.data_type = operands.dataType
    }
    var forward = dnnl_convolution_desc_t()
    try check(
      hasBias
        ? cdnnl_convolution_forward(&forward, &hintX, &hintW, &b, &hintY, &window)
        : cdnnl_convolution_forward(&forward, &hintX, &hintW, nil, &hintY, &window),
      "dnnl_convolution_forward_desc_init", subject)
    var description = try describe(&forward, hint: nil, context, subject)
    defer { dnnl_primitive_desc_destroy(description) }
    if !isForward {
      var backward = dnnl_convolution_desc_t()
      try check(
        kind == .inputGradient
          ? cdnnl_convolution_backward_data(&backward, &x, &w, &y, &window)
          : cdnnl_convolution_backward_weights(&backward, &x, &w, &y, &window),
        "dnnl_convolution_backward_desc_init", subject)
      let hint = description
      defer { dnnl_primitive_desc_destroy(hint) }
      description = try describe(&backward, hint: hint, context, subject)
    }
    func layout(_ query: dnnl_query_t) throws(OneDNNError) -> dnnl_memory_desc_t {
      guard let found = dnnl_primitive_desc_query_md(description, query, 0) else {
        throw OneDNNError(
          call: "dnnl_primitive_desc_query_md", status: "no layout", subject: subject)
      }
      return found.pointee
    }
    var preferred = try layout(
      kind == .weightGradient ? dnnl_query_diff_weights_md : dnnl_query_weights_md)
    var plainLayout = plain
    let isPlain = dnnl_memory_desc_equal(&preferred, &plainLayout) != 0

    let memories = (
      x: try Memory(x, context), y: try Memory(y, context), plain: try Memory(plain, context)
    )
    var scratchpads: [Memory] = []
    var buffers: [UnsafeMutableRawPointer] = []
    func ownMemory(_ layout: dnnl_memory_desc_t) throws(OneDNNError) -> Memory {
      var layout = layout
      let memory = try Memory(layout, context)
      let buffer = UnsafeMutableRawPointer.allocate(
        byteCount: max(dnnl_memory_desc_get_size(&layout), 1), alignment: 64)
      // What pads a blocked layout counts as zero.
      buffer.initializeMemory(
        as: UInt8.self, repeating: 0, count: dnnl_memory_desc_get_size(&layout))
      memory.point(to: buffer)
      buffers.append(buffer)
      return memory
    }
    let scratchpad = try ownMemory(try layout(dnnl_query_scratchpad_md))
    scratchpads.append(scratchpad)
    let preferredMemory = isPlain ? memories.plain : try ownMemory(preferred)
    let biasMemory = hasBias ? try Memory(b, context) : nil

    var primitive: dnnl_primitive_t?
    try check(dnnl_primitive_create(&primitive, description), "dnnl_primitive_create", subject)
    guard let primitive else {
      throw OneDNNError(call: "dnnl_primitive_create", status: "no primitive", subject: subject)
    }
    var reorder: dnnl_primitive_t?
    if !isPlain {
      var reordering: dnnl_primitive_desc_t?
      let isGradient = kind == .weightGradient
      try check(
        isGradient
          ? dnnl_reorder_primitive_desc_create(
            &reordering, &preferred, context.engine, &plainLayout, context.engine, nil)
          : dnnl_reorder_primitive_desc_create(
            &reordering, &plainLayout, context.engine, &preferred, context.engine, nil),
        "dnnl_reorder_primitive_desc_create", subject)
      defer { dnnl_primitive_desc_destroy(reordering) }
      try check(dnnl_primitive_create(&reorder, reordering), "dnnl_primitive_create", subject)
    }

    self.context = context
    self.kind = kind
    self.primitive = primitive
    self.reorder = reorder
    images = (memories.x, memories.y)
    weights = (memories.plain, preferredMemory)
    bias = biasMemory
    self.scratchpads = scratchpads
    self.buffers = buffers
    let (xArgument, wArgument, yArgument) =
      switch kind {
      case .forward: (cdnnl_arg_source(), cdnnl_arg_weights(), cdnnl_arg_destination())
      case .inputGradient:
        (cdnnl_arg_source_gradient(), cdnnl_arg_weights(), cdnnl_arg_destination_gradient())
      case .weightGradient:
        (cdnnl_arg_source(), cdnnl_arg_weights_gradient(), cdnnl_arg_destination_gradient())
      }
    arguments = .allocate(capacity: 7)
    arguments[0] = cdnnl_argument(xArgument, memories.x.handle)
    arguments[1] = cdnnl_argument(wArgument, preferredMemory.handle)
    arguments[2] = cdnnl_argument(yArgument, memories.y.handle)
    arguments[3] = cdnnl_argument(cdnnl_arg_scratchpad(), scratchpad.handle)
    arguments[4] = cdnnl_argument(cdnnl_arg_bias(), biasMemory?.handle ?? memories.x.handle)
    argumentCount = hasBias ? 5 : 4
    // Reordering has its arguments in the last two places.
    let (from, to) =
      kind == .weightGradient
      ? (preferredMemory, memories.plain) : (memories.plain, preferredMemory)
    arguments[5] = cdnnl_argument(cdnnl_arg_from(), from.handle)
    arguments[6] = cdnnl_argument(cdnnl_arg_to(), to.handle)
  }

  deinit {
    dnnl_primitive_destroy(primitive)
    if let reorder { dnnl_primitive_destroy(reorder) }
    arguments.deallocate()
    for buffer in buffers { buffer.deallocate() }
  }

  /// Computes one of the three from the other two.
  ///
  /// - Parameters:
  ///   - x: The images, or where their cotangent goes.
  ///   - w: The weights, or where their cotangent goes.
  ///   - y: Where the result goes, or its cotangent.
  ///   - addend: The bias, given exactly if announced.
  /// - Complexity: 2 · batch · out · positions · in / groups · kernel operations; no allocation of ours.
  public func run(
    x: UnsafeRawPointer, w: UnsafeRawPointer, y: UnsafeRawPointer,
    bias addend: UnsafePointer<Float>? = nil
  ) {
    images.x.point(to: x)
    images.y.point(to: y)
    weights.plain.point(to: w)
    precondition((bias != nil) == (addend != nil), "bias given and announced differ")
    if let addend { bias?.point(to: addend) }
    if kind != .weightGradient { bringWeights() }
    let status = dnnl_primitive_execute(primitive, context.stream, argumentCount, arguments)
    precondition(status == dnnl_success, "dnnl_primitive_execute failed")
    if kind == .weightGradient { bringWeights() }
  }

  private func bringWeights() {
    guard let reorder else { return }
    let status = dnnl_primitive_execute(reorder, context.stream, 2, arguments + 5)
    precondition(status == dnnl_success, "dnnl_primitive_execute failed")
  }
}

/// The layout of a tensor.
func tensor(
  _ extents: [Int], _ tag: dnnl_format_tag_t, _ subject: String, _ format: NumberFormat = .float
) throws(OneDNNError) -> dnnl_memory_desc_t {
  var description = dnnl_memory_desc_t()
  try check(
    cdnnl_describe_tensor(
      &description, Int32(extents.count), extents.map { dnnl_dim_t($0) }, format.dataType,
      tag),
    "dnnl_memory_desc_init_by_tag", subject)
  return description
}

/// Chooses an implementation whose scratchpad is ours.
private func describe(
  _ operation: inout dnnl_convolution_desc_t, hint: dnnl_primitive_desc_t?, _ context: Context,
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
    dnnl_primitive_desc_create(&description, &operation, attributes, context.engine, hint),
    "dnnl_primitive_desc_create", subject)
  guard let description else {
    throw OneDNNError(
      call: "dnnl_primitive_desc_create", status: "no description", subject: subject)
  }
  return description
}

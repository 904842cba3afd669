import CDNNL

/// A convolution of images, or one of its two gradients, compiled for one shape.
///
/// Images are `[batch, height, width, channels]`, channels last; weights are plain,
/// `[out, in / groups, height, width]`, and each run converts them to the layout that the library prefers.
/// A final class with one owner, used by one thread at a time, after ``prepareThread()`` on each thread that
/// uses it.
public final class ConvolutionPrimitive {
  /// The tensor that is computed from the other two; x̄ is the cotangent of x.
  public enum Kind: Hashable, Sendable {
    /// Computes y from x and W, and a bias per output channel if there is one.
    case forward(bias: Bool)
    /// Computes x̄ from ȳ and W.
    case inputGradient
    /// Computes W̄ from x and ȳ.
    case weightGradient

    /// The library's argument numbers of x, W and y.
    var arguments: (x: Int32, w: Int32, y: Int32) {
      switch self {
      case .forward: (cdnnl_arg_source(), cdnnl_arg_weights(), cdnnl_arg_destination())
      case .inputGradient:
        (cdnnl_arg_source_gradient(), cdnnl_arg_weights(), cdnnl_arg_destination_gradient())
      case .weightGradient:
        (cdnnl_arg_source(), cdnnl_arg_weights_gradient(), cdnnl_arg_destination_gradient())
      }
    }

    /// The queries for the layouts of x, W and y.
    var queries: (x: dnnl_query_t, w: dnnl_query_t, y: dnnl_query_t) {
      switch self {
      case .forward: (dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md)
      case .inputGradient:
        (dnnl_query_diff_src_md, dnnl_query_weights_md, dnnl_query_diff_dst_md)
      case .weightGradient:
        (dnnl_query_src_md, dnnl_query_diff_weights_md, dnnl_query_diff_dst_md)
      }
    }
  }

  /// The extents of one convolution over two spatial axes.
  public struct Geometry: Hashable, Sendable {
    /// The window along one axis.
    public struct Axis: Hashable, Sendable {
      /// The extents of x and y along the axis.
      public let input: Int, output: Int
      /// The number of covered elements, and the distances between positions and between covered elements.
      public let kernel: Int, stride: Int, dilation: Int
      /// The padding before the first element and after the last.
      public let before: Int, after: Int

      /// Describes the window along one axis; the defaults describe a window of one element.
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

    /// Describes a convolution.
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

    /// The extents of the weights, with a leading axis of groups if there are several.
    var weightExtents: [Int] {
      (groups > 1 ? [groups, outputs / groups] : [outputs])
        + [inputs / groups] + axes.map(\.kernel)
    }

    /// The extents of x, channels before the spatial axes.
    var inputExtents: [Int] { [batch, inputs] + axes.map(\.input) }

    /// The extents of y, channels before the spatial axes.
    var outputExtents: [Int] { [batch, outputs] + axes.map(\.output) }

    var window: cdnnl_window {
      func numbers(_ part: (Axis) -> Int) -> [dnnl_dim_t] { axes.map { dnnl_dim_t(part($0)) } }
      return cdnnl_window_of(
        numbers(\.stride), numbers { $0.dilation - 1 }, numbers(\.before), numbers(\.after))
    }

    /// The convolution and its shape, for errors.
    var subject: String {
      "convolution of \(batch) images \(axes.map(\.input)) by \(weightExtents)"
    }
  }

  private let kind: Kind
  private let primitive: Primitive
  /// Converts weights to the layout that the primitive prefers, or their gradient from it; nil if that is
  /// the plain one.
  private let reorder: Primitive?
  private let x: Memory
  private let y: Memory
  private let weights: Memory
  private let bias: Memory?

  /// Compiles the convolution, or takes it from the library's cache of compiled ones.
  ///
  /// - Parameters:
  ///   - kind: The tensor that is computed.
  ///   - geometry: The extents, all 1 or more.
  ///   - operands: The format of the elements of image operands. Weights are always given as `Float`; the
  ///     copy to the preferred layout rounds them too.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  /// - Complexity: up to milliseconds if code must be generated.
  public init(
    _ kind: Kind, _ geometry: Geometry, operands: NumberFormat = .float
  ) throws(OneDNNError) {
    let context = try Context()
    let subject = geometry.subject
    let isForward = kind == .forward(bias: true) || kind == .forward(bias: false)
    let x = try Layout(
      geometry.inputExtents, dnnl_nhwc, subject, kind == .inputGradient ? .float : operands)
    let y = try Layout(geometry.outputExtents, dnnl_nhwc, subject, isForward ? .float : operands)
    let plain = try Layout(
      geometry.weightExtents, geometry.groups > 1 ? dnnl_goihw : dnnl_oihw, subject)
    let b = try Layout([geometry.outputs], dnnl_a, subject)
    let description = try PrimitiveDescription(
      kind, geometry, x: x, y: y, bias: kind == .forward(bias: true) ? b.handle : nil,
      images: dnnl_nhwc, context, operands)
    let preferred = try description.layout(kind.queries.w)

    self.kind = kind
    self.x = try Memory(x, context)
    self.y = try Memory(y, context)
    weights = try Memory(plain, context)
    bias = kind == .forward(bias: true) ? try Memory(b, context) : nil
    let used: Memory
    if preferred.equals(plain) {
      used = weights
      reorder = nil
    } else {
      used = try Memory(allocating: preferred, context)
      if kind == .weightGradient {
        reorder = try Primitive(
          try PrimitiveDescription(copying: preferred, to: plain, context, subject),
          [(cdnnl_arg_from(), used), (cdnnl_arg_to(), weights)], context)
      } else {
        reorder = try Primitive(
          try PrimitiveDescription(copying: plain, to: preferred, context, subject),
          [(cdnnl_arg_from(), weights), (cdnnl_arg_to(), used)], context)
      }
    }
    var roles = [
      (kind.arguments.x, self.x), (kind.arguments.w, used), (kind.arguments.y, self.y),
    ]
    if let bias { roles.append((cdnnl_arg_bias(), bias)) }
    primitive = try Primitive(description, roles, context)
  }

  /// Computes one of the three tensors from the other two.
  ///
  /// - Parameters:
  ///   - x: The images, or the memory of their cotangent.
  ///   - w: The weights, or the memory of their cotangent.
  ///   - y: The memory of the result, or its cotangent.
  ///   - addend: The bias, given if and only if the primitive has one.
  /// - Complexity: 2 · batch · out · positions · in / groups · kernel operations; no allocation on our side.
  public func run(
    x: UnsafeRawPointer, w: UnsafeRawPointer, y: UnsafeRawPointer,
    bias addend: UnsafePointer<Float>? = nil
  ) {
    self.x.point(to: x)
    self.y.point(to: y)
    weights.point(to: w)
    precondition((bias != nil) == (addend != nil), "bias given and announced differ")
    if let addend { bias?.point(to: addend) }
    if kind != .weightGradient { reorder?.run() }
    primitive.run()
    if kind == .weightGradient { reorder?.run() }
  }
}

extension PrimitiveDescription {
  /// Chooses an implementation of a convolution or of one of its gradients; the library lays out the weights.
  ///
  /// `images` is the order of `x` and `y` in memory; only a forward pass may have a bias.
  init(
    _ kind: ConvolutionPrimitive.Kind, _ geometry: ConvolutionPrimitive.Geometry,
    x: borrowing Layout, y: borrowing Layout, bias: cdnnl_layout_t? = nil,
    images: dnnl_format_tag_t, _ context: Context, _ operands: NumberFormat = .float
  ) throws(OneDNNError) {
    let subject = geometry.subject
    let w = try Layout(geometry.weightExtents, dnnl_format_tag_any, subject, operands)
    if case .forward = kind {
      self = try PrimitiveDescription(
        convolving: x, w, bias: bias, into: y, geometry.window, context, subject)
      return
    }
    let forwardX = try Layout(geometry.inputExtents, images, subject, operands)
    let forwardY = try Layout(geometry.outputExtents, images, subject, operands)
    let forward = try PrimitiveDescription(
      convolving: forwardX, w, into: forwardY, geometry.window, context, subject)
    let computed = try Layout(
      geometry.weightExtents, dnnl_format_tag_any, subject,
      kind == .weightGradient ? .float : operands)
    self = try PrimitiveDescription(
      gradientOf: forward, withRespectToInput: kind == .inputGradient, x: x, w: computed, y: y,
      geometry.window, context)
  }
}

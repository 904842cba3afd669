// Convolutions of images with channels last, and what follows them.

public import OneDNN
public import Tensors

/// A convolution, or one of the two products it is differentiated into, of one shape.
///
/// Images are `[batch, spatial..., channels]`, weights `[out, in / groups, kernel...]`. A final class with one
/// owner, used by one thread at a time, after ``prepareThread()`` on each thread that does.
public final class ImageConvolution {
  /// The tensor of the three that is computed.
  public enum Kind: Hashable, Sendable {
    /// y from x and W, perhaps with a bias per output channel.
    case forward(bias: Bool)
    /// The cotangent of x from that of y and W.
    case inputGradient
    /// The cotangent of W from x and that of y.
    case weightGradient
  }

  private let primitive: ConvolutionPrimitive?
  private let activation: Matmul.Activation
  private let resultCount: Int
  private let kind: Kind

  /// Prepares the convolution of one shape.
  ///
  /// - Parameters:
  ///   - kind: The tensor that is computed.
  ///   - window: A window over one or two axes.
  ///   - groups: The number of groups.
  ///   - x: The shape of the images.
  ///   - y: The shape of the images at the window's positions.
  ///   - activation: The function applied to y, of the forward kind only.
  ///   - hasBFloat16Operands: Whether those images that are operands are given in bfloat16; weights, their
  ///     cotangents and the result are `Float`, and the kernel rounds weights that are an operand.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  public init(
    _ kind: Kind, _ window: Window, groups: Int, x: Shape, y: Shape,
    activation: Matmul.Activation = .none, hasBFloat16Operands: Bool = false
  ) throws(OneDNNError) {
    prepareThread()
    self.kind = kind
    self.activation = activation
    let (inputs, outputs) = (x[x.axisCount - 1], y[y.axisCount - 1])
    let weightCount = outputs * inputs / groups * window.kernelCount
    resultCount =
      switch kind {
      case .forward: y.count
      case .inputGradient: x.count
      case .weightGradient: weightCount
      }
    guard x.count > 0, y.count > 0 else {
      primitive = nil
      return
    }
    primitive = try ConvolutionPrimitive(
      kind.primitiveKind,
      ConvolutionPrimitive.Geometry(
        batch: x[0], inputs: inputs, outputs: outputs, groups: groups,
        axes: ImageConvolution.axes(
          window, x: Array(x.extents.dropFirst().dropLast()),
          y: Array(y.extents.dropFirst().dropLast()))),
      operands: hasBFloat16Operands ? .bfloat16 : .float)
  }

  /// A window over one or two axes as one over two.
  package static func axes(
    _ window: Window, x: [Int], y: [Int]
  ) -> [ConvolutionPrimitive.Geometry.Axis] {
    var axes = window.axes.indices.map { axis in
      let window = window.axes[axis]
      return ConvolutionPrimitive.Geometry.Axis(
        input: x[axis], output: y[axis], kernel: window.kernel, stride: window.stride,
        dilation: window.dilation, before: window.padding.before, after: window.padding.after)
    }
    if axes.count == 1 {
      axes.insert(ConvolutionPrimitive.Geometry.Axis(input: 1, output: 1), at: 0)
    }
    return axes
  }

  /// Computes one of the three from the other two; see ``ConvolutionPrimitive``.
  public func run(
    x: UnsafeMutableRawPointer, w: UnsafeMutableRawPointer, y: UnsafeMutableRawPointer,
    bias: UnsafePointer<Float>?
  ) {
    let result =
      switch kind {
      case .forward: y.assumingMemoryBound(to: Float.self)
      case .inputGradient: x.assumingMemoryBound(to: Float.self)
      case .weightGradient: w.assumingMemoryBound(to: Float.self)
      }
    guard let primitive else {
      result.update(repeating: 0, count: resultCount)
      return
    }
    primitive.run(x: x, w: w, y: y, bias: bias)
    activation.apply(to: result, count: resultCount)
  }
}

extension ImageConvolution.Kind {
  /// The same, as the library's wrapper calls it.
  package var primitiveKind: ConvolutionPrimitive.Kind {
    switch self {
    case .forward(let hasBias): .forward(bias: hasBias)
    case .inputGradient: .inputGradient
    case .weightGradient: .weightGradient
    }
  }
}

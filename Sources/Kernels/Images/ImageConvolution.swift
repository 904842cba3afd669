// Convolutions of images with channels last, and what follows them.

import CProducts
public import OneDNN
public import Tensors

/// A convolution, or one of the two products it is differentiated into, of one shape.
///
/// Images are `[batch, spatial..., channels]`, weights `[out, in / groups, kernel...]`. Sums over `Float` are
/// chains of fused multiply-adds in one order, whatever the number of images and the CPU; those over bfloat16
/// are the library's. A final class with one owner, used by one thread at a time, after ``prepareThread()`` on
/// each thread that does.
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

  private enum Way {
    case direct(DirectConvolution)
    case rounded(RoundedConvolution)
    /// No images or no positions: every sum is zero.
    case empty
  }

  private let way: Way
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
  ///   - hasBFloat16Operands: True if those images that are operands are given in bfloat16; weights, their
  ///     cotangents and the result are `Float`, and the kernel rounds weights that are an operand.
  ///   - rowCounts: The images of each microbatch of a weight gradient, 1 or more; nil if all are one.
  ///   - additions: How many times, after each microbatch, the two last sums are added, the left one first.
  ///   - scratch: The memory for packed operands and sums that wait.
  /// - Throws: ``OneDNNError`` if the library refuses a shape in bfloat16 or is out of memory.
  public convenience init(
    _ kind: Kind, _ window: Window, groups: Int, x: Shape, y: Shape,
    activation: Matmul.Activation = .none, hasBFloat16Operands: Bool = false,
    rowCounts: [Int]? = nil, additions: [Int] = [0], scratch: Scratch = Scratch()
  ) throws(OneDNNError) {
    try self.init(
      kind, window, groups: groups, x: x, y: y, activation: activation,
      hasBFloat16Operands: hasBFloat16Operands, rowCounts: rowCounts, additions: additions,
      scratch: scratch, on: .best)
  }

  /// Prepares the convolution of one shape, over `Float` computed by an instruction set that this CPU has.
  package init(
    _ kind: Kind, _ window: Window, groups: Int, x: Shape, y: Shape,
    activation: Matmul.Activation = .none, hasBFloat16Operands: Bool = false,
    rowCounts: [Int]? = nil, additions: [Int] = [0], scratch: Scratch = Scratch(),
    on instructions: InstructionSet
  ) throws(OneDNNError) {
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
    let rowCounts = rowCounts ?? [x[0]]
    let rows = rowCounts.reduce(0, +)
    precondition(rows == x[0], "microbatches of \(rows) images in all, not \(x[0])")
    precondition(
      rowCounts.count == 1 || kind == .weightGradient, "microbatches of \(kind), not of weights")
    guard x.count > 0, y.count > 0 else {
      way = .empty
      return
    }
    let axes = ImageConvolution.axes(
      window, x: Array(x.extents.dropFirst().dropLast()), y: Array(y.extents.dropFirst().dropLast())
    )
    guard hasBFloat16Operands else {
      let shape = cproducts_convolution(
        batch: x[0], groups: groups, inputs: inputs / groups, outputs: outputs / groups,
        rows: cproducts_axis(axes[0]), columns: cproducts_axis(axes[1]))
      way = .direct(
        DirectConvolution(
          kind, shape, rowCounts: rowCounts, additions: additions, scratch: scratch,
          on: instructions))
      return
    }
    prepareThread()
    way = .rounded(
      try RoundedConvolution(
        kind, rowCounts: rowCounts, additions: additions,
        counts: (x.count / x[0], y.count / x[0], weightCount), scratch: scratch
      ) {
        ConvolutionPrimitive.Geometry(
          batch: $0, inputs: inputs, outputs: outputs, groups: groups, axes: axes)
      })
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

  /// Computes one of the three from the other two.
  ///
  /// - Complexity: 2 · batch · positions · out · in / groups · kernel operations; our part allocates nothing.
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
    switch way {
    case .direct(let convolution):
      convolution.run(
        x: x.assumingMemoryBound(to: Float.self), w: w.assumingMemoryBound(to: Float.self),
        y: y.assumingMemoryBound(to: Float.self), bias: bias)
    case .rounded(let convolution): convolution.run(x: x, w: w, y: y, bias: bias)
    case .empty:
      result.update(repeating: 0, count: resultCount)
      return
    }
    activation.apply(to: result, count: resultCount)
  }
}

extension cproducts_axis {
  /// The same window, as the kernels call it.
  init(_ axis: ConvolutionPrimitive.Geometry.Axis) {
    self.init(
      input: axis.input, output: axis.output, kernel: axis.kernel, stride: axis.stride,
      dilation: axis.dilation, before: axis.before)
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

// The window that convolutions and poolings slide over images.
import Configuration
import Graphs
import Tensors

extension Layer {
  /// A window over one or two axes; a list of one number holds for all axes.
  public struct SlidingWindow: Hashable, Sendable {
    /// The number of spatial axes, 1 or 2.
    public let axisCount: Int
    /// The elements that the window covers, along each axis.
    public let kernel: [Int]
    /// The elements from one position to the next.
    public let stride: [Int]
    /// The zeros on either side.
    public let padding: [Int]
    /// The elements from one that is covered to the next.
    public let dilation: [Int]

    /// Describes a window.
    ///
    /// - Parameters:
    ///   - axisCount: The number of spatial axes, 1 or 2.
    ///   - kernel: One number, or one per axis.
    ///   - stride: One number, or one per axis.
    ///   - padding: One number, or one per axis.
    ///   - dilation: One number, or one per axis.
    public init(
      axisCount: Int, kernel: [Int], stride: [Int] = [1], padding: [Int] = [0],
      dilation: [Int] = [1]
    ) {
      self.axisCount = axisCount
      self.kernel = kernel
      self.stride = stride
      self.padding = padding
      self.dilation = dilation
    }

    /// The window, with numbers for every axis.
    var window: Window {
      func number(_ list: [Int], _ axis: Int) -> Int { list.count == 1 ? list[0] : list[axis] }
      return Window(
        (0..<axisCount).map { axis in
          Window.Axis(
            kernel: number(kernel, axis), stride: number(stride, axis),
            padding: (number(padding, axis), number(padding, axis)),
            dilation: number(dilation, axis))
        })
    }
  }
}

extension Section {
  /// Reads the elements that a window covers.
  func windowKernel(axisCount: Int) throws(ConfigurationError) -> [Int] {
    try integers(
      "kernel", in: .between(1, 1 << 16), counts: 1...axisCount,
      meaning: axisCount == 1 ? "elements covered" : "elements covered: one number or height, width"
    )
  }

  /// Reads the padding of a window.
  func windowPadding(axisCount: Int) throws(ConfigurationError) -> [Int] {
    try integers(
      "padding", default: [0], in: .between(0, 1 << 16), counts: 1...axisCount,
      meaning: "padding on either side")
  }
}

extension LayerBuilder {
  /// Returns the shape of images with a batch of 1.
  ///
  /// - Throws: ``ModelError`` for inputs that are no images of `axisCount` spatial axes.
  func imageShape(of input: Graph.Node, axisCount: Int) throws(ModelError) -> Shape {
    let shape = graph.shape(of: input).resolved(batch: 1)
    guard shape.axisCount == axisCount + 2, shape.count > 0 else {
      throw fault(
        found: "an input of shape \(rowShape(of: input))",
        expected: axisCount == 1 ? "[channels, length]" : "[channels, height, width]")
    }
    return shape
  }

  /// Refuses inputs that are smaller than a window.
  func requireRoom(for window: Window, over input: Graph.Node) throws(ModelError) {
    let row = rowShape(of: input)
    guard window.positions(over: Array(row.extents.dropFirst())) != nil else {
      throw fault(
        found: "an input of shape \(row)",
        expected: "room for a window of \(Shape(window.axes.map(\.span)))")
    }
  }
}

public import Tensors

/// A convolution without its weights: the window, the groups of channels and where the channels lie.
public struct Convolution: Hashable, Sendable {
  /// The window that slides over the spatial axes.
  public let window: Window
  /// The number of groups: each takes its share of the input channels and gives its share of the outputs.
  public let groups: Int
  /// Indicates images of `[batch, spatial..., channels]`; otherwise `[batch, channels, spatial...]`.
  public let isChannelsLast: Bool

  /// Describes a convolution.
  ///
  /// - Parameters:
  ///   - window: A window over one or two axes.
  ///   - groups: A number that divides the channels on both sides.
  ///   - isChannelsLast: True if channels are the last axis of images.
  public init(_ window: Window, groups: Int = 1, isChannelsLast: Bool = false) {
    precondition(
      (1...2).contains(window.axes.count), "a convolution over \(window.axes.count) axes")
    precondition(groups > 0, "\(groups) groups")
    self.window = window
    self.groups = groups
    self.isChannelsLast = isChannelsLast
  }
}

/// A pooling: the window and where the channels lie.
public struct Pooling: Hashable, Sendable {
  /// The window that slides over the spatial axes.
  public let window: Window
  /// Indicates images of `[batch, spatial..., channels]`; otherwise `[batch, channels, spatial...]`.
  public let isChannelsLast: Bool

  /// Describes a pooling over one or two axes.
  public init(_ window: Window, isChannelsLast: Bool = false) {
    precondition((1...2).contains(window.axes.count), "a pooling over \(window.axes.count) axes")
    self.window = window
    self.isChannelsLast = isChannelsLast
  }

  /// The number of elements that the window covers, padding included.
  public var kernelCount: Int { window.kernelCount }
}

/// The axes of a batch of images, whichever of the two orders they are in.
struct ImageShape {
  let batch: Extent
  let channels: Int
  let spatial: [Int]

  init(_ shape: SymbolicShape, axisCount: Int, isChannelsLast: Bool) throws(ShapeFault) {
    let layout = isChannelsLast ? "[batch, spatial..., channels]" : "[batch, channels, spatial...]"
    guard shape.axisCount == axisCount + 2 else {
      throw ShapeFault("found shape \(shape), expected \(axisCount + 2) axes, \(layout)")
    }
    var extents: [Int] = []
    for extent in shape.extents.dropFirst() {
      guard case .fixed(let count) = extent else {
        throw ShapeFault("found shape \(shape), expected one batch axis, \(layout)")
      }
      extents.append(count)
    }
    batch = shape[0]
    channels = isChannelsLast ? extents.removeLast() : extents.removeFirst()
    spatial = extents
  }

  /// The shape of other images of the same batch.
  func shape(channels: Int, spatial: [Int], isChannelsLast: Bool) -> SymbolicShape {
    let extents = isChannelsLast ? spatial + [channels] : [channels] + spatial
    return SymbolicShape([batch] + extents.map(Extent.fixed))
  }
}

/// The strides of element `(image, channel, row, column)` of images; images of one axis have one row.
struct ImageStrides {
  let image: Int
  let channel: Int
  let row: Int
  let column: Int

  init(channels: Int, spatial: [Int], isChannelsLast: Bool) {
    let (rows, columns) = (spatial.count == 2 ? spatial[0] : 1, spatial.last ?? 1)
    image = channels * rows * columns
    (channel, row, column) =
      isChannelsLast ? (1, columns * channels, channels) : (rows * columns, columns, 1)
  }
}

/// A window over images of fixed extents, as loops see it: two spatial axes always.
struct WindowLoops {
  private let rows: (window: Window.Axis, input: Int, output: Int)
  private let columns: (window: Window.Axis, input: Int, output: Int)

  init(_ window: Window, input: [Int], output: [Int]) {
    let one = Window.Axis(kernel: 1)
    rows = window.axes.count == 2 ? (window.axes[0], input[0], output[0]) : (one, 1, 1)
    columns = (window.axes[window.axes.count - 1], input[input.count - 1], output[output.count - 1])
  }

  /// The number of elements that the window covers, padding included.
  var kernelCount: Int { rows.window.kernel * columns.window.kernel }

  /// Calls `body` for each position of the window and each element it covers there, in order.
  ///
  /// The arguments are the position's row and column, the element's row and column, and the index of the
  /// element in the window. Padding is left out.
  @inline(__always)
  func forEach(_ body: (_ p: Int, _ q: Int, _ i: Int, _ j: Int, _ k: Int) -> Void) {
    for p in 0..<rows.output {
      for q in 0..<columns.output {
        for a in 0..<rows.window.kernel {
          let i = p * rows.window.stride - rows.window.padding.before + a * rows.window.dilation
          guard i >= 0, i < rows.input else { continue }
          for b in 0..<columns.window.kernel {
            let j =
              q * columns.window.stride - columns.window.padding.before
              + b * columns.window.dilation
            guard j >= 0, j < columns.input else { continue }
            body(p, q, i, j, a * columns.window.kernel + b)
          }
        }
      }
    }
  }
}

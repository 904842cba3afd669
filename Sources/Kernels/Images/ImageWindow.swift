// A window that slides over images with channels last: what it covers, and the loop over its positions.

import Numerics
public import Tensors

/// A window that slides over images `[batch, height, width, channels]`; one spatial axis has height 1.
public struct ImageWindow: Sendable {
  let batch: Int
  let channels: Int
  let rows: (window: Window.Axis, input: Int, output: Int)
  let columns: (window: Window.Axis, input: Int, output: Int)

  /// Describes a pooling of images of fixed extents.
  ///
  /// - Parameters:
  ///   - window: A window over one or two axes.
  ///   - batch: The number of images.
  ///   - channels: The number of channels.
  ///   - input: The spatial extents of the images.
  ///   - output: The positions of the window.
  public init(_ window: Window, batch: Int, channels: Int, input: [Int], output: [Int]) {
    self.batch = batch
    self.channels = channels
    let one = Window.Axis(kernel: 1)
    rows = window.axes.count == 2 ? (window.axes[0], input[0], output[0]) : (one, 1, 1)
    columns = (window.axes[window.axes.count - 1], input[input.count - 1], output[output.count - 1])
  }

  var inputCount: Int { batch * rows.input * columns.input * channels }

  /// The elements of an image that the window covers at one position.
  struct Patch {
    /// The offset of the first element inside the image.
    let first: Int
    /// The elements inside along each axis, and from one to the next.
    let rowCount: Int
    let columnCount: Int
    let rowStep: Int
    let columnStep: Int

    /// Calls `body` with the number and the offset of each element, row by row.
    @inline(__always)
    func forEach(_ body: (_ index: Int, _ offset: Int) -> Void) {
      var (row, index) = (first, 0)
      var rowsLeft = rowCount
      while rowsLeft > 0 {
        var (offset, columnsLeft) = (row, columnCount)
        while columnsLeft > 0 {
          body(index, offset)
          index &+= 1
          offset &+= columnStep
          columnsLeft &-= 1
        }
        row &+= rowStep
        rowsLeft &-= 1
      }
    }
  }

  /// The first place along an axis that the window covers at a position, and how many it does.
  @inline(__always)
  private static func covered(
    _ axis: (window: Window.Axis, input: Int, output: Int), at position: Int
  ) -> (first: Int, count: Int) {
    let (kernel, dilation) = (axis.window.kernel, axis.window.dilation)
    let start = position &* axis.window.stride &- axis.window.padding.before
    if start >= 0, start &+ (kernel &- 1) &* dilation < axis.input { return (start, kernel) }
    let skipped = start < 0 ? (dilation &- 1 &- start) / dilation : 0
    let end = start < axis.input ? (axis.input &- 1 &- start) / dilation &+ 1 : 0
    return (start &+ skipped &* dilation, max(0, min(kernel, end) &- skipped))
  }

  /// Runs a kernel at each position, sixteen channels at a time.
  @inline(__always)
  func forEachPatch<Kernel: PatchKernel>(_ kernel: Kernel) {
    let whole = channels / laneCount &* laneCount
    let rest = FirstLanes(count: channels &- whole)
    var (place, position) = (0, 0)
    for n in 0..<batch {
      for p in 0..<rows.output {
        let (i, rowCount) = ImageWindow.covered(rows, at: p)
        let row = (n &* rows.input &+ i) &* columns.input
        for q in 0..<columns.output {
          let (j, columnCount) = ImageWindow.covered(columns, at: q)
          let patch = Patch(
            first: (row &+ j) &* channels, rowCount: rowCount, columnCount: columnCount,
            rowStep: rows.window.dilation &* columns.input &* channels,
            columnStep: columns.window.dilation &* channels)
          var channel = 0
          while channel < whole {
            kernel.run(patch, channel, place: place, position: position, AllLanes())
            channel &+= laneCount
          }
          if channel < channels {
            kernel.run(patch, channel, place: place, position: position, rest)
          }
          place &+= channels
          position &+= 1
        }
      }
    }
  }

  /// Indicates that no element is covered twice.
  var isDisjoint: Bool {
    rows.window.stride >= rows.window.span && columns.window.stride >= columns.window.span
  }

  /// Indicates that every element is covered exactly once.
  var isTiling: Bool { ImageWindow.isTiling(rows) && ImageWindow.isTiling(columns) }

  private static func isTiling(_ axis: (window: Window.Axis, input: Int, output: Int)) -> Bool {
    axis.window.stride == axis.window.kernel && axis.window.dilation == 1
      && axis.window.padding.before == 0 && axis.input == axis.output * axis.window.stride
  }
}

/// The work at each position of a window.
protocol PatchKernel {
  /// Computes up to sixteen channels.
  ///
  /// - Parameters:
  ///   - patch: The elements that the window covers.
  ///   - channel: The first channel.
  ///   - place: The offset of the position's channels in the result.
  ///   - position: The number of the position.
  ///   - access: The channels of a step: all sixteen, or the first.
  func run<Some: Access>(
    _ patch: ImageWindow.Patch, _ channel: Int, place: Int, position: Int, _ access: Some)
}

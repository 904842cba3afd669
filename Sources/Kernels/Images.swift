// Pooling of images with channels last: sixteen channels at a time.

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

  private var inputCount: Int { batch * rows.input * columns.input * channels }
  private var outputCount: Int { batch * rows.output * columns.output * channels }

  /// Calls `body` for each position with the offset of its channels.
  @inline(__always)
  private func forEachPosition(_ body: (_ image: Int, _ p: Int, _ q: Int, _ offset: Int) -> Void) {
    var offset = 0
    for n in 0..<batch {
      let image = n &* rows.input &* columns.input &* channels
      for p in 0..<rows.output {
        for q in 0..<columns.output {
          body(image, p, q, offset)
          offset &+= channels
        }
      }
    }
  }

  /// Calls `body` for each element that the window covers at a position, with the offset of its channels.
  @inline(__always)
  private func forEachElement(_ image: Int, _ p: Int, _ q: Int, _ body: (_ offset: Int) -> Void) {
    let top = p &* rows.window.stride &- rows.window.padding.before
    let left = q &* columns.window.stride &- columns.window.padding.before
    for a in 0..<rows.window.kernel {
      let i = top &+ a &* rows.window.dilation
      guard i >= 0, i < rows.input else { continue }
      for b in 0..<columns.window.kernel {
        let j = left &+ b &* columns.window.dilation
        guard j >= 0, j < columns.input else { continue }
        body(image &+ (i &* columns.input &+ j) &* channels)
      }
    }
  }

  /// The maxima at a position.
  @inline(__always)
  private func maxima(
    _ x: UnsafePointer<Float>, _ image: Int, _ p: Int, _ q: Int, channel: Int, width: Int
  ) -> Lanes {
    let infinity = Lanes(repeating: .infinity)
    var best = Lanes(repeating: -.infinity)
    forEachElement(image, p, q) { offset in
      let v = lanes(x + offset + channel, width)
      // What is not a number is larger than all that is, so that it stays to be seen.
      best = Lanes.choose(
        Lanes.choose(v, where: best, isBelow: v, else: best), where: v, isBelow: infinity, else: v)
    }
    return best
  }

  /// Calls `body` for each element of a window with a share that goes to the first maximum alone.
  @inline(__always)
  private func forEachShare(
    _ share: Lanes, _ x: UnsafePointer<Float>, _ image: Int, _ p: Int, _ q: Int, channel: Int,
    width: Int, _ body: (_ offset: Int, _ share: Lanes) -> Void
  ) {
    let zero = Lanes(repeating: 0)
    let best = maxima(x, image, p, q, channel: channel, width: width)
    var rest = share
    forEachElement(image, p, q) { offset in
      let v = lanes(x + offset + channel, width)
      body(offset + channel, Lanes.choose(zero, where: v, isBelow: best, else: rest))
      rest = Lanes.choose(rest, where: v, isBelow: best, else: zero)
    }
  }

  /// Sixteen channels, or fewer.
  @inline(__always)
  private func lanes(_ p: UnsafePointer<Float>, _ width: Int) -> Lanes {
    width == laneCount ? load(p) : load(p, first: width)
  }

  @inline(__always)
  private func put(_ x: Lanes, _ p: UnsafeMutablePointer<Float>, _ width: Int) {
    if width == laneCount { store(x, p) } else { store(x, p, first: width) }
  }

  /// Whether no element is covered twice.
  private var isDisjoint: Bool {
    [rows.window, columns.window].allSatisfy { $0.stride >= $0.span }
  }

  /// Calls `body` for each sixteen channels or fewer.
  @inline(__always)
  private func forEachLanes(_ body: (_ channel: Int, _ width: Int) -> Void) {
    var channel = 0
    while channel < channels {
      body(channel, min(laneCount, channels &- channel))
      channel &+= laneCount
    }
  }

  /// Writes the maximum of each window; one that covers padding alone gives −∞.
  public func maximum(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    forEachPosition { image, p, q, offset in
      forEachLanes { channel, width in
        put(
          maxima(x, image, p, q, channel: channel, width: width), y + offset + channel, width)
      }
    }
  }

  /// Writes the cotangent of x from that of the maxima: added where the maxima are, the first of equals.
  public func maximumGradient(
    _ cotangent: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>
  ) {
    c.update(repeating: 0, count: inputCount)
    let isDisjoint = isDisjoint
    forEachPosition { image, p, q, offset in
      forEachLanes { channel, width in
        let whole = lanes(cotangent + offset + channel, width)
        forEachShare(whole, x, image, p, q, channel: channel, width: width) { place, share in
          put(isDisjoint ? share : lanes(c + place, width) + share, c + place, width)
        }
      }
    }
  }

  /// Writes the elements of `v` where the maxima of x are.
  public func selection(
    _ v: UnsafePointer<Float>, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
  ) {
    let one = Lanes(repeating: 1)
    forEachPosition { image, p, q, offset in
      forEachLanes { channel, width in
        var chosen = Lanes(repeating: 0)
        forEachShare(one, x, image, p, q, channel: channel, width: width) { place, share in
          chosen = chosen + share * lanes(v + place, width)
        }
        put(chosen, y + offset + channel, width)
      }
    }
  }

  private var share: Lanes {
    Lanes(repeating: 1 / Float(rows.window.kernel * columns.window.kernel))
  }

  /// Writes the mean of each window, padding counted as zeros.
  public func average(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    let share = share
    forEachPosition { image, p, q, offset in
      forEachLanes { channel, width in
        var sum = Lanes(repeating: 0)
        forEachElement(image, p, q) { sum = sum + lanes(x + $0 + channel, width) }
        put(sum * share, y + offset + channel, width)
      }
    }
  }

  /// Writes the cotangent of x from that of the means.
  public func averageGradient(
    _ cotangent: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>
  ) {
    let share = share
    c.update(repeating: 0, count: inputCount)
    forEachPosition { image, p, q, offset in
      forEachLanes { channel, width in
        let added = lanes(cotangent + offset + channel, width) * share
        forEachElement(image, p, q) { element in
          let target = c + element + channel
          put(lanes(target, width) + added, target, width)
        }
      }
    }
  }
}

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

  /// The maxima at a position, and the order of the element that is each channel's first.
  @inline(__always)
  private func maxima(
    _ x: UnsafePointer<Float>, _ image: Int, _ p: Int, _ q: Int, channel: Int, width: Int
  ) -> (values: Lanes, places: SIMD16<Int32>) {
    var best = Lanes(repeating: -.infinity)
    var places = SIMD16<Int32>(repeating: 0)
    var order: Int32 = 0
    forEachElement(image, p, q) { offset in
      let v =
        width == laneCount ? load(x + offset + channel) : load(x + offset + channel, first: width)
      // What is not a number is larger than all that is, so that it stays to be seen.
      let isLarger = order == 0 ? SIMDMask(repeating: true) : (v .> best) .| (v .!= v)
      best.replace(with: v, where: isLarger)
      places.replace(with: SIMD16(repeating: order), where: isLarger)
      order &+= 1
    }
    return (best, places)
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
        let values = maxima(x, image, p, q, channel: channel, width: width).values
        store(values, y + offset + channel, first: width)
      }
    }
  }

  /// Writes the cotangent of x from that of the maxima: added where the maxima are, the first of equals.
  public func maximumGradient(
    _ cotangent: UnsafePointer<Float>, _ x: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>
  ) {
    c.update(repeating: 0, count: inputCount)
    forEachPosition { image, p, q, offset in
      forEachLanes { channel, width in
        let places = maxima(x, image, p, q, channel: channel, width: width).places
        let share = load(cotangent + offset + channel, first: width)
        var order: Int32 = 0
        forEachElement(image, p, q) { element in
          let target = c + element + channel
          let added = Lanes(repeating: 0).replacing(with: share, where: places .== order)
          store(load(target, first: width) + added, target, first: width)
          order &+= 1
        }
      }
    }
  }

  /// Writes the elements of `v` where the maxima of x are.
  public func selection(
    _ v: UnsafePointer<Float>, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>
  ) {
    forEachPosition { image, p, q, offset in
      forEachLanes { channel, width in
        let places = maxima(x, image, p, q, channel: channel, width: width).places
        var chosen = Lanes(repeating: 0)
        var order: Int32 = 0
        forEachElement(image, p, q) { element in
          chosen.replace(with: load(v + element + channel, first: width), where: places .== order)
          order &+= 1
        }
        store(chosen, y + offset + channel, first: width)
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
        forEachElement(image, p, q) { sum = sum + load(x + $0 + channel, first: width) }
        store(sum * share, y + offset + channel, first: width)
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
        let added = load(cotangent + offset + channel, first: width) * share
        forEachElement(image, p, q) { element in
          let target = c + element + channel
          store(load(target, first: width) + added, target, first: width)
        }
      }
    }
  }
}

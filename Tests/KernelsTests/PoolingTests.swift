import Kernels
import Tensors
import Testing

/// Images with channels last under a window, and the naive way to pool them.
private struct Pooled: CustomStringConvertible {
  let window: Window
  let batch: Int
  let channels: Int
  let input: [Int]

  var output: [Int] {
    zip(window.axes, input).map { axis, extent in
      (extent + axis.padding.before + axis.padding.after - (axis.kernel - 1) * axis.dilation - 1)
        / axis.stride + 1
    }
  }
  var inputCount: Int { batch * input.reduce(1, *) * channels }
  var outputCount: Int { batch * output.reduce(1, *) * channels }
  var kernel: ImageWindow {
    ImageWindow(window, batch: batch, channels: channels, input: input, output: output)
  }
  var description: String { "\(window), \(batch) of \(input) with \(channels) channels" }

  /// The elements under each position of each channel, in order; both numbered as they lie in memory.
  func forEachPosition(_ body: (_ place: Int, _ elements: [Int]) -> Void) {
    let (rows, columns) = (window.axes[0], window.axes[1])
    for n in 0..<batch {
      for p in 0..<output[0] {
        for q in 0..<output[1] {
          for channel in 0..<channels {
            var elements: [Int] = []
            for a in 0..<rows.kernel {
              for b in 0..<columns.kernel {
                let i = p * rows.stride + a * rows.dilation - rows.padding.before
                let j = q * columns.stride + b * columns.dilation - columns.padding.before
                guard (0..<input[0]).contains(i), (0..<input[1]).contains(j) else { continue }
                elements.append(((n * input[0] + i) * input[1] + j) * channels + channel)
              }
            }
            body(((n * output[0] + p) * output[1] + q) * channels + channel, elements)
          }
        }
      }
    }
  }
}

@Suite("Pooling kernels")
struct PoolingTests {
  private static let windows: [[Window.Axis]] = [
    [Window.Axis(kernel: 2, stride: 2), Window.Axis(kernel: 2, stride: 2)],
    [Window.Axis(kernel: 3, stride: 2), Window.Axis(kernel: 3, stride: 2)],
    [Window.Axis(kernel: 3, padding: (1, 1)), Window.Axis(kernel: 2, stride: 3)],
    [Window.Axis(kernel: 1), Window.Axis(kernel: 2, stride: 2, padding: (2, 3), dilation: 3)],
  ]

  @Test(
    "give the bits of naive loops, noted or looked for again",
    arguments: [1, 2, 7, 15, 16, 17, 33, 48])
  func naive(channels: Int) {
    for axes in PoolingTests.windows {
      for input in [[4, 6], [5, 7], [4, 5]] {
        let pooled = Pooled(
          window: Window(axes), batch: 2, channels: channels, input: input)
        // Few values, so that there are equals; negative ones too.
        let x = numbers(pooled.inputCount, scale: 3).map { $0.rounded() }
        let cotangent = numbers(pooled.outputCount, stream: 2)
        for throughRelu in [false, true] {
          check(pooled, throughRelu ? x.map { max($0, 0) } : x, cotangent, throughRelu)
        }
      }
    }
  }

  private func check(_ pooled: Pooled, _ x: [Float], _ cotangent: [Float], _ throughRelu: Bool) {
    var y = Array(repeating: -Float.infinity, count: pooled.outputCount)
    var (gradient, throughGradient) = (x.map { _ in Float(0) }, x.map { _ in Float(0) })
    pooled.forEachPosition { place, elements in
      guard let most = elements.map({ x[$0] }).max() else { return }
      y[place] = most
      guard let chosen = elements.first(where: { x[$0] == most }) else { return }
      gradient[chosen] += cotangent[place]
      if !throughRelu || most > 0 { throughGradient[chosen] += cotangent[place] }
    }
    for offset in [0, 3] {
      let images = Vector(x, offset: offset)
      let given = Vector(cotangent, offset: 1)
      let (maxima, noted) = (
        Vector(count: y.count, offset: offset), Vector(count: y.count, offset: 2)
      )
      let (c, d) = (Vector(count: x.count, offset: 1), Vector(count: x.count, offset: offset))
      let kernel = pooled.kernel
      let indices = UnsafeMutablePointer<UInt8>.allocate(capacity: kernel.indexCount + 1)
      defer { indices.deallocate() }
      indices[kernel.indexCount] = 77
      kernel.maximum(images.pointer, into: maxima.pointer)
      kernel.maximum(
        images.pointer, into: noted.pointer, indices: indices, throughRelu: throughRelu)
      #expect(indices[kernel.indexCount] == 77)
      #expect(maxima.values == y, "\(pooled)")
      #expect(noted.bits == maxima.bits, "\(pooled)")
      for i in 0..<x.count { d.pointer[i] = 77 }
      kernel.maximumGradient(given.pointer, images.pointer, into: c.pointer)
      kernel.maximumGradient(given.pointer, indices: indices, into: d.pointer)
      #expect(c.values == gradient, "\(pooled)")
      #expect(d.values == throughGradient, "\(pooled), through relu: \(throughRelu)")
      #expect(maxima.isIntact && noted.isIntact && c.isIntact && d.isIntact)
    }
  }

  @Test("a maximum that is not a number is not passed over", arguments: [1, 16, 17])
  func notANumber(channels: Int) {
    let pooled = Pooled(
      window: Window(PoolingTests.windows[0]), batch: 1, channels: channels, input: [2, 2])
    for place in 0..<4 {
      var x = numbers(4 * channels)
      for channel in 0..<channels { x[place * channels + channel] = .nan }
      let (images, y) = (Vector(x), Vector(count: channels))
      let indices = UnsafeMutablePointer<UInt8>.allocate(capacity: pooled.kernel.indexCount)
      defer { indices.deallocate() }
      pooled.kernel.maximum(images.pointer, into: y.pointer)
      #expect(y.values.allSatisfy { $0.isNaN })
      pooled.kernel.maximum(
        images.pointer, into: y.pointer, indices: indices, throughRelu: true)
      #expect(y.values.allSatisfy { $0.isNaN })
    }
  }
}

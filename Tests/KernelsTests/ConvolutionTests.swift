import Kernels
import Tensors
import Testing

/// A convolution of images with channels last, by loops over `Double`.
private struct Convolution: CustomStringConvertible {
  let axes: [Window.Axis]
  let batch: Int
  let input: [Int]
  let inputs: Int
  let outputs: Int
  let groups: Int

  var output: [Int] {
    zip(axes, input).map { axis, extent in
      (extent + axis.padding.before + axis.padding.after - (axis.kernel - 1) * axis.dilation - 1)
        / axis.stride + 1
    }
  }
  var kernel: [Int] { axes.map(\.kernel) }
  var x: Shape { Shape([batch] + input + [inputs]) }
  var y: Shape { Shape([batch] + output + [outputs]) }
  var w: Shape { Shape([outputs, inputs / groups] + kernel) }
  var description: String { "\(x) to \(y) by \(w) in \(groups) groups, \(Window(axes))" }

  /// All positions in an array of some extents.
  private func positions(_ extents: [Int]) -> [[Int]] {
    extents.reduce([[]]) { positions, extent in
      positions.flatMap { position in (0..<extent).map { position + [$0] } }
    }
  }

  private func index(_ position: [Int], _ extents: [Int]) -> Int {
    zip(position, extents).reduce(0) { $0 * $1.1 + $1.0 }
  }

  /// The products of the convolution: the elements of x, w and y that each joins.
  func forEachProduct(_ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
    let (perGroup, outputsPerGroup) = (inputs / groups, outputs / groups)
    for place in positions(output) {
      for offset in positions(kernel) {
        let source = axes.indices.map {
          place[$0] * axes[$0].stride + offset[$0] * axes[$0].dilation - axes[$0].padding.before
        }
        guard zip(source, input).allSatisfy({ (0..<$1).contains($0) }) else { continue }
        for n in 0..<batch {
          for out in 0..<outputs {
            for channel in 0..<perGroup {
              let from = out / outputsPerGroup * perGroup + channel
              body(
                index([n] + source + [from], x.extents),
                index([out, channel] + offset, w.extents), index([n] + place + [out], y.extents))
            }
          }
        }
      }
    }
  }
}

@Suite("Convolutions of images")
struct ConvolutionTests {
  private static let cases = [
    Convolution(
      axes: [.init(kernel: 1), .init(kernel: 1)], batch: 1, input: [1, 1], inputs: 1, outputs: 1,
      groups: 1),
    Convolution(
      axes: [.init(kernel: 3, padding: (1, 1)), .init(kernel: 3, padding: (1, 1))], batch: 2,
      input: [5, 7], inputs: 3, outputs: 17, groups: 1),
    Convolution(
      axes: [.init(kernel: 3, stride: 2, padding: (0, 1)), .init(kernel: 2, padding: (2, 0))],
      batch: 3, input: [6, 5], inputs: 16, outputs: 8, groups: 2),
    Convolution(
      axes: [.init(kernel: 2, dilation: 2), .init(kernel: 3, stride: 3, padding: (1, 2))], batch: 1,
      input: [7, 8], inputs: 4, outputs: 4, groups: 4),
    Convolution(
      axes: [.init(kernel: 5, padding: (2, 2)), .init(kernel: 5, padding: (2, 2))], batch: 2,
      input: [9, 4], inputs: 2, outputs: 33, groups: 1),
    Convolution(
      axes: [.init(kernel: 3, stride: 2, padding: (1, 1), dilation: 2)], batch: 2, input: [11],
      inputs: 6, outputs: 10, groups: 2),
    Convolution(axes: [.init(kernel: 4)], batch: 5, input: [13], inputs: 1, outputs: 2, groups: 1),
  ]

  @Test("and both their gradients are those of loops, with bias and activation", arguments: cases)
  fileprivate func naive(_ test: Convolution) throws {
    let x = Vector(numbers(test.x.count))
    let w = Vector(numbers(test.w.count, stream: 2))
    let y = Vector(numbers(test.y.count, stream: 3))
    let bias = Vector(numbers(test.outputs, stream: 4))
    var expected = (
      x: [Double](repeating: 0, count: x.count), w: [Double](repeating: 0, count: w.count),
      y: (0..<y.count).map { Double(bias.values[$0 % test.outputs]) }
    )
    test.forEachProduct { i, j, k in
      expected.x[i] += Double(w.pointer[j]) * Double(y.pointer[k])
      expected.w[j] += Double(x.pointer[i]) * Double(y.pointer[k])
      expected.y[k] += Double(x.pointer[i]) * Double(w.pointer[j])
    }
    func run(
      _ kind: ImageConvolution.Kind, x: Vector, w: Vector, y: Vector, bias: Vector? = nil
    ) throws {
      let convolution = try ImageConvolution(
        kind, Window(test.axes), groups: test.groups, x: test.x, y: test.y,
        activation: bias == nil ? .none : .relu)
      convolution.run(x: x.pointer, w: w.pointer, y: y.pointer, bias: bias?.pointer)
      #expect(x.isIntact && w.isIntact && y.isIntact)
    }
    let found = (Vector(count: x.count), Vector(count: w.count), Vector(count: y.count))
    try run(.inputGradient, x: found.0, w: w, y: y)
    try run(.weightGradient, x: x, w: found.1, y: y)
    try run(.forward(bias: true), x: x, w: w, y: found.2, bias: bias)
    #expect(distance(found.0.values, expected.x) < 2e-6)
    #expect(distance(found.1.values, expected.w) < 2e-6)
    #expect(distance(found.2.values, expected.y.map { max($0, 0) }) < 2e-6)
  }

  @Test("of no images are zeros")
  func nothing() throws {
    let window = Window([.init(kernel: 2), .init(kernel: 2)])
    let w = Vector(numbers(3 * 2 * 4))
    let (x, y) = (Vector(count: 0), Vector(count: 0))
    try ImageConvolution(
      .weightGradient, window, groups: 1, x: [0, 4, 4, 2], y: [0, 3, 3, 3]
    ).run(x: x.pointer, w: w.pointer, y: y.pointer, bias: nil)
    #expect(w.values.allSatisfy { $0 == 0 })
  }
}

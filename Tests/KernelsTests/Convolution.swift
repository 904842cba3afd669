// Convolutions for tests: geometries and the products of each.

import Tensors

/// A convolution of images with channels last, for tests, as a list of its products.
struct Convolution: CustomStringConvertible {
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

  /// The same of another number of images.
  func of(images batch: Int) -> Convolution {
    Convolution(
      axes: axes, batch: batch, input: input, inputs: inputs, outputs: outputs, groups: groups)
  }

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

  /// Calls `body` for the products of some images: the elements of x, w and y that each joins.
  ///
  /// The products of one element of x, w or y come in the order of its sum.
  func forEachProduct(of images: Range<Int>, _ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
    let (perGroup, outputsPerGroup) = (inputs / groups, outputs / groups)
    let (xImage, yImage) = (x.count / batch, y.count / batch)
    for n in images {
      for place in positions(output) {
        for offset in positions(kernel) {
          let source = axes.indices.map {
            place[$0] * axes[$0].stride + offset[$0] * axes[$0].dilation - axes[$0].padding.before
          }
          guard zip(source, input).allSatisfy({ (0..<$1).contains($0) }) else { continue }
          let pixel = n * xImage + index(source, input) * inputs
          let position = n * yImage + index(place, output) * outputs
          let tap = index(offset, kernel)
          for out in 0..<outputs {
            for channel in 0..<perGroup {
              body(
                pixel + out / outputsPerGroup * perGroup + channel,
                (out * perGroup + channel) * kernel.reduce(1, *) + tap, position + out)
            }
          }
        }
      }
    }
  }

  /// Geometries of all kinds, small.
  static let cases = [
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
}

// Convolutions of images in bfloat16, which the library computes.

import CProducts
import OneDNN

/// A convolution whose operands are rounded to bfloat16, or one of its two gradients, of one shape.
///
/// A final class with one owner, used by one thread at a time, after ``prepareThread()`` on each thread that
/// does.
final class RoundedConvolution {
  /// The primitive of each microbatch; of all images but for weight gradients.
  private let primitives: [ConvolutionPrimitive]
  private let order: SumOrder
  /// The bytes of an image of x and of y.
  private let imageBytes: (x: Int, y: Int)
  private let weightCount: Int
  /// The waiting sums of a weight gradient over several microbatches.
  private let scratch: Scratch

  /// Compiles the convolution of one shape, as often as microbatches have other numbers of images.
  ///
  /// - Parameters:
  ///   - kind: The tensor that is computed.
  ///   - rowCounts: The images of each microbatch of a weight gradient, or of all, 1 or more.
  ///   - additions: How many times, after each microbatch, the two last sums are added, the left one first.
  ///   - counts: The elements of an image of x, of one of y, and of W.
  ///   - scratch: The memory for sums that wait.
  ///   - geometry: The extents for a number of images.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  init(
    _ kind: ImageConvolution.Kind, rowCounts: [Int], additions: [Int],
    counts: (x: Int, y: Int, w: Int), scratch: Scratch,
    geometry: (_ batch: Int) -> ConvolutionPrimitive.Geometry
  ) throws(OneDNNError) {
    var compiled: [Int: ConvolutionPrimitive] = [:]
    var primitives: [ConvolutionPrimitive] = []
    for count in rowCounts {
      if compiled[count] == nil {
        compiled[count] = try ConvolutionPrimitive(
          kind.primitiveKind, geometry(count), operands: .bfloat16)
      }
      if let primitive = compiled[count] { primitives.append(primitive) }
    }
    self.primitives = primitives
    order = SumOrder(rowCounts: rowCounts, additions: additions)
    imageBytes = (2 * counts.x, 2 * counts.y)
    weightCount = counts.w
    self.scratch = scratch
    if primitives.count > 1 { scratch.reserve(count: (order.depth + 1) * weightCount) }
  }

  deinit { order.deallocate() }

  /// Computes one of the three tensors from the other two; see ``ConvolutionPrimitive``.
  func run(
    x: UnsafeMutableRawPointer, w: UnsafeMutableRawPointer, y: UnsafeMutableRawPointer,
    bias: UnsafePointer<Float>?
  ) {
    if primitives.count == 1 {
      primitives[0].run(x: x, w: w, y: y, bias: bias)
      return
    }
    let sums = scratch.pointer
    var (image, top) = (0, sums)
    for (leaf, primitive) in zip(order.leaves, primitives) {
      primitive.run(x: x + image * imageBytes.x, w: top, y: y + image * imageBytes.y)
      image += Int(leaf.rows)
      for _ in 0..<leaf.additions {
        top -= weightCount
        Elementwise.apply(.add, top, top + weightCount, into: top, count: weightCount)
      }
      top += weightCount
    }
    w.assumingMemoryBound(to: Float.self).update(from: sums, count: weightCount)
  }
}

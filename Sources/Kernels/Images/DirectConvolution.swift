// Convolutions of ours: every element is one chain of fused multiply-adds.

import CProducts

/// A convolution of `Float`, or one of its two gradients, of one shape.
///
/// Forward, a sum goes over the kernel's rows, columns and the input channels; to the inputs, over the rows and
/// columns of y that a pixel reaches and the output channels; to the weights, over the images of a microbatch
/// and the rows and columns of y; each in ascending order from +0, and taps in the padding add
/// nothing to finite sums. So an
/// image's bits depend on that image alone, and are the same on every CPU. A final class with one owner, used
/// by one thread at a time.
final class DirectConvolution {
  private let kind: ImageConvolution.Kind
  private let set: cproducts_set
  private var shape: cproducts_convolution
  private let order: SumOrder
  private var leaves: cproducts_leaves
  private let scratch: Scratch

  /// Prepares the convolution of one shape.
  ///
  /// - Parameters:
  ///   - kind: The tensor that is computed.
  ///   - shape: The extents, all 1 or more.
  ///   - rowCounts: The images of each microbatch of a weight gradient, 1 or more.
  ///   - additions: How many times, after each microbatch, the two last sums are added, the left one first.
  ///   - scratch: The memory for packed operands, up to the sizes of the weights and of an image together; for
  ///     weight gradients, of a cache.
  ///   - instructions: An instruction set that this CPU has.
  init(
    _ kind: ImageConvolution.Kind, _ shape: cproducts_convolution, rowCounts: [Int],
    additions: [Int], scratch: Scratch, on instructions: InstructionSet
  ) {
    self.kind = kind
    self.shape = shape
    set = instructions.products
    order = SumOrder(rowCounts: rowCounts, additions: additions)
    leaves = cproducts_leaves(
      first: order.leaves.baseAddress, count: order.leaves.count, depth: order.depth)
    let count =
      switch kind {
      case .forward: cproducts_forward_scratch(set, &self.shape)
      case .inputGradient: cproducts_input_gradient_scratch(set, &self.shape)
      case .weightGradient: cproducts_weight_gradient_scratch(set, &self.shape, &leaves)
      }
    self.scratch = scratch
    scratch.reserve(count: count)
  }

  deinit { order.deallocate() }

  /// Computes one of the three tensors from the other two; allocates nothing.
  func run(
    x: UnsafeMutablePointer<Float>, w: UnsafeMutablePointer<Float>,
    y: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>?
  ) {
    switch kind {
    case .forward(let hasBias):
      precondition((bias != nil) == hasBias, "bias given and announced differ")
      cproducts_forward(set, &shape, x, w, bias, y, scratch.pointer)
    case .inputGradient: cproducts_input_gradient(set, &shape, y, w, x, scratch.pointer)
    case .weightGradient: cproducts_weight_gradient(set, &shape, &leaves, x, y, w, scratch.pointer)
    }
  }
}

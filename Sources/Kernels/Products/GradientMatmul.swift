// The gradient of a weight over several microbatches, in one pass.

import CProducts

/// The product `Aᵀ·B` of each of some microbatches, and the sum of all in the order of a tree.
///
/// `A` is `[rows, m]`, `B` is `[rows, n]` and `C` `[m, n]`, row by row; the microbatches are consecutive rows.
/// The bits are those of one ``Matmul`` a microbatch, added element by element, but nothing is stored before
/// the last sum: a tile of `C` takes all microbatches while it is in registers. A final class with one owner,
/// used by one thread at a time.
public final class GradientMatmul {
  private let set: cproducts_set
  private let order: SumOrder
  private var gradient: cproducts_gradient
  private let scratch: Scratch

  /// Prepares the gradient of one shape.
  ///
  /// - Parameters:
  ///   - m: The columns of `A`, 0 or more.
  ///   - n: The columns of `B`, 0 or more.
  ///   - rowCounts: The rows of each microbatch, 1 or more.
  ///   - additions: How many times, after each microbatch, the two last sums are added, the left one first.
  ///   - scratch: The memory for packed operands: a cache's size at most beside one panel of all rows.
  public convenience init(
    lhsColumns m: Int, rhsColumns n: Int, rowCounts: [Int], additions: [Int],
    scratch: Scratch = Scratch()
  ) {
    self.init(
      lhsColumns: m, rhsColumns: n, rowCounts: rowCounts, additions: additions, scratch: scratch,
      on: .best)
  }

  /// Prepares the gradient of one shape, computed by an instruction set that this CPU has.
  package init(
    lhsColumns m: Int, rhsColumns n: Int, rowCounts: [Int], additions: [Int],
    scratch: Scratch = Scratch(), on instructions: InstructionSet
  ) {
    precondition(m >= 0 && n >= 0, "negative extent in gradient [\(m), \(n)]")
    set = instructions.products
    order = SumOrder(rowCounts: rowCounts, additions: additions)
    gradient = cproducts_gradient(
      rows: order.rows, lhs_columns: m, rhs_columns: n, leaves: order.leaves.baseAddress,
      leaf_count: order.leaves.count, depth: order.depth)
    self.scratch = scratch
    scratch.reserve(count: cproducts_fold_scratch(set, &gradient))
  }

  deinit { order.deallocate() }

  /// Computes the gradient.
  ///
  /// - Parameters:
  ///   - a: The elements of `A`.
  ///   - b: The elements of `B`.
  ///   - c: The elements of `C`; overlaps no operand.
  /// - Complexity: 2·rows·m·n operations, a few percent more with 8 microbatches; allocates nothing.
  public func run(
    lhs a: UnsafePointer<Float>, rhs b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>
  ) {
    cproducts_fold(set, &gradient, a, b, c, scratch.pointer)
  }
}

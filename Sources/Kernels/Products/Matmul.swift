// Matrix products, and what follows them.

import CProducts
import Numerics
import OneDNN

/// Makes the calling thread fit to create and run kernels: every thread that does calls this first.
///
/// - Complexity: a few nanoseconds.
public func prepareThread() { OneDNN.prepareThread() }

/// A matrix product of one shape with the bias and the activation that follow it.
///
/// `C = f(op(A)·op(B) + b)`, all row by row: `C` is `[m, n]`, `b` is `[n]`, `A` is `[m, k]` or,
/// transposed, `[k, m]`, `B` is `[k, n]` or, transposed, `[n, k]`. Each sum is one chain of fused
/// multiply-adds over k in ascending order that begins at +0; then `b` is added, rounded once. So an
/// element has the same bits in every number of rows and columns, and on every CPU. A final class with
/// one owner, used by one thread at a time.
public final class Matmul {
  /// A function applied to each element after the sum.
  public enum Activation: Hashable, Sendable {
    /// Nothing.
    case none
    /// `max(x, 0)`.
    case relu
    /// The hyperbolic tangent.
    case tanh
    /// The logistic function `1 / (1 + e⁻ˣ)`.
    case sigmoid
  }

  private let set: cproducts_set
  private var shape: cproducts_product
  private let scratch: Scratch
  private let hasBias: Bool
  private let activation: Activation

  /// Prepares the product of one shape.
  ///
  /// - Parameters:
  ///   - m: Rows of `C`, 0 or more.
  ///   - n: Columns of `C`, 0 or more.
  ///   - k: Terms of each sum, 0 or more; with 0 the sums are zero.
  ///   - transposeLHS: True if `A` is stored `[k, m]`.
  ///   - transposeRHS: True if `B` is stored `[n, k]`.
  ///   - bias: True if ``run(lhs:rhs:bias:into:)`` will be given `b`.
  ///   - activation: The function applied after the sum.
  ///   - scratch: The memory for packed operands, up to the size of `A` if `B` is transposed.
  public convenience init(
    rows m: Int, columns n: Int, depth k: Int, transposeLHS: Bool, transposeRHS: Bool,
    bias: Bool, activation: Activation, scratch: Scratch = Scratch()
  ) {
    self.init(
      rows: m, columns: n, depth: k, transposeLHS: transposeLHS, transposeRHS: transposeRHS,
      bias: bias, activation: activation, scratch: scratch, on: .best)
  }

  /// Prepares the product of one shape, computed by an instruction set that this CPU has.
  package init(
    rows m: Int, columns n: Int, depth k: Int, transposeLHS: Bool, transposeRHS: Bool,
    bias: Bool, activation: Activation, scratch: Scratch = Scratch(),
    on instructions: InstructionSet
  ) {
    precondition(m >= 0 && n >= 0 && k >= 0, "negative extent in [\(m), \(k)] · [\(k), \(n)]")
    set = instructions.products
    shape = cproducts_product(
      rows: m, columns: n, depth: k, transpose_lhs: transposeLHS, transpose_rhs: transposeRHS)
    self.scratch = scratch
    scratch.reserve(count: cproducts_scratch(set, &shape))
    hasBias = bias
    self.activation = activation
  }

  /// Computes the product.
  ///
  /// - Parameters:
  ///   - a: The elements of `A`.
  ///   - b: The elements of `B`.
  ///   - bias: The elements of `b`, given exactly if announced.
  ///   - c: The elements of `C`; overlaps no operand.
  /// - Complexity: 2·m·n·k operations and 0.1 µs; allocates nothing.
  public func run(
    lhs a: UnsafePointer<Float>, rhs b: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    into c: UnsafeMutablePointer<Float>
  ) {
    precondition((bias != nil) == hasBias, "bias given and announced differ")
    let count = shape.rows &* shape.columns
    if shape.depth == 0 {
      c.update(repeating: 0, count: count)
    } else {
      cproducts_multiply(set, &shape, a, b, c, scratch.pointer)
    }
    if let bias {
      kernels.apply(.add, c, row: bias, into: c, rows: shape.rows, columns: shape.columns)
    }
    activation.apply(to: c, count: count)
  }
}

extension Matmul.Activation {
  /// Applies the activation to the elements of a result, in place.
  @inline(__always)
  func apply(to c: UnsafeMutablePointer<Float>, count: Int) {
    switch self {
    case .none: break
    case .relu: Elementwise.apply(.relu, c, into: c, count: count)
    case .tanh: Elementwise.apply(.tanh, c, into: c, count: count)
    case .sigmoid: Elementwise.apply(.sigmoid, c, into: c, count: count)
    }
  }
}

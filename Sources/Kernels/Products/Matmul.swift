// Matrix products: which of the two ways of oneDNN computes a shape, and what follows the product.

import Numerics
public import OneDNN
import VectorKernels

/// Makes the calling thread fit to create and run kernels: every thread that does calls this first.
///
/// - Complexity: a few nanoseconds.
public func prepareThread() { OneDNN.prepareThread() }

/// A matrix product of one shape with the bias and the activation that follow it.
///
/// `C = f(op(A)·op(B) + b)`, all row by row: `C` is `[m, n]`, `b` is `[n]`, `A` is `[m, k]` or,
/// transposed, `[k, m]`, `B` is `[k, n]` or, transposed, `[n, k]`. A final class with one owner, used
/// by one thread at a time, after ``prepareThread()`` on each thread that does. Which library call
/// computes it follows from the shape alone, so the bits do too.
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

  /// The way to compute a shape.
  private enum Way {
    /// One primitive, bias and activation within.
    case primitive(MatmulPrimitive)
    /// The plain product, then bias and activation in a pass of ours.
    case product
    /// No terms: every sum is zero.
    case empty
  }

  private let m: Int
  private let n: Int
  private let k: Int
  private let transposeLHS: Bool
  private let transposeRHS: Bool
  private let hasBias: Bool
  private let activation: Activation
  private let way: Way

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
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  /// - Complexity: up to milliseconds, when code is generated.
  public init(
    rows m: Int, columns n: Int, depth k: Int, transposeLHS: Bool, transposeRHS: Bool,
    bias: Bool, activation: Activation
  ) throws(OneDNNError) {
    precondition(m >= 0 && n >= 0 && k >= 0, "negative extent in [\(m), \(k)] · [\(k), \(n)]")
    prepareThread()
    self.m = m
    self.n = n
    self.k = k
    self.transposeLHS = transposeLHS
    self.transposeRHS = transposeRHS
    self.activation = activation
    hasBias = bias
    if m == 0 || n == 0 || k == 0 {
      way = .empty
    } else if Matmul.isPlain(
      rows: m, columns: n, depth: k, transposeLHS: transposeLHS, transposeRHS: transposeRHS)
    {
      way = .product
    } else {
      way = .primitive(
        try MatmulPrimitive(
          rows: m, columns: n, depth: k, transposeLHS: transposeLHS, transposeRHS: transposeRHS,
          bias: bias, activation: activation.fused))
    }
  }

  /// Returns true if a shape is computed by sgemm and a pass of ours.
  ///
  /// A fixed rule, because the two ways give other bits: sgemm where it was the faster by more than
  /// noise, over 750 shapes on one core of a Zen 4 (note 1 of this module).
  static func isPlain(
    rows m: Int, columns n: Int, depth k: Int, transposeLHS: Bool, transposeRHS: Bool
  ) -> Bool {
    if n == 1 { return true }
    // Rows that lie a multiple of 2 KiB apart meet in few sets of the cache; sgemm copies them.
    let aliases = n % 512 == 0
    return switch (transposeLHS, transposeRHS) {
    case (false, true): m < 16 && (k >= 64 || n <= 16)
    case (false, false): aliases || (m < 16 && k <= 16)
    case (true, false): aliases || m <= 16
    case (true, true): false
    }
  }

  /// Computes the product.
  ///
  /// - Parameters:
  ///   - a: The elements of `A`.
  ///   - b: The elements of `B`.
  ///   - bias: The elements of `b`, given exactly if announced.
  ///   - c: The elements of `C`; overlaps no operand.
  /// - Complexity: 2·m·n·k operations and 0.2 µs; allocates nothing.
  public func run(
    lhs a: UnsafePointer<Float>, rhs b: UnsafePointer<Float>, bias: UnsafePointer<Float>?,
    into c: UnsafeMutablePointer<Float>
  ) {
    precondition((bias != nil) == hasBias, "bias given and announced differ")
    switch way {
    case .primitive(let primitive):
      primitive.run(lhs: a, rhs: b, bias: bias, into: c)
      if activation == .relu { activation.apply(to: c, count: m * n) }
      return
    case .product:
      sgemm(
        rows: m, columns: n, depth: k, transposeLHS: transposeLHS, transposeRHS: transposeRHS,
        lhs: a, rhs: b, into: c)
    case .empty:
      c.update(repeating: 0, count: m * n)
    }
    if let bias {
      kernels.apply(.add, c, row: bias, into: c, rows: m, columns: n)
    }
    activation.apply(to: c, count: m * n)
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

  /// The activation that the primitive applies.
  ///
  /// Not relu: oneDNN's makes 0 of what is not a number, and a broken weight would stay unseen. A pass of
  /// ours takes 0.07 ns an element while the result is in the cache.
  fileprivate var fused: MatmulPrimitive.Activation {
    switch self {
    case .none, .relu: .none
    case .tanh: .tanh
    case .sigmoid: .sigmoid
    }
  }
}

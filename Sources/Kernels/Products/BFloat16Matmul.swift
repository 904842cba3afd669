// Matrix products of operands rounded to bfloat16, and what follows them.

public import OneDNN

/// A matrix product of one shape of bfloat16 operands, added up in `Float`, with bias and activation.
///
/// Otherwise as ``Matmul``: `C = f(op(A)·op(B) + b)`, all row by row. A final class with one owner, used by one
/// thread at a time, after ``prepareThread()`` on each thread that does.
public final class BFloat16Matmul {
  /// Indicates that this CPU and the library have such products and convolutions.
  public static var isSupported: Bool { NumberFormat.bfloat16.isSupported }

  private let primitive: MatmulPrimitive
  private let activation: Matmul.Activation
  private let count: Int

  /// Prepares the product of one shape.
  ///
  /// - Parameters:
  ///   - m: Rows of `C`, at least 1.
  ///   - n: Columns of `C`, at least 1.
  ///   - k: Terms of each sum, at least 1.
  ///   - transposeLHS: True if `A` is stored `[k, m]`.
  ///   - transposeRHS: True if `B` is stored `[n, k]`.
  ///   - bias: True if ``run(lhs:rhs:bias:into:)`` will be given `b`.
  ///   - activation: The function applied after the sum.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or the format.
  /// - Complexity: up to milliseconds, when code is generated.
  public init(
    rows m: Int, columns n: Int, depth k: Int, transposeLHS: Bool, transposeRHS: Bool,
    bias: Bool, activation: Matmul.Activation
  ) throws(OneDNNError) {
    prepareThread()
    count = m * n
    self.activation = activation
    primitive = try MatmulPrimitive(
      rows: m, columns: n, depth: k, transposeLHS: transposeLHS, transposeRHS: transposeRHS,
      bias: bias, operands: .bfloat16)
  }

  /// Computes the product.
  ///
  /// - Parameters:
  ///   - a: The elements of `A`.
  ///   - b: The elements of `B`.
  ///   - bias: The elements of `b`, given exactly if announced.
  ///   - c: The elements of `C`; overlaps no operand.
  /// - Complexity: 2·m·n·k operations; allocates nothing.
  public func run(
    lhs a: UnsafePointer<UInt16>, rhs b: UnsafePointer<UInt16>, bias: UnsafePointer<Float>?,
    into c: UnsafeMutablePointer<Float>
  ) {
    primitive.run(lhs: a, rhs: b, bias: bias, into: c)
    activation.apply(to: c, count: count)
  }
}

/// Rounds so many numbers to bfloat16: to nearest, ties to even; what is not a number stays so.
///
/// A final class with one owner, used by one thread at a time, after ``prepareThread()`` on each thread that does.
public final class BFloat16Rounding {
  private let primitive: RoundingPrimitive

  /// Prepares the rounding of `count` numbers, at least 1.
  ///
  /// - Throws: ``OneDNNError`` if the library is out of memory.
  public init(count: Int) throws(OneDNNError) {
    prepareThread()
    primitive = try RoundingPrimitive(count: count)
  }

  /// Rounds the numbers.
  ///
  /// - Parameters:
  ///   - values: The numbers.
  ///   - rounded: Gets the rounded numbers.
  /// - Complexity: 0.2 µs, and 0.1 ns a number while these are in the caches.
  public func run(_ values: UnsafePointer<Float>, into rounded: UnsafeMutablePointer<UInt16>) {
    primitive.run(values, into: rounded)
  }
}

// Computations within one row of a matrix.

/// Kernels over the rows of `[rows, columns]`.
///
/// The order of every sum follows from the number of columns alone, and rows do not depend on one
/// another: softmax of up to sixteen columns adds them in order, everything else in the order of
/// ``Reduction``. No allocation.
public enum Rowwise {
  /// Writes the softmax of each row: `eˣ / Σ eˣ`, shifted by the largest `x`.
  ///
  /// `columns` is at least 1; `c` may be `a`.
  public static func softmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) { kernels.softmax(a, rows: rows, columns: columns, into: c) }

  /// Writes the logarithm of the softmax of each row: `x − log Σ eˣ`.
  ///
  /// `columns` is at least 1; `c` may be `a`.
  public static func logSoftmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) { kernels.logSoftmax(a, rows: rows, columns: columns, into: c) }

  /// Writes `log Σ eˣ` of each row into `[rows]`.
  ///
  /// `columns` is at least 1.
  public static func logSumExp(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) { kernels.logSumExp(a, rows: rows, columns: columns, into: c) }

  /// Writes `Σ x²` of each row into `[rows]`.
  public static func squaredNorm(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<rows { c[i] = orderedSum(Squares(a: a + i &* columns), count: columns) }
  }

  /// Writes `scale · Σ (x − y)²` of each row into `[rows]`; with 1/columns, the mean squared error.
  public static func squaredDistance(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, rows: Int, columns: Int,
    scale: Float = 1, into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<rows {
      let terms = SquaredDifferences(a: a + i &* columns, b: b + i &* columns)
      c[i] = scale * orderedSum(terms, count: columns)
    }
  }
}

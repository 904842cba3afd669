// Computations within one row of a matrix.

import Numerics

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
  ) {
    guard columns > NarrowRows.limit else {
      NarrowRows.forEach(a, rows: rows, columns: columns) { block in
        for j in 0..<columns {
          let p = block.powers + j &* laneCount
          store(load(p) / block.sum, p)
        }
        block.write(c, columns: columns)
      }
      return
    }
    for i in 0..<rows { softmaxRow(a + i &* columns, columns, into: c + i &* columns) }
  }

  /// Writes the logarithm of the softmax of each row: `x − log Σ eˣ`.
  ///
  /// `columns` is at least 1; `c` may be `a`.
  public static func logSoftmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<rows {
      let row = a + i &* columns
      let largest = maximum(row, columns)
      let shift = Lanes(repeating: largest)
      let sum = orderedSum(Exponentials(a: row, shift: shift), count: columns)
      let logarithm = Lanes(repeating: Elementary.log(sum))
      forEachLanes(row, into: c + i &* columns, count: columns) { ($0 - shift) - logarithm }
    }
  }

  /// Writes `log Σ eˣ` of each row into `[rows]`.
  ///
  /// `columns` is at least 1.
  public static func logSumExp(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<rows {
      let row = a + i &* columns
      let largest = maximum(row, columns)
      let sum = orderedSum(
        Exponentials(a: row, shift: Lanes(repeating: largest)), count: columns)
      // Rows whose largest is infinite have that as their result, not the NaN of ∞ − ∞.
      c[i] = largest.isInfinite ? largest : largest + Elementary.log(sum)
    }
  }

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

  /// Writes the softmax of one row.
  @inline(__always)
  static func softmaxRow(
    _ row: UnsafePointer<Float>, _ columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    let shift = Lanes(repeating: maximum(row, columns))
    forEachLanes(row, into: c, count: columns) { Elementary.exp($0 - shift) }
    let sum = Lanes(repeating: orderedSum(Elements(a: c), count: columns))
    forEachLanes(c, into: c, count: columns) { $0 / sum }
  }

  /// The largest of a row; NaN is passed over.
  @inline(__always)
  static func maximum(_ row: UnsafePointer<Float>, _ columns: Int) -> Float {
    guard columns >= laneCount else {
      return laneMaximum(load(row, first: columns, filler: -.infinity))
    }
    var result = load(row + (columns &- laneCount))
    var i = 0
    while i &+ laneCount <= columns {
      result = larger(load(row + i), result)
      i &+= laneCount
    }
    return laneMaximum(result)
  }
}

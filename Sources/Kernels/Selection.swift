// Elements copied to other places.

/// Kernels that move elements and compute nothing.
public enum Selection {
  /// Writes each matrix of `[count, rows, columns]` as `[columns, rows]`; not in place.
  public static func transpose(
    _ a: UnsafePointer<Float>, count: Int, rows: Int, columns: Int,
    into c: UnsafeMutablePointer<Float>
  ) {
    let area = rows &* columns
    for matrix in 0..<count {
      let (source, target) = (a + matrix &* area, c + matrix &* area)
      for i in 0..<columns {
        for j in 0..<rows { target[i &* rows &+ j] = source[j &* columns &+ i] }
      }
    }
  }

  /// Writes the row of `table`, `[classes, columns]`, that each label names.
  ///
  /// A label outside `0..<classes` traps: data is checked where it is read.
  public static func gather(
    _ table: UnsafePointer<Float>, labels: UnsafePointer<Int32>, rows: Int, classes: Int,
    columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<rows {
      let label = Int(labels[i])
      precondition(label >= 0 && label < classes, "label \(label) is not below \(classes)")
      (c + i &* columns).update(from: table + label &* columns, count: columns)
    }
  }
}

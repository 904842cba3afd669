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

  /// Writes the axes of `a` in another order; not in place.
  ///
  /// - Parameters:
  ///   - a: A tensor of any shape, row-major.
  ///   - extents: The extents of the result.
  ///   - strides: For each of its axes, the elements of `a` from one to the next.
  ///   - c: Where the result goes.
  public static func permute(
    _ a: UnsafePointer<Float>, extents: [Int], strides: [Int], into c: UnsafeMutablePointer<Float>
  ) {
    var target = c
    func visit(_ axis: Int, _ source: UnsafePointer<Float>) {
      guard axis < extents.count else {
        target.pointee = source.pointee
        target += 1
        return
      }
      for i in 0..<extents[axis] { visit(axis + 1, source + i * strides[axis]) }
    }
    visit(0, a)
  }

  /// Copies `count` pieces of `length` elements that lie `from` and `to` elements apart.
  public static func copy(
    _ a: UnsafePointer<Float>, count: Int, length: Int, from: Int, to: Int,
    into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<count { (c + i &* to).update(from: a + i &* from, count: length) }
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

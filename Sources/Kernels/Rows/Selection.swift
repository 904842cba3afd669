// Elements copied to other places.

/// Kernels that move elements and compute nothing.
public enum Selection {
  /// Writes each matrix of `[count, rows, columns]` as `[columns, rows]`; not in place.
  ///
  /// Four by four elements at a time, within pieces of eight rows: their cache lines are used up while
  /// they are there.
  public static func transpose(
    _ a: UnsafePointer<Float>, count: Int, rows: Int, columns: Int,
    into c: UnsafeMutablePointer<Float>
  ) {
    let area = rows &* columns
    for matrix in 0..<count {
      let (source, target) = (a + matrix &* area, c + matrix &* area)
      var start = 0
      while start < rows {
        let end = min(start &+ 8, rows)
        transposePiece(source, start..<end, rows: rows, columns: columns, into: target)
        start = end
      }
    }
  }

  @inline(__always)
  private static func transposePiece(
    _ a: UnsafePointer<Float>, _ piece: Range<Int>, rows: Int, columns: Int,
    into c: UnsafeMutablePointer<Float>
  ) {
    var j = 0
    while j &+ 4 <= columns {
      var i = piece.lowerBound
      while i &+ 4 <= piece.upperBound {
        transpose4(
          a + (i &* columns &+ j), columns, into: c + (j &* rows &+ i), rows)
        i &+= 4
      }
      while i < piece.upperBound {
        for column in j..<j &+ 4 { c[column &* rows &+ i] = a[i &* columns &+ column] }
        i &+= 1
      }
      j &+= 4
    }
    while j < columns {
      for i in piece { c[j &* rows &+ i] = a[i &* columns &+ j] }
      j &+= 1
    }
  }

  /// Transposes four rows of four, from rows and to rows that lie so far apart.
  @inline(__always)
  private static func transpose4(
    _ a: UnsafePointer<Float>, _ from: Int, into c: UnsafeMutablePointer<Float>, _ to: Int
  ) {
    typealias Four = SIMD4<Float>
    @inline(__always) func row(_ i: Int) -> Four {
      UnsafeRawPointer(a + i &* from).loadUnaligned(as: Four.self)
    }
    let (p, q, r, s) = (row(0), row(1), row(2), row(3))
    for j in 0..<4 {
      UnsafeMutableRawPointer(c + j &* to)
        .storeBytes(of: Four(p[j], q[j], r[j], s[j]), as: Four.self)
    }
  }

  /// Writes the axes of `a` in another order; not in place.
  ///
  /// - Parameters:
  ///   - a: A tensor of any shape, row-major.
  ///   - extents: The extents of the result.
  ///   - strides: For each of its axes, the elements of `a` from one to the next.
  ///   - c: The result.
  public static func permute(
    _ a: UnsafePointer<Float>, extents: [Int], strides: [Int], into c: UnsafeMutablePointer<Float>
  ) {
    var target = c
    func visit(_ axis: Int, _ source: UnsafePointer<Float>) {
      guard axis < extents.count &- 1 else {
        let (count, step) = (extents.last ?? 1, strides.last ?? 1)
        if step == 1 {
          target.update(from: source, count: count)
        } else {
          for i in 0..<count { target[i] = source[i &* step] }
        }
        target += count
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

// Sums over one axis.

import Numerics

/// Sums over an axis, in an order that follows from the shape alone.
public enum Reduction {
  /// Sums the middle axis of `a`, `[outer, middle, inner]`, into `[outer, inner]`, times `scale`.
  ///
  /// With an inner extent of 1, sixteen lanes add every sixteenth element: 32 each in order into a
  /// leaf, leaves in the tree of neighbours, lanes in halves at last. Otherwise an element of the
  /// result adds 32 elements in order into a leaf, and leaves in the tree of neighbours. In `Float`;
  /// the error grows with the logarithm of the extent. An empty sum is 0.
  ///
  /// - Parameters:
  ///   - a: The elements.
  ///   - outer: The extent of the axes before.
  ///   - middle: The extent of the axis that is summed.
  ///   - inner: The extent of the axes after.
  ///   - c: The sums; does not overlap `a`.
  ///   - scale: The factor of each sum, such as 1/middle for a mean.
  /// - Complexity: one pass; allocates nothing.
  public static func sum(
    _ a: UnsafePointer<Float>, outer: Int, middle: Int, inner: Int,
    into c: UnsafeMutablePointer<Float>, scale: Float = 1
  ) {
    if inner == 1 {
      for i in 0..<outer {
        c[i] = scale * orderedSum(Elements(a: a + i &* middle), count: middle)
      }
      return
    }
    let end = a + outer &* middle &* inner
    for i in 0..<outer {
      sumColumns(
        a + i &* middle &* inner, before: end, rows: middle, columns: inner, into: c + i &* inner,
        scale: scale)
    }
  }

  @inline(__always)
  private static func sumColumns(
    _ a: UnsafePointer<Float>, before end: UnsafePointer<Float>, rows: Int, columns: Int,
    into c: UnsafeMutablePointer<Float>, scale: Float
  ) {
    let factor = Lanes(repeating: scale)
    var j = 0
    while j &+ 2 &* laneCount <= columns {
      let (first, second) = treeSum2(a + j, stride: columns, rows: rows)
      store(first * factor, c + j)
      store(second * factor, c + j + laneCount)
      j &+= 2 &* laneCount
    }
    if j &+ laneCount <= columns {
      store(treeSum(a + j, stride: columns, rows: rows, before: nil) * factor, c + j)
      j &+= laneCount
    }
    if j < columns {
      let sum = treeSum(a + j, stride: columns, rows: rows, before: end)
      store(sum * factor, c + j, first: columns &- j)
    }
  }

  /// The rows of a leaf.
  private static let leafRows = 32

  /// Sums 32 neighbouring columns.
  @inline(never)
  static func treeSum2(
    _ a: UnsafePointer<Float>, stride: Int, rows: Int
  ) -> (Lanes, Lanes) {
    if rows <= leafRows {
      var (first, second) = (Lanes(repeating: 0), Lanes(repeating: 0))
      var p = a
      for _ in 0..<rows {
        first = first + load(p)
        second = second + load(p + laneCount)
        p += stride
      }
      return (first, second)
    }
    let left = powerOfTwo(below: (rows &+ leafRows &- 1) / leafRows) &* leafRows
    let (a1, a2) = treeSum2(a, stride: stride, rows: left)
    let (b1, b2) = treeSum2(a + left &* stride, stride: stride, rows: rows &- left)
    return (a1 + b1, a2 + b2)
  }

  /// Sums sixteen neighbouring columns.
  ///
  /// With an end, fewer of them may exist: the lanes of the rest then hold sums of whatever follows in
  /// memory, and nothing is read from the end on.
  @inline(never)
  static func treeSum(
    _ a: UnsafePointer<Float>, stride: Int, rows: Int, before end: UnsafePointer<Float>?
  ) -> Lanes {
    if rows <= leafRows {
      var sum = Lanes(repeating: 0)
      var p = a
      for _ in 0..<rows {
        let available = end.map { $0 - p } ?? laneCount
        sum = sum + (available >= laneCount ? load(p) : load(p, first: available))
        p += stride
      }
      return sum
    }
    let left = powerOfTwo(below: (rows &+ leafRows &- 1) / leafRows) &* leafRows
    return treeSum(a, stride: stride, rows: left, before: end)
      + treeSum(a + left &* stride, stride: stride, rows: rows &- left, before: end)
  }
}

// The gradient of a bias over several microbatches.

import CProducts
import Numerics

/// The sums of the columns of each of some microbatches, and the sum of all in the order of a tree.
///
/// `A` is `[rows, columns]`, row by row; the microbatches are consecutive rows. The bits are those of one
/// ``Reduction/sum(_:outer:middle:inner:into:scale:)`` a microbatch, added element by element. A final class
/// with one owner, used by one thread at a time.
public final class GradientColumnSum {
  private let order: SumOrder
  private let columns: Int
  private let waiting: UnsafeMutablePointer<Lanes>

  /// Prepares the sums of one shape.
  ///
  /// - Parameters:
  ///   - columns: The columns of `A`, 0 or more.
  ///   - rowCounts: The rows of each microbatch, 1 or more.
  ///   - additions: How many times, after each microbatch, the two last sums are added, the left one first.
  public init(columns: Int, rowCounts: [Int], additions: [Int]) {
    precondition(columns >= 0, "negative number of columns \(columns)")
    order = SumOrder(rowCounts: rowCounts, additions: additions)
    self.columns = columns
    waiting = .allocate(capacity: 2 * order.depth)
  }

  deinit {
    waiting.deallocate()
    order.deallocate()
  }

  /// Computes the sums.
  ///
  /// - Parameters:
  ///   - a: The elements of `A`.
  ///   - c: The sums, one a column; does not overlap `A`.
  /// - Complexity: one pass; allocates nothing.
  public func run(_ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>) {
    if columns == 1 {
      c[0] = sumOneColumn(a)
      return
    }
    let end = a + order.rows &* columns
    var j = 0
    while j &+ 2 &* laneCount <= columns {
      let sums = sumLanes(a + j, isDouble: true, before: nil)
      store(sums.0, c + j)
      store(sums.1, c + j + laneCount)
      j &+= 2 &* laneCount
    }
    while j < columns {
      let sums = sumLanes(a + j, isDouble: false, before: end)
      store(sums.0, c + j, first: min(laneCount, columns &- j))
      j &+= laneCount
    }
  }

  /// Sums 16 neighbouring columns, or 32; with an end, fewer may exist, and nothing is read from it on.
  private func sumLanes(
    _ a: UnsafePointer<Float>, isDouble: Bool, before end: UnsafePointer<Float>?
  ) -> (Lanes, Lanes) {
    var (row, top) = (a, waiting)
    for leaf in order.leaves {
      let rows = Int(leaf.rows)
      var sums =
        isDouble
        ? Reduction.treeSum2(row, stride: columns, rows: rows)
        : (
          Reduction.treeSum(row, stride: columns, rows: rows, before: end), Lanes(repeating: 0)
        )
      for _ in 0..<leaf.additions {
        top -= 2
        sums = (top[0] + sums.0, top[1] + sums.1)
      }
      (top[0], top[1]) = sums
      top += 2
      row += rows &* columns
    }
    return (waiting[0], waiting[1])
  }

  private func sumOneColumn(_ a: UnsafePointer<Float>) -> Float {
    var (row, top) = (a, waiting)
    for leaf in order.leaves {
      var sum = orderedSum(Elements(a: row), count: Int(leaf.rows))
      for _ in 0..<leaf.additions {
        top -= 1
        sum = top[0][0] + sum
      }
      top[0] = Lanes(repeating: sum)
      top += 1
      row += Int(leaf.rows)
    }
    return waiting[0][0]
  }
}

// Sums of flat vectors, and over their elements.

import Numerics
import Tensors

/// Kernels over flat vectors of gradients and parameters.
///
/// Sums over elements go by blocks that lie fixed in the whole vector and a fixed tree over the
/// blocks, so that ranks may share the blocks out without changing a bit.
public enum FlatSum {
  /// The elements of a block.
  public static let blockLength = FlatLayout.blockLength

  /// Adds `b` to `a`: the left child of a node of the sum plus the right.
  public static func add(
    _ a: UnsafeMutablePointer<Float>, _ b: UnsafePointer<Float>, count: Int
  ) {
    forEachLanes(a, b, into: a, count: count) { $0 + $1 }
  }

  /// Returns the sum of the squares of one block, in `Double`.
  ///
  /// Eight lanes add every eighth element in order; the lanes are added in halves.
  ///
  /// - Parameters:
  ///   - a: The first element of the block, whose index in the flat vector is a multiple of
  ///     ``blockLength``.
  ///   - count: The elements of the block: fewer than ``blockLength`` only in the last.
  /// - Returns: The sum of their squares.
  public static func sumOfSquares(ofBlock a: UnsafePointer<Float>, count: Int) -> Double {
    precondition(count <= blockLength, "block of \(count) elements")
    var sum = SquareSum()
    var i = 0
    while i &+ laneCount <= count {
      sum.add(load(a + i))
      i &+= laneCount
    }
    if i < count { sum.add(load(a + i, first: count &- i)) }
    return sum.value
  }

  /// Returns true if no element is infinite or not a number.
  ///
  /// - Complexity: one pass; stops at the block that holds the first.
  public static func isFinite(_ a: UnsafePointer<Float>, count: Int) -> Bool {
    let zero = Lanes(repeating: 0)
    var i = 0
    while i < count {
      let end = min(i &+ blockLength, count)
      // x · 0 is zero for finite x and NaN otherwise, and NaN stays in a sum.
      var probe = zero
      while i &+ laneCount <= end {
        probe = probe + load(a + i) * zero
        i &+= laneCount
      }
      if i < end { probe = probe + load(a + i, first: end &- i) * zero }
      i = end
      if laneSum(probe) != 0 { return false }
    }
    return true
  }
}

/// A sum of squares in `Double`: eight lanes add every eighth element in order and are then added in
/// halves.
struct SquareSum {
  private var lanes = SIMD8<Double>(repeating: 0)

  @inline(__always) mutating func add(_ x: Lanes) {
    let (low, high) = (SIMD8<Double>(x.lowHalf), SIMD8<Double>(x.highHalf))
    lanes = (lanes + low * low) + high * high
  }

  var value: Double {
    let four = lanes.lowHalf + lanes.highHalf
    let two = four.lowHalf + four.highHalf
    return two[0] + two[1]
  }
}

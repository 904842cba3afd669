// The fixed order in which the sums of blocks are added.

/// Returns the sum of one value per block in the tree of neighbors: left plus right, an odd one passed on.
///
/// - Complexity: O(count); allocates nothing.
public func neighborTreeSum(_ values: UnsafePointer<Double>, count: Int) -> Double {
  guard count > 1 else { return count == 1 ? values[0] : 0 }
  // The largest power of two below the count.
  let left = 1 &<< (Int.bitWidth &- 1 &- (count &- 1).leadingZeroBitCount)
  return neighborTreeSum(values, count: left)
    + neighborTreeSum(values + left, count: count &- left)
}

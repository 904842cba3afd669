// The order in which sums over microbatches are added.

import CProducts

/// Consecutive microbatches, and the tree in which what is summed over the rows of each is added up.
///
/// In postfix form: after the sum of a microbatch, the two last sums are added, the left one first, as often
/// as its additions say. Eight microbatches in a full tree have additions 0, 1, 0, 2, 0, 1, 0, 3.
struct SumOrder {
  /// The microbatches.
  let leaves: UnsafeMutableBufferPointer<cproducts_leaf>
  /// The rows of all.
  let rows: Int
  /// The most sums that wait at once.
  let depth: Int

  /// Checks and copies an order; the owner deallocates it.
  init(rowCounts: [Int], additions: [Int]) {
    precondition(
      rowCounts.count == additions.count && !rowCounts.isEmpty,
      "\(rowCounts.count) microbatches but \(additions.count) numbers of additions")
    leaves = .allocate(capacity: rowCounts.count)
    var (rows, waiting, depth) = (0, 0, 0)
    for (index, (count, added)) in zip(rowCounts, additions).enumerated() {
      precondition(count > 0, "microbatch \(index) has \(count) rows")
      precondition(
        added >= 0 && added <= waiting, "microbatch \(index) has \(added) additions of \(waiting)")
      leaves.initializeElement(
        at: index, to: cproducts_leaf(rows: CInt(count), additions: CInt(added)))
      rows += count
      waiting += 1 - added
      depth = max(depth, waiting)
    }
    precondition(waiting == 1, "the microbatches end in \(waiting) sums, not in one")
    self.rows = rows
    self.depth = depth
  }

  func deallocate() { leaves.deallocate() }
}

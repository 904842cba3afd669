/// The one order in which the terms of a step are added: a binary tree over the microbatches.
///
/// Node (k, i) covers the leaves i·2^k ..< (i+1)·2^k and is node (k−1, 2i) plus node (k−1, 2i+1). An
/// absent child passes its sibling on; an absent leaf is not a zero. Ranks and workers only decide
/// who computes which part of the tree.
package struct SumTree: Hashable, Sendable {
  /// A node of the tree.
  package struct Node: Hashable, Sendable {
    /// The height: 0 for a leaf.
    package let level: Int
    /// The position among the nodes of that height.
    package let index: Int

    /// The leaves below the node.
    package var leaves: Range<Int> { index << level..<(index + 1) << level }
    /// The node of the first half of the leaves.
    package var left: Node { Node(level: level - 1, index: 2 * index) }
    /// The node of the second half.
    package var right: Node { Node(level: level - 1, index: 2 * index + 1) }
  }

  /// A step of a sum: the value in slot `target` becomes itself plus the value in `source`.
  package struct Addition: Hashable, Sendable {
    /// The slot of the left operand and of the result.
    package let target: Int
    /// The slot of the right operand.
    package let source: Int
  }

  /// For each leaf, true if there is such a term.
  package let isPresent: [Bool]

  /// Creates the tree over `isPresent.count` leaves.
  package init(isPresent: [Bool]) {
    precondition(!isPresent.isEmpty, "a sum of no terms")
    self.isPresent = isPresent
  }

  /// Creates the tree over the microbatches of a cut; the empty ones are absent.
  package init(_ cut: MicrobatchCut) {
    self.init(isPresent: (0..<cut.count).map { !cut[$0].isEmpty })
  }

  /// The node that covers all leaves.
  package var root: Node {
    var level = 0
    while 1 << level < isPresent.count { level += 1 }
    return Node(level: level, index: 0)
  }

  /// Returns true if any leaf below `node` is present.
  package func contains(_ node: Node) -> Bool {
    let leaves = node.leaves.clamped(to: 0..<isPresent.count)
    return isPresent[leaves].contains(true)
  }

  /// The largest nodes that lie in a range of leaves, in order, without those that are absent.
  ///
  /// Together they cover what is present in the range. Beyond the last leaf there is nothing, so a
  /// range up to the last leaf also holds nodes that reach further.
  ///
  /// - Complexity: O(leaves); at most 2 · log₂ of the number of leaves are returned.
  package func maximalNodes(in range: Range<Int>) -> [Node] {
    var found: [Node] = []
    func visit(_ node: Node) {
      let leaves = node.leaves.clamped(to: 0..<isPresent.count)
      guard leaves.overlaps(range), contains(node) else { return }
      if range.lowerBound <= leaves.lowerBound, leaves.upperBound <= range.upperBound {
        found.append(node)
      } else {
        visit(node.left)
        visit(node.right)
      }
    }
    visit(root)
    return found
  }

  /// The additions of the leaves below a node, as they come one after another.
  ///
  /// - Returns: For each leaf that is present, the number of times that the last two sums that are there are
  ///   added once its term is there: left plus right.
  package func additions(below node: Node) -> [Int] {
    guard contains(node) else { return [] }
    guard node.level > 0 else { return [0] }
    let left = additions(below: node.left)
    var additions = left + self.additions(below: node.right)
    if !left.isEmpty, additions.count > left.count { additions[additions.count - 1] += 1 }
    return additions
  }

  /// The additions that make the sum of `target` from the sums of nodes below it.
  ///
  /// - Parameters:
  ///   - target: The node whose sum is wanted.
  ///   - slots: Nodes that together cover what is present below `target`, and the slots of their sums.
  /// - Returns: The additions, and the slot where the sum ends; none if nothing is present.
  package func fold(
    to target: Node, from slots: [Node: Int]
  ) -> (additions: [Addition], slot: Int?) {
    var additions: [Addition] = []
    func visit(_ node: Node) -> Int? {
      guard contains(node) else { return nil }
      if let slot = slots[node] { return slot }
      precondition(node.level > 0, "no sum covers leaf \(node.index)")
      switch (visit(node.left), visit(node.right)) {
      case (let left?, let right?):
        additions.append(Addition(target: left, source: right))
        return left
      case (let left, let right): return left ?? right
      }
    }
    let slot = visit(target)
    return (additions, slot)
  }

  /// Returns the sum of plain terms, in the order of the tree.
  ///
  /// - Parameter terms: One per leaf; those of absent leaves are not read.
  /// - Returns: The sum, zero if nothing is present.
  /// - Complexity: O(leaves); no allocation.
  package func sum<Term: AdditiveArithmetic>(
    _ terms: UnsafeBufferPointer<Term>
  ) -> Term {
    precondition(
      terms.count == isPresent.count, "\(terms.count) terms for \(isPresent.count) leaves")
    func sum(_ leaves: Range<Int>) -> Term? {
      if leaves.count == 1 {
        let leaf = leaves.lowerBound
        return leaf < isPresent.count && isPresent[leaf] ? terms[leaf] : nil
      }
      guard leaves.lowerBound < isPresent.count else { return nil }
      let middle = leaves.lowerBound + leaves.count / 2
      switch (sum(leaves.lowerBound..<middle), sum(middle..<leaves.upperBound)) {
      case (let left?, let right?): return left + right
      case (let left, let right): return left ?? right
      }
    }
    return sum(root.leaves) ?? .zero
  }
}

import Tensors

/// The places of values in an arena, where values that are never alive together share memory.
///
/// Greedy by size: the largest value first, each at the lowest offset where it meets no value that
/// is alive at the same time. Source of the heuristic: Pisarchyk and Lee, *Efficient Memory Management
/// for Deep Neural Net Inference* (2020), https://arxiv.org/abs/2001.03288, section 5.
package struct MemoryPlan {
  /// A value that needs memory.
  package struct Value {
    /// Its number of elements.
    package let count: Int
    /// The first step that writes it.
    package var first: Int
    /// The last step that reads it.
    package var last: Int

    package init(count: Int, first: Int, last: Int) {
      self.count = count
      self.first = first
      self.last = last
    }
  }

  /// Elements between possible starts of values: a cache line.
  package static let alignment = 16

  /// The least multiple of ``alignment`` that holds so many elements.
  package static func rounded(_ count: Int) -> Int {
    count.rounded(upToMultipleOf: alignment)
  }

  /// The first element of each value.
  package let offsets: [Int]
  /// The elements that the arena must hold.
  package let count: Int

  /// Places `values`.
  ///
  /// - Complexity: O(n²) for n values.
  package init(_ values: [Value]) {
    var offsets = Array(repeating: 0, count: values.count)
    var placed: [Int] = []  // By offset.
    var total = 0
    let bySize = values.indices.sorted { (values[$1].count, $0) < (values[$0].count, $1) }
    for index in bySize {
      let value = values[index]
      var offset = 0
      for other in placed
      where values[other].first <= value.last && value.first <= values[other].last {
        if offset + value.count <= offsets[other] { break }
        offset = max(offset, offsets[other] + MemoryPlan.rounded(values[other].count))
      }
      offsets[index] = offset
      total = max(total, offset + MemoryPlan.rounded(value.count))
      placed.insert(index, at: placed.firstIndex { offsets[$0] > offset } ?? placed.endIndex)
    }
    self.offsets = offsets
    count = total
  }
}

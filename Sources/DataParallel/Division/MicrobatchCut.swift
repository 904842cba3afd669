/// The cut of the rows of one step into microbatches.
///
/// Microbatch j of a batch of n rows holds rows ⌊jn/M⌋ ..< ⌊(j+1)n/M⌋: a function of n, M and j alone,
/// whatever computes it. With fewer rows than microbatches some are empty.
package struct MicrobatchCut: Hashable, Sendable {
  /// The number of rows of the step.
  package let rowCount: Int
  /// The number of microbatches, M.
  package let count: Int

  /// Creates the cut of `rowCount` rows into `count` microbatches.
  package init(rowCount: Int, count: Int) {
    precondition(rowCount >= 0 && count > 0, "\(rowCount) rows in \(count) microbatches")
    self.rowCount = rowCount
    self.count = count
  }

  /// The rows of microbatch `index`, counted from the first row of the batch.
  package subscript(index: Int) -> Range<Int> {
    start(of: index)..<start(of: index + 1)
  }

  /// The numbers of rows that occur, without 0, in rising order; at most two.
  package var sizes: [Int] {
    let floor = rowCount / count
    let sizes = rowCount % count == 0 ? [floor] : [floor, floor + 1]
    return sizes.filter { $0 > 0 }
  }

  private func start(of index: Int) -> Int {
    // In two parts, so that no product overflows.
    let (quotient, remainder) = rowCount.quotientAndRemainder(dividingBy: count)
    return index * quotient + index * remainder / count
  }
}

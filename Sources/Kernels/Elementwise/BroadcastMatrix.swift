// Two operands of a matrix that broadcast.

/// The elements of a matrix, each made from one element of either operand.
package struct BroadcastMatrix: Sendable {
  /// The number of rows.
  package let rows: Int
  /// The number of columns.
  package let columns: Int
  /// The elements that the first operand advances from row to row; 0 where its row is repeated.
  package let aStride: Int
  /// The elements that the second operand advances from row to row.
  package let bStride: Int
  /// Indicates that the first operand has one element for a whole row.
  package let aIsColumn: Bool
  /// Indicates that the second operand has one element for a whole row.
  package let bIsColumn: Bool

  /// Describes a matrix; not both operands are columns.
  package init(
    rows: Int, columns: Int, aStride: Int, bStride: Int, aIsColumn: Bool, bIsColumn: Bool
  ) {
    precondition(!aIsColumn || !bIsColumn, "a row in which both operands repeat")
    (self.rows, self.columns) = (rows, columns)
    (self.aStride, self.bStride) = (aStride, bStride)
    (self.aIsColumn, self.bIsColumn) = (aIsColumn, bIsColumn)
  }

  /// Indicates that the second operand is one row, beside a matrix of as many elements as the result has.
  package var repeatsRow: Bool { aStride == columns && bStride == 0 && !bIsColumn }
}

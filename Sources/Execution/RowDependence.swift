// Derives the dependence of a node on the rows of its operands: the same for every number of rows.
import Graphs

extension Graph {
  /// Returns how the value of a computed node depends on the rows of its operands.
  func rowDependence(of node: Node) -> RowDependence {
    let record = self[node]
    let operands = record.inputs.map { shape(of: $0) }
    guard operands.allSatisfy({ $0.isFixed || $0.hasRows }) else { return .byMicrobatch }
    guard !record.shape.isFixed else {
      let haveRows = operands.contains { !$0.isFixed }
      return haveRows && record.operation.sumsRows ? .sumOverRows : .byMicrobatch
    }
    guard record.shape.hasRows else { return .byMicrobatch }
    return record.operation.keepsRowsApart(operands, record.shape) ? .rowByRow : .byMicrobatch
  }
}

extension SymbolicShape {
  /// True if rows lie along the first axis, and along no other.
  var hasRows: Bool { extents.first == .batch && batchAxisCount == 1 }
}

extension Graph {
  /// Checks what every graph must hold, and stops the program with a message where it does not.
  ///
  /// Inputs come before their users; every shape is what the shape rule says; class numbers stand where
  /// they belong; every leaf has a name of its own. A fault is a fault of ours, so it is not thrown. Run between passes.
  ///
  /// - Complexity: O(nodes).
  public func verify() {
    var names: Set<String> = []
    for (index, record) in records.enumerated() {
      let label = record.operation.label
      precondition(
        record.inputs.allSatisfy { $0.index >= 0 && $0.index < index },
        "node \(index) (\(label)) uses a node that is not before it")
      switch record.operation {
      case .data, .labels, .parameter:
        precondition(record.name != nil, "node \(index) (\(label)) has no name")
        precondition(
          names.insert(record.name ?? "").inserted, "two leaves named '\(record.name ?? "")'")
      case .constant(let values):
        precondition(
          record.shape.isFixed && record.shape.fixedCount == values.count,
          "node \(index) (\(label)): \(values.count) values for shape \(record.shape)")
      case .fill:
        break
      case .dropoutMask:
        precondition(record.shape.axisCount > 0, "node \(index) (\(label)) has no rows")
      default:
        let rule = record.operation.rule
        precondition(
          record.inputs.count == rule.inputCount,
          "node \(index) (\(label)) has \(record.inputs.count) inputs")
        let fault = labelFault(record.operation, record.inputs)
        precondition(fault == nil, "node \(index) (\(label)): \(fault ?? "")")
        let shape = try? rule.shape(record.inputs.map { records[$0.index].shape })
        precondition(
          shape == record.shape,
          "node \(index) (\(label)) has shape \(record.shape), its rule says otherwise")
      }
    }
  }
}

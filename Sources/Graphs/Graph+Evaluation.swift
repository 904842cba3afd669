// The interpreter: any graph in double precision, one node after another.
public import Numerics
public import Tensors

extension Graph {
  /// Returns the values of `nodes`, computed in double precision.
  ///
  /// The naive reading of the graph, made to be checked against and not to be fast.
  ///
  /// - Parameters:
  ///   - nodes: The nodes to evaluate.
  ///   - values: A value for each data, label and parameter node that they depend on, by name.
  ///   - batch: The rows computed at once; without it, the extent that the values agree on.
  ///   - draws: The seed, step and rows of random numbers.
  /// - Returns: One tensor per node.
  /// - Throws: ``GraphError`` if a value is missing or has another shape, or a label is no class.
  /// - Complexity: O(nodes) tensors in memory.
  public func evaluate(
    _ nodes: [Node], with values: [String: Tensor], batch: Int? = nil, draws: Draws = Draws()
  ) throws(GraphError) -> [Tensor] {
    var computed: [Tensor?] = Array(repeating: nil, count: count)
    try evaluate(
      isNeeded(for: nodes), with: values, batch: batch ?? self.batch(of: values) ?? 1, draws: draws,
      into: &computed)
    return nodes.compactMap { computed[$0.index] }
  }

  /// Computes the nodes that are needed and not there yet.
  func evaluate(
    _ isNeeded: [Bool], with values: [String: Tensor], batch: Int, draws: Draws = Draws(),
    into computed: inout [Tensor?]
  ) throws(GraphError) {
    for index in 0..<count where isNeeded[index] && computed[index] == nil {
      let record = records[index]
      let shape = record.shape.resolved(batch: batch)
      switch record.operation {
      case .data, .labels, .parameter:
        let name = record.name ?? ""
        guard let value = values[name] else { throw .missingValue(name) }
        guard value.shape == shape else {
          throw .valueShape(name, found: "\(value.shape)", expected: "\(shape)")
        }
        computed[index] = value
      case .dropoutMask(let mask):
        computed[index] = mask.evaluate(shape, draws)
      default:
        let inputs = record.inputs.compactMap { computed[$0.index] }
        do {
          computed[index] = try record.operation.rule.evaluate(inputs, shape: shape, batch: batch)
        } catch {
          throw named(error, in: record)
        }
      }
    }
  }

  /// For each node, whether one of `nodes` depends on it.
  package func isNeeded(for nodes: [Node]) -> [Bool] {
    var isNeeded = Array(repeating: false, count: count)
    for node in nodes { isNeeded[node.index] = true }
    for index in stride(from: count - 1, through: 0, by: -1) where isNeeded[index] {
      for input in records[index].inputs { isNeeded[input.index] = true }
    }
    return isNeeded
  }

  /// The error with the name of the node whose numbers it is about.
  private func named(_ error: GraphError, in record: Record) -> GraphError {
    guard case .label(_, let row, let found, let classes) = error,
      let node = record.inputs.lazy.compactMap(labels(behind:)).first ?? record.inputs.last
    else { return error }
    return .label(self[node].name ?? record.layer ?? "", row: row, found: found, classes: classes)
  }

  /// The batch extent of the first leaf that has one and is given.
  func batch(of values: [String: Tensor]) -> Int? {
    for record in records where record.inputs.isEmpty {
      guard let name = record.name, let value = values[name],
        let axis = record.shape.extents.firstIndex(of: .batch), axis < value.shape.axisCount
      else { continue }
      return value.shape[axis]
    }
    return nil
  }
}

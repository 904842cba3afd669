// The folding of known numbers, so that gradients read as people write them.
import Graphs

extension Graph {
  /// Returns the graph with operations on repeated numbers carried out, from some node on.
  ///
  /// A scale, reshape or repetition of one number is one number, and a product with one is a scale.
  /// Unlike ``Graphs/Graph/simplified(keeping:)`` this may change the last bit of a value in `Float`.
  ///
  /// - Parameters:
  ///   - first: The nodes before this one stay as they are.
  ///   - kept: The nodes whose values are wanted.
  /// - Returns: The graph, and where each node of `kept` is in it.
  /// - Complexity: O(nodes).
  func folded(from first: Int, keeping kept: [Node]) -> (graph: Graph, kept: [Node]) {
    var result = Graph()
    var moved: [Node] = []
    for node in nodes {
      let record = self[node]
      let inputs = record.inputs.map { moved[$0.index] }
      var operation = record.operation
      var operands = inputs
      if node.index >= first {
        if let value = result.number(operation, inputs) {
          (operation, operands) = (.fill(value), [])
        } else if operation == .multiply,
          let (factor, other) = result.factor(inputs, shape: record.shape)
        {
          guard factor != 1 else {
            moved.append(other)
            continue
          }
          (operation, operands) = (.scale(Factor(factor)), [other])
        }
      }
      moved.append(
        result.append(
          Record(
            operation: operation, inputs: operands, shape: record.shape, name: record.name,
            layer: record.layer)))
    }
    return (result, kept.map { moved[$0.index] })
  }

  /// The number that all elements of an operation on one repeated number are.
  private func number(_ operation: Operation, _ inputs: [Node]) -> Double? {
    guard let input = inputs.first, inputs.count == 1, case .fill(let value) = self[input].operation
    else { return nil }
    return switch operation {
    case .scale(let factor) where factor.batchPower == 0: factor.value * value
    case .reshape, .broadcast: value
    default: nil
    }
  }

  /// The number and the other operand of a product that has the other operand's shape.
  private func factor(_ inputs: [Node], shape: SymbolicShape) -> (Double, Node)? {
    for (number, other) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])]
    where self.shape(of: other) == shape {
      if case .fill(let value) = self[number].operation { return (value, other) }
    }
    return nil
  }
}

// One order for graphs that compute the same in the same way.

extension Graph {
  /// Returns the nodes that `kept` depends on, equal ones as one, in the order that a walk from
  /// `kept` finishes with them.
  ///
  /// Operands come before their users, first operands first. Names of nodes that are not leaves and
  /// layers are left out: two graphs that write the same computation are equal afterwards.
  ///
  /// - Parameter kept: The nodes whose values are wanted.
  /// - Returns: The graph, and where each node of `kept` is in it.
  /// - Complexity: O(nodes), without recursion.
  public func canonical(keeping kept: [Node]) -> (graph: Graph, kept: [Node]) {
    var result = Graph()
    var moved: [Node?] = Array(repeating: nil, count: count)
    var known: [NodeValue: Node] = [:]
    var open: [(node: Node, next: Int)] = []
    for start in kept {
      if moved[start.index] == nil { open.append((start, 0)) }
      while let (node, next) = open.last {
        let record = records[node.index]
        if next < record.inputs.count {
          open[open.count - 1].next += 1
          let input = record.inputs[next]
          if moved[input.index] == nil { open.append((input, 0)) }
          continue
        }
        open.removeLast()
        let isLeaf =
          switch record.operation {
          case .data, .labels, .parameter: true
          default: false
          }
        let candidate = Record(
          operation: record.operation, inputs: record.inputs.compactMap { moved[$0.index] },
          shape: record.shape, name: isLeaf ? record.name : nil, layer: nil)
        let key = NodeValue(candidate)
        let position = known[key] ?? result.append(candidate)
        known[key] = position
        moved[node.index] = position
      }
    }
    return (result, kept.compactMap { moved[$0.index] })
  }

  /// Returns true if both graphs have the same nodes, bit for bit, in the same order.
  ///
  /// - Complexity: O(nodes).
  public func isIdentical(to other: Graph) -> Bool {
    records.count == other.records.count
      && zip(records, other.records).allSatisfy { NodeValue($0) == NodeValue($1) }
  }
}

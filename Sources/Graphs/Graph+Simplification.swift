// A smaller graph with the same values.

extension Graph {
  /// Returns a graph that computes the same values with fewer nodes.
  ///
  /// Nodes that nothing kept depends on are left out, equal nodes become one, and neutral elements
  /// (a product with ones, a scale by one) are dropped. Sums are not reordered and nothing is
  /// factored out, so every kept value has the same bits as before; a sum with zeros stays, since it
  /// turns −0 into 0.
  ///
  /// - Parameter kept: The nodes whose values are wanted.
  /// - Returns: The graph, and where each node of `kept` is in it.
  /// - Complexity: O(nodes).
  public func simplified(keeping kept: [Node]) -> (graph: Graph, kept: [Node]) {
    let isNeeded = self.isNeeded(for: kept)
    var result = Graph()
    var moved: [Node] = []
    var known: [NodeValue: Node] = [:]
    for index in 0..<count {
      let record = records[index]
      let isLeaf = record.inputs.isEmpty && record.name != nil
      // Leaves stay, used or not: they are the signature of the graph.
      guard isNeeded[index] || isLeaf else {
        moved.append(Node(index: -1))
        continue
      }
      let candidate = Record(
        operation: record.operation, inputs: record.inputs.map { moved[$0.index] },
        shape: record.shape, name: record.name, layer: record.layer)
      if let same = result.equivalent(of: candidate) {
        moved.append(same)
        continue
      }
      // Equal values are one node, whatever layer asked for them.
      let key = NodeValue(candidate)
      if let same = known[key] {
        moved.append(same)
      } else {
        let node = result.append(candidate)
        known[key] = node
        moved.append(node)
      }
    }
    return (result, kept.map { moved[$0.index] })
  }

  /// An operand that has the value of `record` already, by a rule of algebra that holds in bits.
  private func equivalent(of record: Record) -> Node? {
    func isFill(_ node: Node, _ value: Double) -> Bool {
      guard case .fill(let found) = self[node].operation else { return false }
      return found.bitPattern == value.bitPattern
    }
    func fits(_ node: Node) -> Bool { shape(of: node) == record.shape }
    switch record.operation {
    case .multiply:
      for (neutral, other) in [(0, 1), (1, 0)]
      where isFill(record.inputs[neutral], 1) && fits(record.inputs[other]) {
        return record.inputs[other]
      }
    case .divide where isFill(record.inputs[1], 1) && fits(record.inputs[0]):
      return record.inputs[0]
    case .subtract where isFill(record.inputs[1], 0) && fits(record.inputs[0]):
      return record.inputs[0]
    case .scale(Factor(1)):
      return record.inputs[0]
    case .reshape, .broadcast:
      if fits(record.inputs[0]) { return record.inputs[0] }
    default:
      break
    }
    return nil
  }
}

/// The key of a node's value: all of its record but the layer, with 0 and −0 told apart.
struct NodeValue: Hashable {
  private let record: Graph.Record
  private let bits: [UInt64]

  init(_ record: Graph.Record) {
    self.record = Graph.Record(
      operation: record.operation, inputs: record.inputs, shape: record.shape, name: record.name,
      layer: nil)
    bits =
      switch record.operation {
      case .constant(let values): values.map(\.bitPattern)
      case .fill(let value): [value.bitPattern]
      case .scale(let factor): [factor.value.bitPattern]
      default: []
      }
  }
}

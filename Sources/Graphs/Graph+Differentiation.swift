// Reverse-mode differentiation, from graph to graph.

extension Graph {
  /// Adds the nodes of the gradient of the sum of all elements of `output`.
  ///
  /// The result is made of ordinary nodes: it can be evaluated, drawn, simplified, compiled and
  /// differentiated again. Where `output` does not depend on a target the gradient is zeros, and so
  /// it is for class numbers.
  ///
  /// - Parameters:
  ///   - output: A node of any shape; a loss per row, shape `[batch]`, for training.
  ///   - targets: The nodes to differentiate with respect to.
  /// - Returns: One node per target, of the shape of that target.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` for second derivatives of a
  ///   cross-entropy whose number of classes is the batch extent.
  /// - Complexity: O(nodes); a few nodes are added per node between targets and output.
  public mutating func gradient(
    of output: Node, withRespectTo targets: [Node]
  ) throws(GraphError) -> [Node] {
    try gradient(
      of: output, cotangent: fill(1, shape: shape(of: output)), withRespectTo: targets)
  }

  /// Adds the nodes of the vector–Jacobian products of `cotangent` with the Jacobians of `output`.
  ///
  /// - Parameters:
  ///   - output: A node of any shape.
  ///   - cotangent: A node of the same shape.
  ///   - targets: The nodes to differentiate with respect to.
  /// - Returns: One node per target, of the shape of that target.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the cotangent has another shape,
  ///   and where the form without cotangent throws.
  /// - Complexity: O(nodes).
  public mutating func gradient(
    of output: Node, cotangent: Node, withRespectTo targets: [Node]
  ) throws(GraphError) -> [Node] {
    guard shape(of: cotangent) == shape(of: output) else {
      throw .operands(
        operation: "gradient", name: self[output].name,
        fault: "cotangent has shape \(shape(of: cotangent)), expected \(shape(of: output))")
    }
    let depends = dependence(on: targets, upTo: output)
    var cotangents: [Node: Node] = [output: cotangent]
    for index in stride(from: output.index, through: 0, by: -1) where depends[index] {
      let node = Node(index: index)
      let record = self[node]
      guard let cotangent = cotangents[node], !record.inputs.isEmpty else { continue }
      let rule = record.operation.rule
      let isWanted = record.inputs.indices.map {
        depends[record.inputs[$0].index] && !rule.takesLabels(operand: $0)
      }
      guard isWanted.contains(true) else { continue }
      // What is added for a node belongs to the node's layer.
      let outer = layer
      layer = record.layer
      defer { layer = outer }
      let products = try rule.vjp(
        VJPCall(node: node, inputs: record.inputs, cotangent: cotangent, isWanted: isWanted),
        in: &self)
      for (input, product) in zip(record.inputs, products) where depends[input.index] {
        guard let product else { continue }
        // The sum over all that use a value belongs to the layer that the value is of.
        layer = self[input].layer ?? record.layer
        cotangents[input] =
          if let sum = cotangents[input] { try add(.add, [sum, product]) } else { product }
      }
    }
    var gradients: [Node] = []
    for target in targets {
      gradients.append(cotangents[target] ?? fill(0, shape: shape(of: target)))
    }
    return gradients
  }

  /// For each node up to `last`, whether its value depends on one of `targets`.
  private func dependence(on targets: [Node], upTo last: Node) -> [Bool] {
    var depends = Array(repeating: false, count: last.index + 1)
    for target in targets where target.index <= last.index { depends[target.index] = true }
    for index in depends.indices where !depends[index] {
      depends[index] = records[index].inputs.contains { depends[$0.index] }
    }
    return depends
  }
}

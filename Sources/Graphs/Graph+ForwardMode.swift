// Forward-mode differentiation, from graph to graph: a second way to derivatives, with rules of its own.

extension Graph {
  /// Adds the nodes of the Jacobian–vector product: how `output` moves when leaves move.
  ///
  /// `J·v` for the Jacobian `J` of `output` with respect to the nodes that move and their directions `v`.
  /// Nothing of the rules of reverse mode is used, so that ⟨J·v, u⟩ = ⟨v, Jᵀ·u⟩ checks both.
  ///
  /// - Parameters:
  ///   - output: A node of any shape.
  ///   - directions: For each node that moves, a node of its shape.
  /// - Returns: A node of the shape of `output`; zeros where it does not depend on what moves.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if a direction has another shape, and for a
  ///   cross-entropy whose number of classes is the batch extent.
  /// - Complexity: O(nodes); a few nodes are added per node that depends on what moves.
  public mutating func jacobianVectorProduct(
    of output: Node, along directions: [Node: Node]
  ) throws(GraphError) -> Node {
    var tangents: [Node: Node] = [:]
    for (node, direction) in directions {
      guard shape(of: direction) == shape(of: node) else {
        throw .operands(
          operation: "Jacobian–vector product", name: self[node].name,
          fault: "direction has shape \(shape(of: direction)), expected \(shape(of: node))")
      }
      tangents[node] = direction
    }
    for index in 0...output.index {
      let node = Node(index: index)
      let record = self[node]
      let inputs = record.inputs.map { tangents[$0] }
      guard tangents[node] == nil, inputs.contains(where: { $0 != nil }) else { continue }
      let call = JVPCall(
        node: node, operation: record.operation, inputs: record.inputs, tangents: inputs)
      tangents[node] = try record.operation.rule.jvp(call, in: &self)
    }
    return tangents[output] ?? fill(0, shape: shape(of: output))
  }
}

// MARK: What the rules are made of.

extension Graph {
  /// The tangent of an operation that is linear in its first operand alone: the operation itself.
  mutating func linear(_ call: JVPCall) throws(GraphError) -> Node? {
    guard let tangent = call.tangent else { return nil }
    return try add(call.operation, [tangent] + call.inputs.dropFirst())
  }

  /// The product of a tangent and a factor.
  mutating func product(_ tangent: Node?, _ factor: Node) throws(GraphError) -> Node? {
    guard let tangent else { return nil }
    return try add(.multiply, [tangent, factor])
  }

  /// The quotient of a tangent and a divisor.
  mutating func quotient(_ tangent: Node?, _ divisor: Node) throws(GraphError) -> Node? {
    guard let tangent else { return nil }
    return try add(.divide, [tangent, divisor])
  }

  /// A tangent times a number.
  mutating func scaled(_ tangent: Node?, by factor: Double) throws(GraphError) -> Node? {
    guard let tangent else { return nil }
    return try scale(tangent, by: factor)
  }

  /// The sum of what there is, repeated to a shape.
  mutating func sum(
    _ a: Node?, _ b: Node?, shape: SymbolicShape
  ) throws(GraphError) -> Node? {
    let sum: Node
    switch (a, b) {
    case (nil, nil): return nil
    case (let a?, nil): sum = a
    case (nil, let b?): sum = b
    case (let a?, let b?): sum = try add(.add, [a, b])
    }
    return self.shape(of: sum) == shape ? sum : try add(.broadcast(shape), [sum])
  }

  /// `Σⱼ wⱼ tⱼ` along the last axis, which is dropped.
  mutating func mean(of tangent: Node?, weights: Node) throws(GraphError) -> Node? {
    guard let weighted = try product(tangent, weights) else { return nil }
    return try add(.sum(axes: [shape(of: weights).axisCount - 1]), [weighted])
  }

  /// `t − Σⱼ wⱼ tⱼ` along the last axis.
  mutating func centered(_ tangent: Node?, weights: Node) throws(GraphError) -> Node? {
    guard let tangent, let mean = try mean(of: tangent, weights: weights) else { return nil }
    let shape = shape(of: weights)
    let column = shape.flattening(axes: [shape.axisCount - 1])
    return try add(.subtract, [tangent, reshape(mean, to: column)])
  }

  /// `softmax(z) − oneHot(label)`.
  mutating func residual(logits: Node, labels: Node) throws(GraphError) -> Node {
    guard case .fixed(let classes) = shape(of: logits)[1] else {
      throw .operands(
        operation: "softmax cross-entropy", name: nil,
        fault: "the number of classes is not fixed")
    }
    return try add(
      .subtract, [add(.softmax, [logits]), add(.oneHot(classes: classes), [labels])])
  }
}

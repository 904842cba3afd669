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
      tangents[node] = try tangent(of: node, record, inputs)
    }
    return tangents[output] ?? fill(0, shape: shape(of: output))
  }

  /// The rule of each operation: its tangent from those of its operands, nil for zero.
  private mutating func tangent(
    of y: Node, _ record: Record, _ tangents: [Node?]
  ) throws(GraphError) -> Node? {
    let x = record.inputs
    let t = tangents.first ?? nil
    switch record.operation {
    case .data, .labels, .parameter, .constant, .fill, .dropoutMask, .sign, .oneHot: return nil
    // Linear in one operand: the operation itself.
    case .scale, .sum, .total, .mean, .reshape, .broadcast, .transpose, .permute, .slice, .pad,
      .averagePool, .averagePoolGradient:
      return try t.map { (t) throws(GraphError) in try add(record.operation, [t]) }
    case .gather, .embedding, .embeddingGradient:
      return try t.map { (t) throws(GraphError) in try add(record.operation, [t, x[1]]) }
    case .exp: return try product(t, y)
    case .log: return try quotient(t, x[0])
    case .expm1: return try product(t, add(.exp, x))
    case .log1p: return try quotient(t, oneMore(than: x[0]))
    case .softplus: return try product(t, sigmoid(x[0]))
    case .square: return try product(t, scale(x[0], by: 2))
    case .sigmoid: return try product(t, add(.subtract, [y, add(.square, [y])]))
    case .tanh:
      let one = fill(1, shape: shape(of: y))
      return try product(t, add(.subtract, [one, add(.square, [y])]))
    case .relu:
      return try t.map { (t) throws(GraphError) in try add(.reluGradient, [t, y]) }
    case .sqrt: return try quotient(t, scale(y, by: 2))
    case .abs: return try product(t, add(.sign, x))
    case .erf: return try product(t, erfSlope(x[0]))
    case .power(let exponent):
      return try product(t, scale(power(x[0], exponent - 1), by: exponent))
    case .cap(let limit):
      let room = try add(.subtract, [fill(limit, shape: shape(of: y)), x[0]])
      return try product(t, add(.sign, [add(.relu, [room])]))
    // Linear in each operand.
    case .add: return try sum(t, tangents[1], shape: record.shape)
    case .subtract: return try sum(t, scaled(tangents[1], by: -1), shape: record.shape)
    case .multiply:
      return try sum(product(t, x[1]), product(tangents[1], x[0]), shape: record.shape)
    case .matmul(let transposeLHS, let transposeRHS):
      func product(_ a: Node?, _ b: Node?) throws(GraphError) -> Node? {
        guard let a, let b else { return nil }
        return try matmul(a, b, transposingLHS: transposeLHS, transposingRHS: transposeRHS)
      }
      return try sum(product(t, x[1]), product(x[0], tangents[1]), shape: record.shape)
    case .convolution, .convolutionInputGradient, .convolutionWeightGradient:
      return try sum(
        t.map { (t) throws(GraphError) in try add(record.operation, [t, x[1]]) },
        tangents[1].map { (t) throws(GraphError) in try add(record.operation, [x[0], t]) },
        shape: record.shape)
    case .concatenate(let axis):
      let parts = zip(tangents, x).map { $0 ?? fill(0, shape: shape(of: $1)) }
      return try add(.concatenate(axis: axis), parts)
    // The places of maxima do not move.
    case .maxPool(let pooling):
      return try t.map { (t) throws(GraphError) in try add(.maxPoolSelection(pooling), [t, x[0]]) }
    case .maxPoolGradient, .maxPoolSelection:
      return try t.map { (t) throws(GraphError) in try add(record.operation, [t, x[1]]) }
    // Composed of other operations, whose rules apply.
    case .normalize(let normalization):
      return try tangentOfComposite(x, tangents) { (graph, operands) throws(GraphError) in
        try graph.composedNormalize(operands, normalization)
      }
    case .normalizeScaleGradient(let normalization):
      return try tangentOfComposite(x, tangents) { (graph, operands) throws(GraphError) in
        try graph.composedScaleGradient(operands[0], operands[1], normalization)
      }
    case .normalizeInputGradient(let normalization):
      return try tangentOfComposite(x, tangents) { (graph, operands) throws(GraphError) in
        try graph.composedInputGradient(operands, normalization)
      }
    case .moments(let normalization):
      return try tangentOfComposite(x, tangents) { (graph, operands) throws(GraphError) in
        try graph.composedMoments(operands[0], normalization)
      }
    case .variance(let axes):
      return try product(t, scale(centred(x[0], over: axes), by: 2)).map { (p) throws(GraphError) in
        try add(.mean(axes: axes), [p])
      }
    case .divide:
      let slope = try scaled(product(tangents[1], y), by: -1)
      return try quotient(sum(t, slope, shape: record.shape), x[1])
    case .maximum:
      let side = try add(.sign, [add(.subtract, x)])
      let one = fill(1, shape: shape(of: side))
      let first = try scale(add(.add, [one, side]), by: 0.5)
      let second = try scale(add(.subtract, [one, side]), by: 0.5)
      return try sum(product(t, first), product(tangents[1], second), shape: record.shape)
    // Products of a cotangent and a slope.
    case .reluGradient: return try product(t, slope(of: record.operation, x))
    case .sigmoidGradient, .tanhGradient:
      let isTanh = record.operation == .tanhGradient
      let one = fill(isTanh ? 0 : 1, shape: shape(of: x[1]))
      let curvature = try add(.subtract, [one, scale(x[1], by: 2)])
      return try sum(
        product(t, slope(of: record.operation, x)),
        product(product(tangents[1], curvature), x[0]), shape: record.shape)
    case .squaredNorm(let axes):
      return try product(t, scale(x[0], by: 2)).map { (p) throws(GraphError) in
        try add(.sum(axes: axes), [p])
      }
    case .meanSquaredError:
      let axes = Array(1..<shape(of: x[0]).axisCount)
      let moved = try sum(t, scaled(tangents[1], by: -1), shape: shape(of: x[0]))
      return try product(moved, scale(add(.subtract, x), by: 2)).map { (p) throws(GraphError) in
        try add(.mean(axes: axes), [p])
      }
    // Along the last axis.
    case .softmax: return try product(centred(t, weights: y), y)
    case .logSoftmax: return try centred(t, weights: add(.exp, [y]))
    case .logSumExp: return try mean(of: t, weights: add(.softmax, x))
    case .softmaxCrossEntropy:
      return try product(t, residual(logits: x[0], labels: x[1])).map { (p) throws(GraphError) in
        try add(.sum(axes: [1]), [p])
      }
    case .softmaxCrossEntropyGradient:
      let column = shape(of: x[1]).flattening(axes: [1])
      let probabilities = try add(.softmax, [x[1]])
      let moved = try product(centred(tangents[1], weights: probabilities), probabilities)
      let weight = try t.map { (t) throws(GraphError) in try reshape(t, to: column) }
      return try sum(
        product(weight, residual(logits: x[1], labels: x[2])),
        product(moved, reshape(x[0], to: column)), shape: record.shape)
    }
  }

  /// The tangent of a value composed of other operations.
  private mutating func tangentOfComposite(
    _ operands: [Node], _ tangents: [Node?],
    _ compose: (inout Graph, [Node]) throws(GraphError) -> Node
  ) throws(GraphError) -> Node? {
    let copies = try copies(of: operands)
    var directions: [Node: Node] = [:]
    for (copy, tangent) in zip(copies, tangents) { directions[copy] = tangent }
    let value = try compose(&self, copies)
    return try jacobianVectorProduct(of: value, along: directions)
  }

  private mutating func product(_ tangent: Node?, _ factor: Node) throws(GraphError) -> Node? {
    guard let tangent else { return nil }
    return try add(.multiply, [tangent, factor])
  }

  private mutating func quotient(_ tangent: Node?, _ divisor: Node) throws(GraphError) -> Node? {
    guard let tangent else { return nil }
    return try add(.divide, [tangent, divisor])
  }

  private mutating func scaled(_ tangent: Node?, by factor: Double) throws(GraphError) -> Node? {
    guard let tangent else { return nil }
    return try scale(tangent, by: factor)
  }

  /// The sum of what there is, repeated to a shape.
  private mutating func sum(
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

  /// The slope of an activation from its output, the second operand of its gradient.
  private mutating func slope(
    of gradient: Operation, _ operands: [Node]
  ) throws(GraphError) -> Node {
    let y = operands[1]
    let one = fill(1, shape: shape(of: y))
    switch gradient {
    case .sigmoidGradient: return try add(.multiply, [y, add(.subtract, [one, y])])
    case .tanhGradient: return try add(.subtract, [one, add(.square, [y])])
    // The output of relu is not negative: its sign is the slope.
    default: return try add(.sign, [add(.relu, [y])])
    }
  }

  /// `Σⱼ wⱼ tⱼ` along the last axis, which is dropped.
  private mutating func mean(of tangent: Node?, weights: Node) throws(GraphError) -> Node? {
    guard let weighted = try product(tangent, weights) else { return nil }
    return try add(.sum(axes: [shape(of: weights).axisCount - 1]), [weighted])
  }

  /// `t − Σⱼ wⱼ tⱼ` along the last axis.
  private mutating func centred(_ tangent: Node?, weights: Node) throws(GraphError) -> Node? {
    guard let tangent, let mean = try mean(of: tangent, weights: weights) else { return nil }
    let shape = shape(of: weights)
    let column = shape.flattening(axes: [shape.axisCount - 1])
    return try add(.subtract, [tangent, reshape(mean, to: column)])
  }

  /// `softmax(z) − oneHot(label)`.
  private mutating func residual(logits: Node, labels: Node) throws(GraphError) -> Node {
    guard case .fixed(let classes) = shape(of: logits)[1] else {
      throw .operands(
        operation: "softmax cross-entropy", name: nil,
        fault: "the number of classes is not fixed")
    }
    return try add(
      .subtract, [add(.softmax, [logits]), add(.oneHot(classes: classes), [labels])])
  }
}

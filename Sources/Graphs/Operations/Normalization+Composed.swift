// Normalisations composed of operations that know nothing of them, for derivatives of their gradients.

extension Graph {
  /// `x − μ`.
  mutating func centered(_ x: Node, over axes: [Int]) throws(GraphError) -> Node {
    let mean = try add(.mean(axes: axes), [x])
    return try add(.subtract, [x, expanded(mean, along: axes, toShapeOf: x)])
  }

  /// The mean over axes, of this microbatch or of all.
  private mutating func composedMean(
    _ x: Node, _ normalization: Normalization
  ) throws(GraphError) -> Node {
    guard normalization.spansMicrobatches else {
      return try add(.mean(axes: normalization.axes), [x])
    }
    let sum = try add(.crossMicrobatchSum, [add(.sum(axes: normalization.axes), [x])])
    return try add(.divide, [sum, composedCount(of: x, normalization)])
  }

  /// The number of elements that share a mean, of all microbatches.
  private mutating func composedCount(
    of x: Node, _ normalization: Normalization
  ) throws(GraphError) -> Node {
    let extents = normalization.axes.map { shape(of: x)[$0] }
    let ones = fill(1, shape: SymbolicShape(extents))
    return try add(.crossMicrobatchSum, [add(.sum(axes: Array(0..<extents.count)), [ones])])
  }

  /// `1 / √(σ² + ε)` and `x̂`, from operations that know nothing of normalisation.
  private mutating func composedNormal(
    _ x: Node, _ normalization: Normalization
  ) throws(GraphError) -> (inverse: Node, normal: Node) {
    let mean = try composedMean(x, normalization)
    let centered = try add(
      .subtract, [x, expanded(mean, along: normalization.axes, toShapeOf: x)])
    let variance = try composedMean(add(.square, [centered]), normalization)
    let offset = fill(normalization.epsilon, shape: shape(of: variance))
    let inverse = try power(add(.add, [variance, offset]), -0.5)
    let repeated = try expanded(inverse, along: normalization.axes, toShapeOf: x)
    return (inverse, try add(.multiply, [centered, repeated]))
  }

  /// The value of ``Operation/normalize(_:)`` in other operations.
  mutating func composedNormalize(
    _ operands: [Node], _ normalization: Normalization
  ) throws(GraphError) -> Node {
    let (x, axes) = (operands[0], normalization.axes)
    let normal = try composedNormal(x, normalization).normal
    let scaled = try add(
      .multiply, [normal, expanded(operands[1], along: axes, toShapeOf: x)])
    return try add(.add, [scaled, expanded(operands[2], along: axes, toShapeOf: x)])
  }

  /// The value of ``Operation/moments(_:)`` in other operations.
  mutating func composedMoments(
    _ x: Node, _ normalization: Normalization
  ) throws(GraphError) -> Node {
    let mean = try composedMean(x, normalization)
    let centered = try add(
      .subtract, [x, expanded(mean, along: normalization.axes, toShapeOf: x)])
    let variance = try composedMean(add(.square, [centered]), normalization)
    let row = SymbolicShape([1] + shape(of: mean).extents)
    return try add(.concatenate(axis: 0), [reshape(mean, to: row), reshape(variance, to: row)])
  }

  mutating func composedScaleGradient(
    _ cotangent: Node, _ x: Node, _ normalization: Normalization
  ) throws(GraphError) -> Node {
    let normal = try composedNormal(x, normalization).normal
    return try add(.sum(axes: normalization.axes), [add(.multiply, [cotangent, normal])])
  }

  mutating func composedInputGradient(
    _ operands: [Node], _ normalization: Normalization
  ) throws(GraphError) -> Node {
    let (c, x, axes) = (operands[0], operands[1], normalization.axes)
    let (inverse, normal) = try composedNormal(x, normalization)
    let share = MeanRule(axes: axes).factor(shape(of: x))
    func mean(_ sum: Node) throws(GraphError) -> Node {
      let mean =
        normalization.spansMicrobatches
        ? try add(.divide, [sum, composedCount(of: x, normalization)])
        : try add(.scale(share), [sum])
      return try expanded(mean, along: axes, toShapeOf: x)
    }
    let (s, t) = (try mean(operands[3]), try mean(operands[4]))
    let inner = try add(.subtract, [add(.subtract, [c, t]), add(.multiply, [normal, s])])
    let outer = try add(.multiply, [operands[2], inverse])
    return try add(.multiply, [inner, expanded(outer, along: axes, toShapeOf: x)])
  }

  /// The tangent of a value from the same value composed of other operations.
  mutating func jvpOfComposite(
    _ call: JVPCall, _ compose: (inout Graph, [Node]) throws(GraphError) -> Node
  ) throws(GraphError) -> Node? {
    let copies = try copies(of: call.inputs)
    var directions: [Node: Node] = [:]
    for (copy, tangent) in zip(copies, call.tangents) { directions[copy] = tangent }
    let value = try compose(&self, copies)
    return try jacobianVectorProduct(of: value, along: directions)
  }

  /// The vjp of an operation from the same value composed of other operations.
  ///
  /// Serves derivatives of gradients, which need no speed.
  mutating func vjpOfComposite(
    _ call: VJPCall, _ compose: (inout Graph, [Node]) throws(GraphError) -> Node
  ) throws(GraphError) -> [Node?] {
    // Nodes of their own, so that what operands depend on among each other stays out.
    let operands = try copies(of: call.inputs)
    let value = try compose(&self, operands)
    return try gradient(of: value, cotangent: call.cotangent, withRespectTo: operands)
  }

  /// Nodes with the values of `nodes` that depend on nothing but them.
  mutating func copies(of nodes: [Node]) throws(GraphError) -> [Node] {
    var copies: [Node] = []
    for node in nodes { copies.append(try add(.reshape(shape(of: node)), [node])) }
    return copies
  }
}

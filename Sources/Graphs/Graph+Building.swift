// Functions that read as mathematics, on top of `add`.

extension Graph {
  /// Adds `factor · x`.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` for a node of labels.
  public mutating func scale(_ x: Node, by factor: Double) throws(GraphError) -> Node {
    try add(.scale(Factor(factor)), [x])
  }

  /// Adds `relu(x) = max(x, 0)`.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` for a node of labels.
  public mutating func relu(_ x: Node) throws(GraphError) -> Node { try add(.relu, [x]) }

  /// Adds `1 / (1 + e^−x)`.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` for a node of labels.
  public mutating func sigmoid(_ x: Node) throws(GraphError) -> Node { try add(.sigmoid, [x]) }

  /// Adds the hyperbolic tangent of `x`.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` for a node of labels.
  public mutating func tanh(_ x: Node) throws(GraphError) -> Node { try add(.tanh, [x]) }

  /// Adds `x^exponent`, of a positive `x` unless the exponent is a whole number.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` for a node of labels.
  public mutating func power(_ x: Node, _ exponent: Double) throws(GraphError) -> Node {
    try add(exponent == 2 ? .square : .power(exponent), [x])
  }

  /// Adds `max(a, b)`, element by element.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the shapes do not broadcast.
  public mutating func maximum(_ a: Node, _ b: Node) throws(GraphError) -> Node {
    try add(.maximum, [a, b])
  }

  /// Adds `log Σⱼ e^xⱼ` along the last axis, which is dropped.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` for a single number.
  public mutating func logSumExp(_ x: Node) throws(GraphError) -> Node { try add(.logSumExp, [x]) }

  /// Adds the row of `table` that each label names.
  ///
  /// - Parameters:
  ///   - table: Shape `[classes]` or `[classes, columns]`.
  ///   - labels: Class numbers within `0 ..< classes`, of any one axis or none.
  /// - Returns: A node of the shape of the labels, then `columns` if the table has them.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the shapes do not go together.
  public mutating func gather(_ table: Node, labels: Node) throws(GraphError) -> Node {
    try add(.gather, [table, labels])
  }

  /// Adds the matrix product `A·B`, shapes `[rows, depth]` and `[depth, columns]`.
  ///
  /// - Parameters:
  ///   - lhs: The node of `A`.
  ///   - rhs: The node of `B`.
  ///   - transposingLHS: True if `A` is stored as `[depth, rows]`.
  ///   - transposingRHS: True if `B` is stored as `[columns, depth]`.
  ///   - name: A name for messages and pictures.
  /// - Returns: A node of shape `[rows, columns]`.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the shapes do not go together.
  /// - Complexity: 2 · rows · depth · columns floating-point operations per run.
  public mutating func matmul(
    _ lhs: Node, _ rhs: Node, transposingLHS: Bool = false, transposingRHS: Bool = false,
    name: String? = nil
  ) throws(GraphError) -> Node {
    try add(
      .matmul(transposeLHS: transposingLHS, transposeRHS: transposingRHS), [lhs, rhs], name: name)
  }

  /// Adds the affine map `y = x·Wᵀ + b` and returns the node that holds `y`.
  ///
  /// - Parameters:
  ///   - input: The node of `x`, shape `[batch, in]`.
  ///   - weight: The node of `W`, shape `[out, in]`.
  ///   - bias: The node of `b`, shape `[out]`; none for a linear map.
  /// - Returns: A node of shape `[batch, out]`.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if operands disagree on an axis.
  /// - Complexity: O(1) to add; 2 · batch · in · out floating-point operations per run.
  public mutating func affine(
    _ input: Node, weight: Node, bias: Node? = nil
  ) throws(GraphError) -> Node {
    let (x, W) = (shape(of: input), shape(of: weight))
    guard x.axisCount == 2, W.axisCount == 2, x[1] == W[1] else {
      throw .operands(
        operation: "affine", name: layer, fault: "operands disagree on 'in': \(x) and \(W)")
    }
    let product = try matmul(input, weight, transposingRHS: true)
    guard let bias else { return product }
    let b = shape(of: bias)
    guard b == SymbolicShape([W[0]]) else {
      throw .operands(
        operation: "affine", name: layer, fault: "operands disagree on 'out': \(W) and \(b)")
    }
    return try add(.add, [product, bias])
  }

  /// Adds the same elements as `x` in another shape, or returns `x` if it has that shape.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the numbers of elements differ.
  public mutating func reshape(_ x: Node, to shape: SymbolicShape) throws(GraphError) -> Node {
    self.shape(of: x) == shape ? x : try add(.reshape(shape), [x])
  }

  /// Adds the sum of squares of each row of `x`, shape `[batch, ...]` to `[batch]`.
  ///
  /// A single number counts as one row.
  ///
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` for a node of labels.
  public mutating func squaredNorm(_ x: Node) throws(GraphError) -> Node {
    try add(.squaredNorm(axes: Array(1..<max(shape(of: x).axisCount, 1))), [x])
  }

  /// Adds `log Σⱼ e^zⱼ − z_label` per row, in nats.
  ///
  /// - Parameters:
  ///   - logits: Scores before softmax, shape `[batch, classes]`.
  ///   - labels: Class numbers within `0 ..< classes`, shape `[batch]`.
  /// - Returns: A node of shape `[batch]`.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the shapes do not go together.
  public mutating func softmaxCrossEntropy(
    _ logits: Node, labels: Node
  ) throws(GraphError) -> Node {
    try add(.softmaxCrossEntropy, [logits, labels])
  }

  /// Adds the mean of `(prediction − target)²` per row.
  ///
  /// - Parameters:
  ///   - prediction: Shape `[batch, ...]`.
  ///   - target: The same shape.
  /// - Returns: A node of shape `[batch]`.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the shapes differ.
  public mutating func meanSquaredError(
    _ prediction: Node, target: Node
  ) throws(GraphError) -> Node {
    try add(.meanSquaredError, [prediction, target])
  }
}

// Rows of a table that numbers name, and the sum of what comes back for each row.
import Tensors

/// `[count, units]` and numbers of any shape give `[..., units]`.
struct EmbeddingRule: OperationRule {
  static let signature = OperationSignature("embedding", operands: 2, .embedding)

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard inputs[0].axisCount == 2, inputs[0].isFixed else {
      throw ShapeFault("found a table of shape \(inputs[0]), expected [count, units]")
    }
    return SymbolicShape(inputs[1].extents + [inputs[0][1]])
  }

  /// The numbers name rows: nothing changes smoothly with them.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    guard call.isWanted[0], case .fixed(let count) = graph.shape(of: call.inputs[0])[0] else {
      return [nil, nil]
    }
    return [
      try graph.add(.embeddingGradient(count: count), [call.cotangent, call.inputs[1]]), nil,
    ]
  }

  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  /// A table has no rows of its own.
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    operands[0].isFixed
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let units = inputs[0].shape[1]
    let rows = try classNumbers(inputs[1], classes: inputs[0].shape[0])
    return Tensor(
      shape: shape, values: rows.flatMap { inputs[0].values[$0 * units..<($0 + 1) * units] })
  }
}

/// `[..., units]` and numbers of the shape before `units` give `[count, units]`.
struct EmbeddingGradientRule: OperationRule {
  let count: Int
  static let signature = OperationSignature(
    "embedding_gradient", operands: 2, attributes: 1...1, "the number of rows of the table"
  ) { $0.count(0).map { .embeddingGradient(count: $0) } }
  var attributes: [Attribute] { [.number(Double(count))] }
  var label: String { "embedding′" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard let units = inputs[0].extents.last, case .fixed = units,
      inputs[1].extents == inputs[0].extents.dropLast(), count > 0
    else {
      throw ShapeFault(
        "found rows of shape \(inputs[0]) for \(count) and numbers of shape \(inputs[1]), expected "
          + "a row of some units for each number")
    }
    return [.fixed(count), units]
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [call.isWanted[0] ? try graph.add(.embedding, [call.cotangent, call.inputs[1]]) : nil, nil]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  var sumsRows: Bool { true }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    false
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let units = shape[1]
    var values = Array(repeating: 0.0, count: shape.count)
    for (position, row) in try classNumbers(inputs[1], classes: count).enumerated() {
      for unit in 0..<units {
        values[row * units + unit] += inputs[0].values[position * units + unit]
      }
    }
    return Tensor(shape: shape, values: values)
  }
}

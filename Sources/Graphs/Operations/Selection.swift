// Elements in another order, and rows chosen by labels.
import Tensors

struct TransposeRule: MovingRule {
  static let signature = OperationSignature("transpose", .transpose)

  /// `[..., rows, columns]` gives `[..., columns, rows]`.
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard inputs[0].axisCount >= 2 else {
      throw ShapeFault("found shape \(inputs[0]), expected at least two axes")
    }
    var extents = inputs[0].extents
    extents.swapAt(extents.count - 2, extents.count - 1)
    return SymbolicShape(extents)
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.transpose, [call.cotangent])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    result.axisCount > 2
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (columns, rows) = (shape[shape.axisCount - 2], shape[shape.axisCount - 1])
    let area = rows * columns
    let values = (0..<shape.count).map { index in
      let (column, row) = (index % area / rows, index % rows)
      return inputs[0].values[index / area * area + row * columns + column]
    }
    return Tensor(shape: shape, values: values)
  }
}

struct GatherRule: OperationRule {
  static let signature = OperationSignature("gather", operands: 2, labels: 1, .gather)

  /// `[classes]` or `[classes, columns]`, and labels, give one number or row for each label.
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard (1...2).contains(inputs[0].axisCount), case .fixed = inputs[0][0],
      inputs[1].axisCount <= 1
    else {
      throw ShapeFault(
        "found a table of shape \(inputs[0]) and labels of shape \(inputs[1]), "
          + "expected [classes] or [classes, columns] and at most one axis")
    }
    return SymbolicShape(inputs[1].extents + inputs[0].extents.dropFirst())
  }

  /// The sum of the cotangents of each row: the product of the one-hot labels, transposed, with `c`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    guard call.isWanted[0] else { return [nil, nil] }
    let (table, labels) = (graph.shape(of: call.inputs[0]), graph.shape(of: call.inputs[1]))
    guard case .fixed(let classes) = table[0] else { return [nil, nil] }
    let rows = labels.extents.first ?? 1
    let hot = try graph.reshape(
      graph.add(.oneHot(classes: classes), [call.inputs[1]]), to: [rows, .fixed(classes)])
    let columns = table.axisCount == 2 ? table[1] : 1
    let cotangent = try graph.reshape(call.cotangent, to: [rows, columns])
    let product = try graph.matmul(hot, cotangent, transposingLHS: true)
    return [try graph.reshape(product, to: table), nil]
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
    let table = inputs[0]
    let columns = table.shape.axisCount == 2 ? table.shape[1] : 1
    let labels = try classNumbers(inputs[1], classes: table.shape[0])
    return Tensor(
      shape: shape,
      values: labels.flatMap { table.values[$0 * columns..<($0 + 1) * columns] })
  }
}

// The mean squared error per row.
import Tensors

struct MeanSquaredErrorRule: OperationRule {
  static let signature = OperationSignature("mean_squared_error", operands: 2, .meanSquaredError)

  /// Two operands of `[batch, ...]` give `[batch]`.
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard inputs[0] == inputs[1], inputs[0].axisCount > 1 else {
      throw ShapeFault(
        "prediction has shape \(inputs[0]) and target \(inputs[1]), expected the same [batch, ...]")
    }
    return SymbolicShape([inputs[0][0]])
  }

  /// `2c/n · (prediction − target)`, and its opposite for the target.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let shape = graph.shape(of: call.inputs[0])
    let row = SymbolicShape(Array(shape.extents.dropFirst()))
    let difference = try graph.add(.subtract, call.inputs)
    let factor = Factor(2 / Double(row.fixedCount), batchPower: -row.batchAxisCount)
    let scaled = try graph.add(.scale(factor), [call.cotangent])
    let column = try graph.reshape(
      scaled, to: shape.flattening(axes: Array(1..<shape.axisCount)))
    let slope = try graph.add(.multiply, [column, difference])
    return [slope, call.isWanted[1] ? try graph.scale(slope, by: -1) : nil]
  }

  /// The mean of `2 (prediction − target)` times the difference of the tangents.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let shape = graph.shape(of: call.inputs[0])
    let opposite = try graph.scaled(call.tangents[1], by: -1)
    let moved = try graph.sum(call.tangents[0], opposite, shape: shape)
    let slope = try graph.scale(graph.add(.subtract, call.inputs), by: 2)
    return try graph.product(moved, slope).map { (p) throws(GraphError) in
      try graph.add(.mean(axes: Array(1..<shape.axisCount)), [p])
    }
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let width = inputs[0].shape.count / max(shape.count, 1)
    return Tensor(
      shape: shape,
      values: (0..<shape.count).map { row in
        let sum = (row * width..<(row + 1) * width).reduce(0.0) { sum, index in
          let difference = inputs[0].values[index] - inputs[1].values[index]
          return sum + difference * difference
        }
        return sum / Double(width)
      })
  }
}

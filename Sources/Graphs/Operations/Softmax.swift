// Softmax and its logarithm along the last axis.
import Numerics
import Tensors

/// Splits values into rows along the last axis and maps each.
private func mapRows(_ input: Tensor, _ body: (ArraySlice<Double>) -> [Double]) -> Tensor {
  let width = input.shape.extents.last ?? 1
  guard width > 0 else { return input }
  let rows = stride(from: 0, to: input.values.count, by: width)
  return Tensor(shape: input.shape, values: rows.flatMap { body(input.values[$0..<$0 + width]) })
}

/// `log Σⱼ e^xⱼ`, without overflow.
func logSumExp(_ row: ArraySlice<Double>) -> Double {
  let largest = row.max() ?? 0
  return largest + Elementary.log(row.reduce(0) { $0 + Elementary.exp($1 - largest) })
}

private func requireAxis(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
  guard inputs[0].axisCount > 0 else {
    throw ShapeFault("found shape [], expected at least one axis")
  }
  return inputs[0]
}

struct SoftmaxRule: OperationRule {
  static let signature = OperationSignature("softmax", .softmax)
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    try requireAxis(inputs)
  }
  /// `y · (c − Σⱼ cⱼ yⱼ)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let last = graph.shape(of: call.node).axisCount - 1
    let weighted = try graph.add(.multiply, [call.cotangent, call.node])
    let sum = try graph.add(.sum(axes: [last]), [weighted])
    let kept = graph.shape(of: call.node).flattening(axes: [last])
    let centered = try graph.add(.subtract, [call.cotangent, graph.reshape(sum, to: kept)])
    return [try graph.add(.multiply, [centered, call.node])]
  }
  /// `(t − Σⱼ tⱼ yⱼ) · y`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(graph.centered(call.tangent, weights: call.node), call.node)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    operands[0].axisCount > 1
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    mapRows(inputs[0]) { row in
      let total = logSumExp(row)
      return row.map { Elementary.exp($0 - total) }
    }
  }
}

struct LogSoftmaxRule: OperationRule {
  static let signature = OperationSignature("log_softmax", .logSoftmax)
  var symbol: String { "log softmax" }
  var label: String { "log-softmax" }
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    try requireAxis(inputs)
  }
  /// `c − e^y · Σⱼ cⱼ`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let last = graph.shape(of: call.node).axisCount - 1
    let sum = try graph.add(.sum(axes: [last]), [call.cotangent])
    let kept = graph.shape(of: call.node).flattening(axes: [last])
    let probabilities = try graph.add(.exp, [call.node])
    let share = try graph.add(.multiply, [probabilities, graph.reshape(sum, to: kept)])
    return [try graph.add(.subtract, [call.cotangent, share])]
  }
  /// `t − Σⱼ tⱼ e^yⱼ`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.centered(call.tangent, weights: graph.add(.exp, [call.node]))
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    operands[0].axisCount > 1
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    mapRows(inputs[0]) { row in
      let total = logSumExp(row)
      return row.map { $0 - total }
    }
  }
}

struct LogSumExpRule: OperationRule {
  static let signature = OperationSignature("logsumexp", .logSumExp)
  var symbol: String { "log Σ exp" }
  var label: String { "log-sum-exp" }
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let shape = try requireAxis(inputs)
    return shape.removing(axes: [shape.axisCount - 1])
  }
  /// `c · softmax(x)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let shape = graph.shape(of: call.inputs[0])
    let column = try graph.reshape(
      call.cotangent, to: shape.flattening(axes: [shape.axisCount - 1]))
    return [try graph.add(.multiply, [column, graph.add(.softmax, call.inputs)])]
  }
  /// `Σⱼ tⱼ softmax(x)ⱼ`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.mean(of: call.tangent, weights: graph.add(.softmax, call.inputs))
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    operands[0].axisCount > 1
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let width = inputs[0].shape.extents.last ?? 1
    return Tensor(
      shape: shape,
      values: (0..<shape.count).map { logSumExp(inputs[0].values[$0 * width..<($0 + 1) * width]) })
  }
}

// The same elements in another shape, and repetition.
import Tensors

struct ReshapeRule: OperationRule {
  let target: SymbolicShape
  static let signature = OperationSignature(
    "reshape", attributes: 1...1, "a shape such as [batch, 3]"
  ) { $0.shape(0).map { .reshape($0) } }
  var attributes: [Attribute] { [.extents(target)] }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard inputs[0].fixedCount == target.fixedCount,
      inputs[0].batchAxisCount == target.batchAxisCount
    else {
      throw ShapeFault("found shape \(inputs[0]), expected as many elements as \(target)")
    }
    return target
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.reshape(call.cotangent, to: graph.shape(of: call.inputs[0]))]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    Tensor(shape: shape, values: inputs[0].values)
  }
}

struct BroadcastRule: OperationRule {
  let target: SymbolicShape
  static let signature = OperationSignature(
    "broadcast", attributes: 1...1, "a shape such as [batch, 3]"
  ) { $0.shape(0).map { .broadcast($0) } }
  var attributes: [Attribute] { [.extents(target)] }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let shape = try SymbolicShape.broadcast(inputs[0], target)
    guard shape == target else {
      throw ShapeFault("found shape \(inputs[0]), expected one that repeats to \(target)")
    }
    return target
  }
  /// The sum over the repetitions.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.reduced(call.cotangent, toShapeOf: call.inputs[0])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    areLinedUp(operands, with: result)
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let input = inputs[0]
    return Tensor(
      shape: shape, values: shape.sourceIndices(of: input.shape).map { input.values[$0] })
  }
}

extension Graph {
  /// Sums a cotangent over the axes along which an operand was repeated.
  mutating func reduced(_ cotangent: Node, toShapeOf operand: Node) throws(GraphError) -> Node {
    let (found, wanted) = (shape(of: cotangent), shape(of: operand))
    guard found != wanted else { return cotangent }
    let axes = found.repeatedAxes(of: wanted)
    let sum = axes.isEmpty ? cotangent : try add(.sum(axes: axes), [cotangent])
    return try reshape(sum, to: wanted)
  }

  /// Repeats a reduced cotangent along the axes that were reduced.
  mutating func expanded(
    _ cotangent: Node, along axes: [Int], toShapeOf operand: Node
  ) throws(GraphError) -> Node {
    let wanted = shape(of: operand)
    let kept = try reshape(cotangent, to: wanted.flattening(axes: axes))
    return shape(of: kept) == wanted ? kept : try add(.broadcast(wanted), [kept])
  }
}

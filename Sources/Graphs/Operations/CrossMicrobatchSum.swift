// The sum over all microbatches of a step, inside the graph of one of them.
import Tensors

/// The sum of a value over all microbatches of a step, the same in each of them.
///
/// It is its own vector–Jacobian product: what one microbatch adds to the sum reaches the losses of all of
/// them. Where there is one microbatch, as in the interpreter, it is the value itself.
struct CrossMicrobatchSumRule: OperationRule {
  static let signature = OperationSignature("total", .crossMicrobatchSum)

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard inputs[0].isFixed else {
      throw ShapeFault("found shape \(inputs[0]), expected one that does not depend on the batch")
    }
    return inputs[0]
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.crossMicrobatchSum, [call.cotangent])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    false
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    inputs[0]
  }
}

extension Graph.Operation {
  /// Indicates that the value depends on the other microbatches of a step.
  public var spansMicrobatches: Bool {
    switch self {
    case .crossMicrobatchSum: true
    case .normalize(let normalization), .normalizeScaleGradient(let normalization),
      .normalizeInputGradient(let normalization), .moments(let normalization):
      normalization.spansMicrobatches
    default: false
    }
  }
}

extension Graph {
  /// `x`, or its sum over all microbatches.
  mutating func crossMicrobatchSum(_ x: Node, if spansMicrobatches: Bool) throws(GraphError) -> Node
  {
    spansMicrobatches ? try add(.crossMicrobatchSum, [x]) : x
  }
}

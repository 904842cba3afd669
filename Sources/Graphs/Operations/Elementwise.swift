// Operations on each element of one operand, and the gradients of activations.
import Numerics
import Tensors

/// An operation whose value at each element depends on elements at the same place alone.
protocol ElementwiseRule: OperationRule {}

extension ElementwiseRule {
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    areLinedUp(operands, with: result)
  }
}

/// An elementwise operation on one operand.
protocol UnaryRule: ElementwiseRule {
  func value(_ x: Double, batch: Int) -> Double
}

extension UnaryRule {
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape { inputs[0] }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    Tensor(shape: shape, values: inputs[0].values.map { value($0, batch: batch) })
  }
}

struct ScaleRule: UnaryRule {
  let factor: Factor
  static let signature = OperationSignature(
    "scale", attributes: 1...2, "a factor, and perhaps a power of the batch"
  ) { attributes in
    guard let value = attributes.number(0) else { return nil }
    guard attributes.count == 2 else { return .scale(Factor(value)) }
    guard let power = attributes.integer(1), abs(power) <= 64 else { return nil }
    return .scale(Factor(value, batchPower: power))
  }
  var attributes: [Attribute] {
    [.number(factor.value)] + (factor.batchPower == 0 ? [] : [.number(Double(factor.batchPower))])
  }
  func value(_ x: Double, batch: Int) -> Double { factor.resolved(batch: batch) * x }
  /// `c · factor`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.scale(factor), [call.cotangent])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  /// Not where the factor depends on the number of rows.
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    factor.batchPower == 0 && areLinedUp(operands, with: result)
  }
}

struct ExpRule: UnaryRule {
  static let signature = OperationSignature("exp", .exp)
  func value(_ x: Double, batch: Int) -> Double { Elementary.exp(x) }
  /// `c · y`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, call.node])]
  }
  /// `t · y`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(call.tangent, call.node)
  }
}

struct LogRule: UnaryRule {
  static let signature = OperationSignature("log", .log)
  func value(_ x: Double, batch: Int) -> Double { Elementary.log(x) }
  /// `c / x`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.divide, [call.cotangent, call.inputs[0]])]
  }
  /// `t / x`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.quotient(call.tangent, call.inputs[0])
  }
}

struct ErfRule: UnaryRule {
  static let signature = OperationSignature("erf", .erf)
  func value(_ x: Double, batch: Int) -> Double { Elementary.erf(x) }
  /// `c · 2/√π · e^−x²`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, graph.erfSlope(call.inputs[0])])]
  }
  /// `t · 2/√π · e^−x²`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(call.tangent, graph.erfSlope(call.inputs[0]))
  }
}

extension Graph {
  /// `2/√π · e^−x²`.
  mutating func erfSlope(_ x: Node) throws(GraphError) -> Node {
    let power = try add(.exp, [scale(add(.square, [x]), by: -1)])
    return try scale(power, by: 2 / Double.pi.squareRoot())
  }
}

struct SquareRule: UnaryRule {
  static let signature = OperationSignature("square", .square)
  var symbol: String { "□²" }
  func value(_ x: Double, batch: Int) -> Double { x * x }
  /// `c · 2x`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let slope = try graph.scale(call.inputs[0], by: 2)
    return [try graph.add(.multiply, [call.cotangent, slope])]
  }
  /// `t · 2x`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(call.tangent, graph.scale(call.inputs[0], by: 2))
  }
}

struct SigmoidRule: UnaryRule {
  static let signature = OperationSignature("sigmoid", .sigmoid)
  var symbol: String { "σ" }
  func value(_ x: Double, batch: Int) -> Double {
    // Neither branch raises e to a large power.
    if x >= 0 { return 1 / (1 + Elementary.exp(-x)) }
    let e = Elementary.exp(x)
    return e / (1 + e)
  }
  /// `c · y · (1 − y)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.sigmoidGradient, [call.cotangent, call.node])]
  }
  /// `t · (y − y²)`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let slope = try graph.add(.subtract, [call.node, graph.add(.square, [call.node])])
    return try graph.product(call.tangent, slope)
  }
}

struct TanhRule: UnaryRule {
  static let signature = OperationSignature("tanh", .tanh)
  func value(_ x: Double, batch: Int) -> Double { Elementary.tanh(x) }
  /// `c · (1 − y²)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.tanhGradient, [call.cotangent, call.node])]
  }
  /// `t · (1 − y²)`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let one = graph.fill(1, shape: graph.shape(of: call.node))
    let slope = try graph.add(.subtract, [one, graph.add(.square, [call.node])])
    return try graph.product(call.tangent, slope)
  }
}

struct ReluRule: UnaryRule, KinkedRule {
  static let signature = OperationSignature("relu", .relu)
  /// A number that is not a number stays one.
  func value(_ x: Double, batch: Int) -> Double { x < 0 ? 0 : x }
  /// `c · [y > 0]`: the slope at 0 is 0.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.reluGradient, [call.cotangent, call.node])]
  }
  /// `t · [y > 0]`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try call.tangent.map { (t) throws(GraphError) in
      try graph.add(.reluGradient, [t, call.node])
    }
  }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    areOnOtherSides(before[0].values, after[0].values, of: 0)
  }
}

/// The product of a cotangent and the slope of an activation, from the activation's output.
///
/// Linear in the cotangent, so its vjp there is itself; its vjp in the output needs the slope's
/// own derivative and serves second derivatives.
protocol ActivationGradientRule: ElementwiseRule {
  func slope(_ y: Double) -> Double
  /// Adds the nodes of `d slope / d y`, or returns nil where it is zero.
  func curvature(_ output: Graph.Node, in graph: inout Graph) throws(GraphError) -> Graph.Node?
}

extension ActivationGradientRule {
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard inputs[0] == inputs[1] else {
      throw ShapeFault("cotangent has shape \(inputs[0]) but output has \(inputs[1])")
    }
    return inputs[0]
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    Tensor(shape: shape, values: zip(inputs[0].values, inputs[1].values).map { $0 * slope($1) })
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let (cotangent, output) = (call.inputs[0], call.inputs[1])
    var results: [Graph.Node?] = [nil, nil]
    if call.isWanted[0] {
      results[0] = try graph.add(graph[call.node].operation, [call.cotangent, output])
    }
    if call.isWanted[1], let curvature = try curvature(output, in: &graph) {
      let product = try graph.add(.multiply, [call.cotangent, cotangent])
      results[1] = try graph.add(.multiply, [product, curvature])
    }
    return results
  }
}

struct ReluGradientRule: ActivationGradientRule, KinkedRule {
  static let signature = OperationSignature("relu_gradient", operands: 2, .reluGradient)
  var symbol: String { "relu′" }
  var label: String { "relu'" }
  func slope(_ y: Double) -> Double { y > 0 ? 1 : 0 }
  func curvature(_ output: Graph.Node, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    nil
  }
  /// `t · sign(relu(y))`: the output of relu is not negative, so its sign is the slope.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(call.tangent, graph.add(.sign, [graph.relu(call.inputs[1])]))
  }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    areOnOtherSides(before[1].values, after[1].values, of: 0)
  }
}

struct SigmoidGradientRule: ActivationGradientRule {
  static let signature = OperationSignature("sigmoid_gradient", operands: 2, .sigmoidGradient)
  var symbol: String { "σ′" }
  var label: String { "sigmoid'" }
  func slope(_ y: Double) -> Double { y * (1 - y) }
  /// `1 − 2y`.
  func curvature(_ output: Graph.Node, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let one = graph.fill(1, shape: graph.shape(of: output))
    return try graph.add(.subtract, [one, graph.scale(output, by: 2)])
  }
  /// `s · y (1 − y) + t · (1 − 2y) · c`, of the tangents s of c and t of y.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let (c, y) = (call.inputs[0], call.inputs[1])
    let one = graph.fill(1, shape: graph.shape(of: y))
    let slope = try graph.add(.multiply, [y, graph.add(.subtract, [one, y])])
    let curvature = try graph.add(.subtract, [one, graph.scale(y, by: 2)])
    return try graph.sum(
      graph.product(call.tangents[0], slope),
      graph.product(graph.product(call.tangents[1], curvature), c), shape: graph.shape(of: c))
  }
}

struct TanhGradientRule: ActivationGradientRule {
  static let signature = OperationSignature("tanh_gradient", operands: 2, .tanhGradient)
  var symbol: String { "tanh′" }
  var label: String { "tanh'" }
  func slope(_ y: Double) -> Double { 1 - y * y }
  /// `−2y`.
  func curvature(_ output: Graph.Node, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.scale(output, by: -2)
  }
  /// `s · (1 − y²) − 2 t · y · c`, of the tangents s of c and t of y.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let (c, y) = (call.inputs[0], call.inputs[1])
    let one = graph.fill(1, shape: graph.shape(of: y))
    let slope = try graph.add(.subtract, [one, graph.add(.square, [y])])
    let moved = try graph.product(call.tangents[1], graph.scale(y, by: -2))
    return try graph.sum(
      graph.product(call.tangents[0], slope), graph.product(moved, c), shape: graph.shape(of: c))
  }
}

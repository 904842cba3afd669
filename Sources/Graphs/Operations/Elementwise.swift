// Operations on each element of one operand, and the gradients of activations.
import Numerics
import Tensors

/// An operation whose value at each element depends on that element alone.
protocol UnaryRule: OperationRule {
  func value(_ x: Double, batch: Int) -> Double
}

extension UnaryRule {
  var inputCount: Int { 1 }
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape { inputs[0] }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    Tensor(shape: shape, values: inputs[0].values.map { value($0, batch: batch) })
  }
}

struct ScaleRule: UnaryRule {
  let factor: Factor
  var label: String { "scale" }
  func value(_ x: Double, batch: Int) -> Double { factor.resolved(batch: batch) * x }
  /// `c · factor`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.scale(factor), [call.cotangent])]
  }
}

struct ExpRule: UnaryRule {
  var label: String { "exp" }
  func value(_ x: Double, batch: Int) -> Double { Elementary.exp(x) }
  /// `c · y`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, call.node])]
  }
}

struct LogRule: UnaryRule {
  var label: String { "log" }
  func value(_ x: Double, batch: Int) -> Double { Elementary.log(x) }
  /// `c / x`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.divide, [call.cotangent, call.inputs[0]])]
  }
}

struct ErfRule: UnaryRule {
  var label: String { "erf" }
  func value(_ x: Double, batch: Int) -> Double { Elementary.erf(x) }
  /// `c · 2/√π · e^−x²`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, graph.erfSlope(call.inputs[0])])]
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
  var label: String { "square" }
  func value(_ x: Double, batch: Int) -> Double { x * x }
  /// `c · 2x`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let slope = try graph.scale(call.inputs[0], by: 2)
    return [try graph.add(.multiply, [call.cotangent, slope])]
  }
}

struct SigmoidRule: UnaryRule {
  var label: String { "sigmoid" }
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
}

struct TanhRule: UnaryRule {
  var label: String { "tanh" }
  func value(_ x: Double, batch: Int) -> Double { Elementary.tanh(x) }
  /// `c · (1 − y²)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.tanhGradient, [call.cotangent, call.node])]
  }
}

struct ReluRule: UnaryRule {
  var label: String { "relu" }
  /// A number that is not a number stays one.
  func value(_ x: Double, batch: Int) -> Double { x < 0 ? 0 : x }
  /// `c · [y > 0]`: the slope at 0 is 0.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.reluGradient, [call.cotangent, call.node])]
  }
}

/// The product of a cotangent and the slope of an activation, from the activation's output.
///
/// Linear in the cotangent, so its vjp there is itself; its vjp in the output needs the slope's
/// own derivative and serves second derivatives.
protocol ActivationGradientRule: OperationRule {
  var operation: Graph.Operation { get }
  func slope(_ y: Double) -> Double
  /// Adds the nodes of `d slope / d y`, or returns nil where it is zero.
  func curvature(_ output: Graph.Node, in graph: inout Graph) throws(GraphError) -> Graph.Node?
}

extension ActivationGradientRule {
  var inputCount: Int { 2 }
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
      results[0] = try graph.add(operation, [call.cotangent, output])
    }
    if call.isWanted[1], let curvature = try curvature(output, in: &graph) {
      let product = try graph.add(.multiply, [call.cotangent, cotangent])
      results[1] = try graph.add(.multiply, [product, curvature])
    }
    return results
  }
}

struct ReluGradientRule: ActivationGradientRule {
  var label: String { "relu'" }
  var operation: Graph.Operation { .reluGradient }
  func slope(_ y: Double) -> Double { y > 0 ? 1 : 0 }
  func curvature(_ output: Graph.Node, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    nil
  }
}

struct SigmoidGradientRule: ActivationGradientRule {
  var label: String { "sigmoid'" }
  var operation: Graph.Operation { .sigmoidGradient }
  func slope(_ y: Double) -> Double { y * (1 - y) }
  /// `1 − 2y`.
  func curvature(_ output: Graph.Node, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let one = graph.fill(1, shape: graph.shape(of: output))
    return try graph.add(.subtract, [one, graph.scale(output, by: 2)])
  }
}

struct TanhGradientRule: ActivationGradientRule {
  var label: String { "tanh'" }
  var operation: Graph.Operation { .tanhGradient }
  func slope(_ y: Double) -> Double { 1 - y * y }
  /// `−2y`.
  func curvature(_ output: Graph.Node, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.scale(output, by: -2)
  }
}

extension Graph.Operation {
  /// Indicates whether element i of the value depends only on elements i of equally large operands.
  package var isElementwise: Bool {
    let rule = rule
    return rule is any UnaryRule || rule is any BinaryRule || rule is any ActivationGradientRule
  }
}

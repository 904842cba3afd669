// Exponentials and logarithms near one, which lose no digits where `exp(x) − 1` and `log(1 + x)` do, and limits.
import Numerics
import Tensors

struct Expm1Rule: UnaryRule {
  static let signature = OperationSignature("expm1", .expm1)
  func value(_ x: Double, batch: Int) -> Double { Elementary.expm1(x) }
  /// `c · e^x`, not `c · (y + 1)`, which is lost where `y` is near −1.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, graph.add(.exp, call.inputs)])]
  }
  /// `t · e^x`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(call.tangent, graph.add(.exp, call.inputs))
  }
}

struct Log1pRule: UnaryRule {
  static let signature = OperationSignature("log1p", .log1p)
  func value(_ x: Double, batch: Int) -> Double { Elementary.log1p(x) }
  /// `c / (1 + x)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.divide, [call.cotangent, graph.oneMore(than: call.inputs[0])])]
  }
  /// `t / (1 + x)`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.quotient(call.tangent, graph.oneMore(than: call.inputs[0]))
  }
}

struct SoftplusRule: UnaryRule {
  static let signature = OperationSignature("softplus", .softplus)
  func value(_ x: Double, batch: Int) -> Double { Elementary.softplus(x) }
  /// `c · sigmoid(x)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, graph.sigmoid(call.inputs[0])])]
  }
  /// `t · sigmoid(x)`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(call.tangent, graph.sigmoid(call.inputs[0]))
  }
}

struct CapRule: UnaryRule, KinkedRule {
  let limit: Double
  static let signature = OperationSignature("cap", attributes: 1...1, "a limit") {
    $0.number(0).map { .cap($0) }
  }
  var attributes: [Attribute] { [.number(limit)] }
  /// A number that is not a number stays one.
  func value(_ x: Double, batch: Int) -> Double { x > limit ? limit : x }
  /// `c · [limit − y > 0]`: the slope at the limit is 0.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let limit = graph.fill(limit, shape: graph.shape(of: call.node))
    let room = try graph.add(.subtract, [limit, call.node])
    return [try graph.add(.reluGradient, [call.cotangent, room])]
  }
  /// `t · sign(relu(limit − x))`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let limit = graph.fill(limit, shape: graph.shape(of: call.node))
    let room = try graph.add(.subtract, [limit, call.inputs[0]])
    return try graph.product(call.tangent, graph.add(.sign, [graph.add(.relu, [room])]))
  }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    areOnOtherSides(before[0].values, after[0].values, of: limit)
  }
}

extension Graph {
  /// `1 + x`.
  mutating func oneMore(than x: Node) throws(GraphError) -> Node {
    try add(.add, [x, fill(1, shape: shape(of: x))])
  }
}

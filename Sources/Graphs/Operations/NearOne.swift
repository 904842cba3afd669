// Exponentials and logarithms near one, which lose no digits where `exp(x) − 1` and `log(1 + x)` do, and limits.
import Numerics
import Tensors

struct Expm1Rule: UnaryRule {
  var label: String { "expm1" }
  func value(_ x: Double, batch: Int) -> Double { Elementary.expm1(x) }
  /// `c · e^x`, not `c · (y + 1)`, which is lost where `y` is near −1.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, graph.add(.exp, call.inputs)])]
  }
}

struct Log1pRule: UnaryRule {
  var label: String { "log1p" }
  func value(_ x: Double, batch: Int) -> Double { Elementary.log1p(x) }
  /// `c / (1 + x)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.divide, [call.cotangent, graph.oneMore(than: call.inputs[0])])]
  }
}

struct SoftplusRule: UnaryRule {
  var label: String { "softplus" }
  func value(_ x: Double, batch: Int) -> Double { Elementary.softplus(x) }
  /// `c · sigmoid(x)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, graph.sigmoid(call.inputs[0])])]
  }
}

struct CapRule: UnaryRule {
  let limit: Double
  var label: String { "cap" }
  /// A number that is not a number stays one.
  func value(_ x: Double, batch: Int) -> Double { x > limit ? limit : x }
  /// `c · [limit − y > 0]`: the slope at the limit is 0.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let limit = graph.fill(limit, shape: graph.shape(of: call.node))
    let room = try graph.add(.subtract, [limit, call.node])
    return [try graph.add(.reluGradient, [call.cotangent, room])]
  }
}

extension Graph {
  /// `1 + x`.
  mutating func oneMore(than x: Node) throws(GraphError) -> Node {
    try add(.add, [x, fill(1, shape: shape(of: x))])
  }
}

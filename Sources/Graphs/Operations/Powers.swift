// Roots, powers, magnitudes and signs of each element.
import Numerics
import Tensors

struct SqrtRule: UnaryRule {
  static let signature = OperationSignature("sqrt", .sqrt)
  var symbol: String { "√" }
  func value(_ x: Double, batch: Int) -> Double { x.squareRoot() }
  /// `c / 2y`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.divide, [call.cotangent, graph.scale(call.node, by: 2)])]
  }
  /// `t / 2y`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.quotient(call.tangent, graph.scale(call.node, by: 2))
  }
}

struct AbsRule: UnaryRule, KinkedRule {
  static let signature = OperationSignature("abs", .abs)
  var symbol: String { "| |" }
  func value(_ x: Double, batch: Int) -> Double { x.magnitude }
  /// `c · sign(x)`: the slope at 0 is 0.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.multiply, [call.cotangent, graph.add(.sign, call.inputs)])]
  }
  /// `t · sign(x)`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(call.tangent, graph.add(.sign, call.inputs))
  }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    areOnOtherSides(before[0].values, after[0].values, of: 0)
  }
}

struct SignRule: UnaryRule, KinkedRule {
  static let signature = OperationSignature("sign", .sign)
  /// A number that is not a number stays one.
  func value(_ x: Double, batch: Int) -> Double { x > 0 ? 1 : x < 0 ? -1 : x }
  /// No change wherever there is a derivative.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] { [nil] }
  /// No change wherever there is a derivative.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? { nil }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    areOnOtherSides(before[0].values, after[0].values, of: 0)
  }
}

struct PowerRule: UnaryRule {
  let exponent: Double
  static let signature = OperationSignature("power", attributes: 1...1, "an exponent") {
    $0.number(0).map { .power($0) }
  }
  var attributes: [Attribute] { [.number(exponent)] }

  /// By repeated squaring for whole exponents, else `e^(exponent · log x)`.
  func value(_ x: Double, batch: Int) -> Double {
    guard let whole = Int32(exactly: exponent) else {
      return Elementary.exp(exponent * Elementary.log(x))
    }
    var (result, factor, rest) = (1.0, x, whole.magnitude)
    while rest > 0 {
      if rest & 1 == 1 { result *= factor }
      factor *= factor
      rest >>= 1
    }
    return whole < 0 ? 1 / result : result
  }

  /// `c · exponent · x^(exponent − 1)`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let scaled = try graph.scale(call.cotangent, by: exponent)
    let lower = exponent - 1
    if lower == 0 { return [scaled] }
    let operation: Graph.Operation? = lower == 1 ? nil : lower == 2 ? .square : .power(lower)
    let slope = try operation.map { (found) throws(GraphError) in
      try graph.add(found, call.inputs)
    }
    return [try graph.add(.multiply, [scaled, slope ?? call.inputs[0]])]
  }
  /// `t · exponent · x^(exponent − 1)`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let slope = try graph.scale(graph.power(call.inputs[0], exponent - 1), by: exponent)
    return try graph.product(call.tangent, slope)
  }
}

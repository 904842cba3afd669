// Elementwise operations on two operands, which broadcast.
import Tensors

extension SymbolicShape {
  /// The shape of an elementwise operation on operands of these shapes.
  ///
  /// Aligned at the last axis; extents agree, or one of them is 1 or missing.
  static func broadcast(
    _ lhs: SymbolicShape, _ rhs: SymbolicShape
  ) throws(ShapeFault) -> SymbolicShape {
    let count = max(lhs.axisCount, rhs.axisCount)
    var extents: [Extent] = []
    for axis in 0..<count {
      let l = axis - count + lhs.axisCount
      let r = axis - count + rhs.axisCount
      switch (l >= 0 ? lhs[l] : 1, r >= 0 ? rhs[r] : 1) {
      case (let a, let b) where a == b: extents.append(a)
      case (1, let b): extents.append(b)
      case (let a, 1): extents.append(a)
      case (let a, let b):
        throw ShapeFault(
          "operands disagree on axis \(axis - count) (\(a) and \(b)): \(lhs) and \(rhs)")
      }
    }
    return SymbolicShape(extents)
  }

  /// The axes of `self` along which an operand of shape `operand` is repeated.
  func repeatedAxes(of operand: SymbolicShape) -> [Int] {
    let missing = axisCount - operand.axisCount
    return extents.indices.filter { axis in
      axis < missing || (operand[axis - missing] == 1 && self[axis] != 1)
    }
  }
}

extension Shape {
  /// For each element of `self` in order, the index of the element of `operand` it is made from.
  func sourceIndices(of operand: Shape) -> [Int] {
    let missing = axisCount - operand.axisCount
    var strides = Array(repeating: 0, count: axisCount)
    var stride = 1
    for axis in (0..<operand.axisCount).reversed() {
      if operand[axis] != 1 { strides[axis + missing] = stride }
      stride *= operand[axis]
    }
    var indices = [0]
    for axis in 0..<axisCount {
      indices = indices.flatMap { base in (0..<self[axis]).map { base + $0 * strides[axis] } }
    }
    return indices
  }
}

/// An elementwise operation on two operands.
protocol BinaryRule: ElementwiseRule {
  func value(_ a: Double, _ b: Double) -> Double
}

extension BinaryRule {
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    try SymbolicShape.broadcast(inputs[0], inputs[1])
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    if inputs[0].shape == inputs[1].shape {
      return Tensor(shape: shape, values: zip(inputs[0].values, inputs[1].values).map(value))
    }
    let (a, b) = (
      shape.sourceIndices(of: inputs[0].shape), shape.sourceIndices(of: inputs[1].shape)
    )
    return Tensor(
      shape: shape, values: zip(a, b).map { value(inputs[0].values[$0], inputs[1].values[$1]) })
  }
}

struct AddRule: BinaryRule {
  static let signature = OperationSignature("add", operands: 2, .add)
  var symbol: String { "+" }
  func value(_ a: Double, _ b: Double) -> Double { a + b }
  /// `c` for both.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [
      call.isWanted[0] ? try graph.reduced(call.cotangent, toShapeOf: call.inputs[0]) : nil,
      call.isWanted[1] ? try graph.reduced(call.cotangent, toShapeOf: call.inputs[1]) : nil,
    ]
  }
  /// The sum of the tangents.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.sum(call.tangents[0], call.tangents[1], shape: graph.shape(of: call.node))
  }
}

struct SubtractRule: BinaryRule {
  static let signature = OperationSignature("subtract", operands: 2, .subtract)
  var symbol: String { "−" }
  func value(_ a: Double, _ b: Double) -> Double { a - b }
  /// `c` and `−c`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    var results: [Graph.Node?] = [nil, nil]
    if call.isWanted[0] {
      results[0] = try graph.reduced(call.cotangent, toShapeOf: call.inputs[0])
    }
    if call.isWanted[1] {
      let reduced = try graph.reduced(call.cotangent, toShapeOf: call.inputs[1])
      results[1] = try graph.scale(reduced, by: -1)
    }
    return results
  }
  /// The difference of the tangents.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let opposite = try graph.scaled(call.tangents[1], by: -1)
    return try graph.sum(call.tangents[0], opposite, shape: graph.shape(of: call.node))
  }
}

struct MultiplyRule: BinaryRule {
  static let signature = OperationSignature("multiply", operands: 2, .multiply)
  var symbol: String { "×" }
  func value(_ a: Double, _ b: Double) -> Double { a * b }
  /// `c · b` and `c · a`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    var results: [Graph.Node?] = [nil, nil]
    for (index, other) in [(0, 1), (1, 0)] where call.isWanted[index] {
      let product = try graph.add(.multiply, [call.cotangent, call.inputs[other]])
      results[index] = try graph.reduced(product, toShapeOf: call.inputs[index])
    }
    return results
  }
  /// `s · b + t · a`, of the tangents s of a and t of b.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.sum(
      graph.product(call.tangents[0], call.inputs[1]),
      graph.product(call.tangents[1], call.inputs[0]),
      shape: graph.shape(of: call.node))
  }
}

struct DivideRule: BinaryRule {
  static let signature = OperationSignature("divide", operands: 2, .divide)
  var symbol: String { "÷" }
  func value(_ a: Double, _ b: Double) -> Double { a / b }
  /// `c / b` and `−c · y / b`.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let quotient = try graph.add(.divide, [call.cotangent, call.inputs[1]])
    var results: [Graph.Node?] = [nil, nil]
    if call.isWanted[0] { results[0] = try graph.reduced(quotient, toShapeOf: call.inputs[0]) }
    if call.isWanted[1] {
      let product = try graph.add(.multiply, [quotient, call.node])
      let reduced = try graph.reduced(product, toShapeOf: call.inputs[1])
      results[1] = try graph.scale(reduced, by: -1)
    }
    return results
  }
  /// `(s − t · y) / b`, of the tangents s of a and t of b.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let slope = try graph.scaled(graph.product(call.tangents[1], call.node), by: -1)
    let moved = try graph.sum(call.tangents[0], slope, shape: graph.shape(of: call.node))
    return try graph.quotient(moved, call.inputs[1])
  }
}

struct MaximumRule: BinaryRule, KinkedRule {
  static let signature = OperationSignature("maximum", operands: 2, .maximum)
  var symbol: String { "max" }
  /// Not a number if either operand is not.
  func value(_ a: Double, _ b: Double) -> Double { a < b ? b : b < a ? a : a * 0.5 + b * 0.5 }

  /// `c · (1 ± sign(a − b)) / 2`: where the operands are equal, half for each.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let difference = try graph.add(.subtract, call.inputs)
    let sign = try graph.add(.sign, [difference])
    let one = graph.fill(1, shape: graph.shape(of: sign))
    var results: [Graph.Node?] = [nil, nil]
    for (index, operation) in [(0, Graph.Operation.add), (1, .subtract)]
    where call.isWanted[index] {
      let share = try graph.scale(graph.add(operation, [one, sign]), by: 0.5)
      let product = try graph.add(.multiply, [call.cotangent, share])
      results[index] = try graph.reduced(product, toShapeOf: call.inputs[index])
    }
    return results
  }
  /// Each tangent times `(1 ± sign(a − b)) / 2`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let side = try graph.add(.sign, [graph.add(.subtract, call.inputs)])
    let one = graph.fill(1, shape: graph.shape(of: side))
    let first = try graph.scale(graph.add(.add, [one, side]), by: 0.5)
    let second = try graph.scale(graph.add(.subtract, [one, side]), by: 0.5)
    return try graph.sum(
      graph.product(call.tangents[0], first), graph.product(call.tangents[1], second),
      shape: graph.shape(of: call.node))
  }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    func differences(_ operands: [Tensor]) -> [Double] {
      let shape =
        (try? SymbolicShape.broadcast(
          SymbolicShape(operands[0].shape), SymbolicShape(operands[1].shape)))?.resolved(batch: 1)
      guard let shape else { return [] }
      let indices = operands.map { shape.sourceIndices(of: $0.shape) }
      return zip(indices[0], indices[1]).map { operands[0].values[$0] - operands[1].values[$1] }
    }
    return areOnOtherSides(differences(before), differences(after), of: 0)
  }
}

// Sums, means and squared norms over axes, which drop the axes they reduce.
import Tensors

protocol ReductionRule: OperationRule {
  var axes: [Int] { get }
  /// Returns the term that one element adds to the sum.
  func term(_ x: Double) -> Double
  /// Returns the factor of the sum, from the shape of the operand.
  func factor(_ input: SymbolicShape) -> Factor
}

extension ReductionRule {
  func factor(_ input: SymbolicShape) -> Factor { Factor(1) }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let axisCount = inputs[0].axisCount
    guard axes.allSatisfy((0..<axisCount).contains), Set(axes).count == axes.count else {
      throw ShapeFault("found axes \(axes), expected different ones of 0 ..< \(axisCount)")
    }
    return inputs[0].removing(axes: axes)
  }

  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let input = inputs[0]
    let kept = Shape(
      input.shape.extents.indices.map { axes.contains($0) ? 1 : input.shape[$0] })
    var sums = Array(repeating: 0.0, count: shape.count)
    for (value, target) in zip(input.values, input.shape.sourceIndices(of: kept)) {
      sums[target] += term(value)
    }
    let factor = factor(SymbolicShape(input.shape)).resolved(batch: batch)
    return Tensor(shape: shape, values: factor == 1 ? sums : sums.map { $0 * factor })
  }
}

struct SumRule: ReductionRule {
  let axes: [Int]
  static let signature = OperationSignature(
    "sum", attributes: 1...1, "a list of axes such as [0, 1]"
  ) {
    $0.axes(0).map { .sum(axes: $0) }
  }
  var attributes: [Attribute] { [.axes(axes)] }
  var symbol: String { "Σ" }
  func term(_ x: Double) -> Double { x }
  /// `c`, repeated.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.expanded(call.cotangent, along: axes, toShapeOf: call.inputs[0])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  var sumsRows: Bool { true }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    !axes.contains(0)
  }
}

struct MeanRule: ReductionRule {
  let axes: [Int]
  static let signature = OperationSignature(
    "mean", attributes: 1...1, "a list of axes such as [0, 1]"
  ) {
    $0.axes(0).map { .mean(axes: $0) }
  }
  var attributes: [Attribute] { [.axes(axes)] }
  func term(_ x: Double) -> Double { x }
  /// One over the number of elements that are averaged.
  func factor(_ input: SymbolicShape) -> Factor {
    let reduced = SymbolicShape(axes.map { input[$0] })
    return Factor(1 / Double(reduced.fixedCount), batchPower: -reduced.batchAxisCount)
  }
  /// `c / n`, repeated.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let factor = factor(graph.shape(of: call.inputs[0]))
    let scaled = try graph.add(.scale(factor), [call.cotangent])
    return [try graph.expanded(scaled, along: axes, toShapeOf: call.inputs[0])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    !axes.contains(0)
  }
}

struct SquaredNormRule: ReductionRule {
  let axes: [Int]
  static let signature = OperationSignature(
    "squared_norm", attributes: 1...1, "a list of axes such as [0, 1]"
  ) {
    $0.axes(0).map { .squaredNorm(axes: $0) }
  }
  var attributes: [Attribute] { [.axes(axes)] }
  func term(_ x: Double) -> Double { x * x }
  /// `2c · x`, with `c` repeated.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let doubled = try graph.scale(call.cotangent, by: 2)
    let kept = graph.shape(of: call.inputs[0]).flattening(axes: axes)
    let column = try graph.add(.reshape(kept), [doubled])
    return [try graph.add(.multiply, [column, call.inputs[0]])]
  }
  /// The sum of `t · 2x`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.product(call.tangent, graph.scale(call.inputs[0], by: 2)).map {
      (p) throws(GraphError) in
      try graph.add(.sum(axes: axes), [p])
    }
  }
  var sumsRows: Bool { true }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    !axes.contains(0)
  }
}

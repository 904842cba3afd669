// Softmax cross-entropy from logits, fused so that it is stable, and its gradient.
import Numerics
import Tensors

private func requireLogits(
  _ logits: SymbolicShape, _ labels: SymbolicShape
) throws(ShapeFault) {
  guard logits.axisCount == 2 else {
    throw ShapeFault("logits have shape \(logits), expected [batch, classes]")
  }
  guard labels.axisCount == 1, labels[0] == logits[0] else {
    throw ShapeFault("labels have shape \(labels), expected [\(logits[0])]")
  }
}

/// The class numbers of `labels`, all checked; the interpreter adds whose they are.
func classNumbers(_ labels: Tensor, classes: Int) throws(GraphError) -> [Int] {
  var numbers: [Int] = []
  for (row, label) in labels.values.enumerated() {
    guard label >= 0, label < Double(classes), label == label.rounded() else {
      throw .label("", row: row, found: label, classes: classes)
    }
    numbers.append(Int(label))
  }
  return numbers
}

struct CrossEntropyRule: OperationRule {
  static let signature = OperationSignature(
    "softmax_cross_entropy", operands: 2, labels: 1, .softmaxCrossEntropy)
  var label: String { "softmax cross-entropy" }

  /// `[batch, classes]` and `[batch]` give `[batch]`.
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    try requireLogits(inputs[0], inputs[1])
    return inputs[1]
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [
      try graph.add(
        .softmaxCrossEntropyGradient, [call.cotangent, call.inputs[0], call.inputs[1]]),
      nil,
    ]
  }
  /// `Σⱼ tⱼ (softmax(z)ⱼ − oneHotⱼ)`.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let residual = try graph.residual(logits: call.inputs[0], labels: call.inputs[1])
    return try graph.product(call.tangent, residual).map { (p) throws(GraphError) in
      try graph.add(.sum(axes: [1]), [p])
    }
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let classes = inputs[0].shape[1]
    let labels = try classNumbers(inputs[1], classes: classes)
    return Tensor(
      shape: shape,
      values: labels.enumerated().map { row, label in
        let logits = inputs[0].values[row * classes..<(row + 1) * classes]
        return logSumExp(logits) - logits[row * classes + label]
      })
  }
}

struct CrossEntropyGradientRule: OperationRule {
  static let signature = OperationSignature(
    "softmax_cross_entropy_gradient", operands: 3, labels: 2, .softmaxCrossEntropyGradient)
  var label: String { "softmax − one-hot" }

  /// `[batch]`, `[batch, classes]` and `[batch]` give `[batch, classes]`.
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    try requireLogits(inputs[1], inputs[2])
    guard inputs[0] == inputs[2] else {
      throw ShapeFault("cotangent has shape \(inputs[0]), expected \(inputs[2])")
    }
    return inputs[1]
  }

  /// With `p = softmax(z)` and `C` the cotangent: `Σⱼ Cⱼ (pⱼ − oneHotⱼ)` for `c`, and
  /// `c · p · (C − Σⱼ Cⱼ pⱼ)` for the logits.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let (c, logits, labels) = (call.inputs[0], call.inputs[1], call.inputs[2])
    let shape = graph.shape(of: logits)
    guard case .fixed(let classes) = shape[1] else {
      throw .operands(operation: label, name: nil, fault: "the number of classes is not fixed")
    }
    let column = shape.flattening(axes: [1])
    let probabilities = try graph.add(.softmax, [logits])
    var results: [Graph.Node?] = [nil, nil, nil]
    if call.isWanted[0] {
      let hot = try graph.add(.oneHot(classes: classes), [labels])
      let residual = try graph.add(.subtract, [probabilities, hot])
      let product = try graph.add(.multiply, [call.cotangent, residual])
      results[0] = try graph.add(.sum(axes: [1]), [product])
    }
    if call.isWanted[1] {
      let weighted = try graph.add(.multiply, [call.cotangent, probabilities])
      let sum = try graph.reshape(graph.add(.sum(axes: [1]), [weighted]), to: column)
      let centered = try graph.add(.subtract, [call.cotangent, sum])
      let curved = try graph.add(.multiply, [probabilities, centered])
      results[1] = try graph.add(.multiply, [graph.reshape(c, to: column), curved])
    }
    return results
  }

  /// `s · (p − oneHot) + c · p · (t − Σⱼ tⱼ pⱼ)`, of `p = softmax(z)` and the tangents s of c and t of z.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let (c, logits, labels) = (call.inputs[0], call.inputs[1], call.inputs[2])
    let column = graph.shape(of: logits).flattening(axes: [1])
    let probabilities = try graph.add(.softmax, [logits])
    let moved = try graph.product(
      graph.centered(call.tangents[1], weights: probabilities), probabilities)
    let weight = try call.tangents[0].map { (t) throws(GraphError) in
      try graph.reshape(t, to: column)
    }
    return try graph.sum(
      graph.product(weight, graph.residual(logits: logits, labels: labels)),
      graph.product(moved, graph.reshape(c, to: column)), shape: graph.shape(of: call.node))
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let classes = inputs[1].shape[1]
    let labels = try classNumbers(inputs[2], classes: classes)
    var values: [Double] = []
    for (row, label) in labels.enumerated() {
      let logits = inputs[1].values[row * classes..<(row + 1) * classes]
      let total = logSumExp(logits)
      for (j, logit) in logits.enumerated() {
        let probability = Elementary.exp(logit - total)
        values.append(inputs[0].values[row] * (probability - (j == label ? 1 : 0)))
      }
    }
    return Tensor(shape: shape, values: values)
  }
}

struct OneHotRule: OperationRule {
  let classes: Int
  static let signature = OperationSignature(
    "one_hot", labels: 0, attributes: 1...1, "the number of classes"
  ) { $0.count(0).map { .oneHot(classes: $0) } }
  var attributes: [Attribute] { [.number(Double(classes))] }
  var label: String { "one-hot" }
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    SymbolicShape(inputs[0].extents + [.fixed(classes)])
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] { [nil] }
  /// Labels do not move.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? { nil }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let labels = try classNumbers(inputs[0], classes: classes)
    return Tensor(
      shape: shape,
      values: labels.flatMap { label in (0..<classes).map { $0 == label ? 1 : 0 } })
  }
}

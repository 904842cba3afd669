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
  var label: String { "softmax cross-entropy" }
  var inputCount: Int { 2 }
  func takesLabels(operand index: Int) -> Bool { index == 1 }

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
  var label: String { "softmax − one-hot" }
  var inputCount: Int { 3 }
  func takesLabels(operand index: Int) -> Bool { index == 2 }

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
      let centred = try graph.add(.subtract, [call.cotangent, sum])
      let curved = try graph.add(.multiply, [probabilities, centred])
      results[1] = try graph.add(.multiply, [graph.reshape(c, to: column), curved])
    }
    return results
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
  var label: String { "one-hot" }
  var inputCount: Int { 1 }
  func takesLabels(operand index: Int) -> Bool { true }
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    SymbolicShape(inputs[0].extents + [.fixed(classes)])
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] { [nil] }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let labels = try classNumbers(inputs[0], classes: classes)
    return Tensor(
      shape: shape,
      values: labels.flatMap { label in (0..<classes).map { $0 == label ? 1 : 0 } })
  }
}

// From a node to the kernel that computes it: one entry per operation.
import Graphs
import Kernels
import Tensors

extension PlanBuilder {
  /// Returns the call that computes `node`.
  ///
  /// - Throws: ``PlanError/kernel(node:reason:)`` if the library refuses to make a primitive.
  mutating func lower(_ node: Graph.Node, into target: Location) throws(PlanError) -> Call {
    Call(label: label(of: node), body: try body(of: node, into: target))
  }

  func label(of node: Graph.Node) -> String {
    let record = graph[node]
    var parts = [record.operation.label]
    if hasHalfOperands(node) { parts = ["bf16 " + parts[0]] }
    if let chain = chain(endingAt: node) {
      parts = [graph[chain.product].operation.label]
      if hasHalfOperands(chain.product) { parts = ["bf16 " + parts[0]] }
      if chain.bias != nil { parts.append("bias") }
      if chain.activation != .none { parts.append(record.operation.label) }
    } else if let noted = notedPooling(of: node), noted.gradient == node, noted.throughRelu {
      parts = ["max pool' + " + record.operation.label]
    } else if let gradient = gradient(with: node) {
      parts.append(graph[gradient].operation.label)
    } else if let pass = pass(endingAt: node) {
      parts = [label(of: pass.chain)]
    }
    let text = "\(parts.joined(separator: " + ")) → \(record.shape)"
    return (record.name ?? record.layer).map { "\($0): \(text)" } ?? text
  }

  private mutating func body(
    of node: Graph.Node, into target: Location
  ) throws(PlanError) -> (Bases) -> Void {
    if let chain = chain(endingAt: node) {
      if case .convolution(let window) = graph[chain.product].operation {
        return try convolution(
          chain.product, window, .forward(bias: chain.bias != nil), bias: chain.bias,
          activation: chain.activation, into: target)
      }
      return try product(
        chain.product, bias: chain.bias, activation: chain.activation, into: target)
    }
    if let noted = notedPooling(of: node) {
      return pooling(noted, for: node, into: target)
    }
    if let pass = pass(endingAt: node) {
      return self.pass(pass.chain, into: target, scratch: pass.scratch)
    }
    let record = graph[node]
    if let kernel = ElementKernel(record.operation, batch: batch) {
      return elementwise(kernel, node, into: target)
    }
    let shape = shape(of: node)
    let count = shape.count
    let builder = self
    func input(_ index: Int) -> Location { builder.location(of: record.inputs[index]) }
    func inputShape(_ index: Int) -> Shape { builder.shape(of: record.inputs[index]) }
    func width(_ index: Int) -> Int { inputShape(index).extents.last ?? 1 }

    switch record.operation {
    case .data, .labels, .parameter, .constant, .fill, .reshape:
      preconditionFailure("node \(node.index) (\(record.operation.label)) needs no call")
    case .scale, .exp, .expm1, .log, .log1p, .softplus, .square, .sigmoid, .tanh, .relu, .sqrt,
      .abs, .sign, .erf, .power, .cap, .add, .subtract, .multiply, .divide, .maximum, .reluGradient,
      .sigmoidGradient,
      .tanhGradient:
      preconditionFailure("node \(node.index) (\(record.operation.label)) has an element kernel")
    case .dropoutMask(let mask):
      let columns = shape.extents.dropFirst().reduce(1, *)
      let (threshold, scale, stream) = (mask.threshold, Float(mask.scale), mask.stream)
      return {
        Dropout.mask(
          rows: shape[0], columns: columns, threshold: threshold, scale: scale, stream: stream,
          draws: $0.draws, into: $0[target])
      }
    case .matmul:
      return try product(node, bias: nil, activation: .none, into: target)
    case .sum(let axes): return reduction(node, axes: axes, scale: 1, into: target)
    case .mean(let axes):
      let reduced = axes.reduce(1) { $0 * inputShape(0)[$1] }
      return reduction(node, axes: axes, scale: 1 / Float(reduced), into: target)
    case .squaredNorm(let axes):
      let x = input(0)
      let columns = axes.reduce(1) { $0 * inputShape(0)[$1] }
      return {
        Rowwise.squaredNorm($0[x], rows: count, columns: columns, into: $0[target])
      }
    case .broadcast:
      let x = input(0)
      let plan = BroadcastPlan(inputShape(0), shape)
      return { plan.expand($0[x], into: $0[target]) }
    case .transpose:
      let (x, extents) = (input(0), inputShape(0).extents)
      let (rows, columns) = (extents[extents.count - 2], extents[extents.count - 1])
      let matrices = extents.dropLast(2).reduce(1, *)
      return {
        Selection.transpose(
          $0[x], count: matrices, rows: rows, columns: columns, into: $0[target])
      }
    case .permute(let order):
      let (x, strides) = (input(0), inputShape(0).strides)
      let moved = order.map { strides[$0] }
      return {
        Selection.permute($0[x], extents: shape.extents, strides: moved, into: $0[target])
      }
    case .slice(let axis, let start, _):
      let (x, whole) = (input(0), inputShape(0).split(at: [axis]))
      let (part, from) = (shape.split(at: [axis]), whole.middle * whole.inner)
      let length = part.middle * part.inner
      return {
        Selection.copy(
          $0[x] + start * part.inner, count: part.outer, length: length, from: from, to: length,
          into: $0[target])
      }
    case .pad(let axis, let before, _):
      let (x, part) = (input(0), inputShape(0).split(at: [axis]))
      let (length, to) = (part.middle * part.inner, shape.split(at: [axis]).middle * part.inner)
      return {
        Elementwise.fill(0, into: $0[target], count: count)
        Selection.copy(
          $0[x], count: part.outer, length: length, from: length, to: to,
          into: $0[target] + before * part.inner)
      }
    case .concatenate(let axis):
      let (a, b) = (input(0), input(1))
      let (first, second) = (inputShape(0).split(at: [axis]), inputShape(1).split(at: [axis]))
      let lengths = (first.middle * first.inner, second.middle * second.inner)
      let to = lengths.0 + lengths.1
      return {
        Selection.copy(
          $0[a], count: first.outer, length: lengths.0, from: lengths.0, to: to, into: $0[target])
        Selection.copy(
          $0[b], count: first.outer, length: lengths.1, from: lengths.1, to: to,
          into: $0[target] + lengths.0)
      }
    case .convolution(let window):
      return try convolution(
        node, window, .forward(bias: false), bias: nil, activation: .none, into: target)
    case .convolutionInputGradient(let window, _):
      return try convolution(
        node, window, .inputGradient, bias: nil, activation: .none, into: target)
    case .convolutionWeightGradient(let window):
      return try convolution(
        node, window, .weightGradient, bias: nil, activation: .none, into: target)
    case .maxPool(let pooling):
      let (x, window) = (input(0), imageWindow(pooling, over: inputShape(0), output: shape))
      return { window.maximum($0[x], into: $0[target]) }
    case .maxPoolGradient(let pooling):
      let (c, x) = (input(0), input(1))
      let window = imageWindow(pooling, over: shape, output: inputShape(0))
      return { window.maximumGradient($0[c], $0[x], into: $0[target]) }
    case .maxPoolSelection(let pooling):
      let (v, x) = (input(0), input(1))
      let window = imageWindow(pooling, over: inputShape(1), output: shape)
      return { window.selection($0[v], $0[x], into: $0[target]) }
    case .averagePool(let pooling):
      let (x, window) = (input(0), imageWindow(pooling, over: inputShape(0), output: shape))
      return { window.average($0[x], into: $0[target]) }
    case .averagePoolGradient(let pooling, _):
      let (c, window) = (input(0), imageWindow(pooling, over: shape, output: inputShape(0)))
      return { window.averageGradient($0[c], into: $0[target]) }
    case .total:
      let x = input(0)
      addTotal(Total(memory: .value(target), count: count), of: node)
      return { Elementwise.copy($0[x], into: $0[target], count: count) }
    case .normalize(let normalization):
      let (x, scale, shift) = (input(0), input(1), input(2))
      let (normalizer, measure) = measured(record.inputs[0], normalization)
      return {
        measure($0)
        normalizer.normalize($0[x], scale: $0[scale], shift: $0[shift], into: $0[target])
      }
    case .normalizeScaleGradient(let normalization):
      let (c, x) = (input(0), input(1))
      let (normalizer, measure) = measured(record.inputs[1], normalization)
      return {
        measure($0)
        normalizer.scaleGradient($0[c], $0[x], into: $0[target])
      }
    case .normalizeInputGradient(let normalization):
      let (c, x, scale, s, t) = (input(0), input(1), input(2), input(3), input(4))
      let (normalizer, measure) = measured(record.inputs[1], normalization)
      return {
        measure($0)
        normalizer.inputGradient(
          $0[c], $0[x], scale: $0[scale], scaleGradient: $0[s], shiftGradient: $0[t],
          into: $0[target])
      }
    case .moments(let normalization):
      let groups = count / 2
      let (normalizer, measure) = measured(record.inputs[0], normalization)
      return {
        measure($0)
        normalizer.moments(means: $0[target], variances: $0[target] + groups)
      }
    case .variance(let axes):
      let (x, split) = (input(0), inputShape(0).split(at: axes))
      let normalizer = Normalizer(
        outer: split.outer, middle: split.middle, inner: split.inner, epsilon: 0)
      return { normalizer.variances($0[x], into: $0[target]) }
    case .gather:
      let (x, table, rows) = (input(0), inputShape(0), inputShape(1).count)
      let (classes, columns) = (table[0], table.axisCount == 2 ? table[1] : 1)
      let labels = labelBuffer(of: record.inputs[1])
      return {
        Selection.gather(
          $0[x], labels: labels.pointer, rows: rows, classes: classes, columns: columns,
          into: $0[target])
      }
    case .embedding:
      let (x, numbers, table) = (input(0), input(1), inputShape(0))
      let numberCount = inputShape(1).count
      return {
        Embedding.rows(
          of: $0[x], count: table[0], units: table[1], numbers: $0[numbers],
          numberCount: numberCount, into: $0[target])
      }
    case .embeddingGradient(let count):
      let (c, numbers, numberCount) = (input(0), input(1), inputShape(1).count)
      return {
        Embedding.sums(
          $0[c], numbers: $0[numbers], numberCount: numberCount, count: count, units: shape[1],
          into: $0[target])
      }
    case .softmax:
      let (x, columns) = (input(0), width(0))
      let rows = columns == 0 ? 0 : count / columns
      return { Rowwise.softmax($0[x], rows: rows, columns: columns, into: $0[target]) }
    case .logSoftmax:
      let (x, columns) = (input(0), width(0))
      let rows = columns == 0 ? 0 : count / columns
      return { Rowwise.logSoftmax($0[x], rows: rows, columns: columns, into: $0[target]) }
    case .logSumExp:
      let (x, columns) = (input(0), width(0))
      return { Rowwise.logSumExp($0[x], rows: count, columns: columns, into: $0[target]) }
    case .softmaxCrossEntropy:
      let (z, classes) = (input(0), width(0))
      let labels = labelBuffer(of: record.inputs[1])
      if let gradient = gradient(with: node) {
        let (c, g) = (location(of: graph[gradient].inputs[0]), location(of: gradient))
        return {
          Loss.softmaxCrossEntropyGradient(
            cotangent: $0[c], logits: $0[z], labels: labels.pointer, rows: count,
            classes: classes, losses: $0[target], into: $0[g])
        }
      }
      return {
        Loss.softmaxCrossEntropy(
          logits: $0[z], labels: labels.pointer, rows: count, classes: classes, into: $0[target])
      }
    case .softmaxCrossEntropyGradient:
      let (c, z, classes, rows) = (input(0), input(1), width(1), shape[0])
      let labels = labelBuffer(of: record.inputs[2])
      return {
        Loss.softmaxCrossEntropyGradient(
          cotangent: $0[c], logits: $0[z], labels: labels.pointer, rows: rows, classes: classes,
          into: $0[target])
      }
    case .oneHot(let classes):
      let labels = labelBuffer(of: record.inputs[0])
      let rows = inputShape(0).count
      return {
        Loss.oneHot(labels.pointer, rows: rows, classes: classes, into: $0[target])
      }
    case .meanSquaredError:
      let (a, b) = (input(0), input(1))
      let columns = inputShape(0).count / max(count, 1)
      return {
        Rowwise.squaredDistance(
          $0[a], $0[b], rows: count, columns: columns, scale: 1 / Float(columns), into: $0[target])
      }
    }
  }

  /// The statistics of a value over axes, and what takes them before they are used: nothing where that has
  /// been done.
  private mutating func measured(
    _ node: Graph.Node, _ normalization: Normalization
  ) -> (normalizer: Normalizer, measure: (Bases) -> Void) {
    let x = location(of: node)
    let (normalizer, isNew) = normalizer(of: node, normalization)
    guard isNew else { return (normalizer, { _ in }) }
    guard normalization.isTotal else { return (normalizer, { normalizer.measure($0[x]) }) }
    let name = graph[node].layer.map { "\($0): " } ?? ""
    addCall(Call(label: "\(name)sums to be totalled") { normalizer.sum($0[x]) })
    addTotal(of: normalizer.totals)
    addCall(Call(label: "\(name)squares to be totalled") { normalizer.sumSquares($0[x]) })
    addTotal(of: normalizer.totals)
    return (normalizer, { _ in normalizer.takeDeviations() })
  }

  private func reduction(
    _ node: Graph.Node, axes: [Int], scale: Float, into target: Location
  ) -> (Bases) -> Void {
    let input = graph[node].inputs[0]
    let (x, (outer, middle, inner)) = (location(of: input), shape(of: input).split(at: axes))
    return {
      Reduction.sum(
        $0[x], outer: outer, middle: middle, inner: inner, into: $0[target], scale: scale)
    }
  }

  private func product(
    _ node: Graph.Node, bias: Graph.Node?, activation: Matmul.Activation, into target: Location
  ) throws(PlanError) -> (Bases) -> Void {
    let record = graph[node]
    guard case .matmul(let transposeLHS, let transposeRHS) = record.operation else {
      preconditionFailure("node \(node.index) is no product")
    }
    if let half = try halfProduct(node, bias: bias, activation: activation, into: target) {
      return half
    }
    let (a, b) = (location(of: record.inputs[0]), location(of: record.inputs[1]))
    let result = shape(of: node)
    let matmul: Matmul
    do {
      matmul = try Matmul(
        rows: result[0], columns: result[1],
        depth: shape(of: record.inputs[0])[transposeLHS ? 0 : 1], transposeLHS: transposeLHS,
        transposeRHS: transposeRHS, bias: bias != nil, activation: activation)
    } catch {
      throw .kernel(node: label(of: node), reason: "\(error)")
    }
    guard let bias else {
      return { matmul.run(lhs: $0[a], rhs: $0[b], bias: nil, into: $0[target]) }
    }
    let biasLocation = location(of: bias)
    return { matmul.run(lhs: $0[a], rhs: $0[b], bias: $0[biasLocation], into: $0[target]) }
  }
}

extension Shape {
  /// The elements from one index of each axis to the next.
  fileprivate var strides: [Int] {
    extents.indices.map { extents[($0 + 1)...].reduce(1, *) }
  }
}

// From a node, and what is computed with it, to steps.
import Graphs
import Tensors

extension Scheduler {
  /// Appends the steps that compute a node and what is computed with it.
  mutating func schedule(_ node: Graph.Node) {
    if let fused = fusion.products[node] {
      addProduct(fused, for: node)
    } else if let pooling = fusion.poolings[node] {
      addPooling(pooling, for: node)
    } else if let chain = fusion.chains[node] {
      addChain(chain)
    } else if let gradient = fusion.lossGradients[node] {
      let inputs = graph[gradient].inputs
      add(
        node, .crossEntropyWithGradient, [inputs[1], inputs[2], inputs[0]].map { value(of: $0) },
        results: [value(of: node), value(of: gradient)])
    } else {
      addOperation(node)
    }
  }

  // MARK: Steps of several nodes.

  private mutating func addProduct(_ fused: FusedProduct, for node: Graph.Node) {
    let operands = graph[fused.product].inputs + (fused.bias.map { [$0] } ?? [])
    let product = Step.Product(
      operation: graph[fused.product].operation, hasBias: fused.bias != nil,
      activation: fused.activation, precision: precision(of: fused.product))
    let dependence = graph.rowDependence(of: fused.product)
    // An activation of a sum is no sum.
    let isSum = dependence == .sumOverRows && fused.bias == nil && fused.activation == nil
    add(
      node, .product(product), operands.map { value(of: $0) }, results: [value(of: node)],
      rows: dependence == .rowByRow || isSum ? dependence : .byMicrobatch)
  }

  private mutating func addPooling(_ found: PoolingWithIndices, for node: Graph.Node) {
    guard case .maxPool(let pooling) = graph[found.pooling].operation else {
      preconditionFailure("node \(found.pooling.index) is no max pooling")
    }
    let indices = indices(of: found)
    if node == found.gradient {
      add(
        node, .maxPoolGradientFromIndices(pooling), [value(of: found.cotangent), indices],
        results: [value(of: node)])
    } else {
      add(
        node, .maxPoolWithIndices(pooling, throughRelu: found.throughRelu),
        [value(of: graph[node].inputs[0])], results: [value(of: node), indices])
    }
  }

  private mutating func addChain(_ found: ElementwiseChain) {
    guard let scratch = scratches[found.last] else {
      preconditionFailure("the chain of node \(found.last.index) has no scratch")
    }
    let results = found.nodes.filter { $0 == found.last || found.kept.contains($0) }
    let isRowByRow = found.nodes.allSatisfy { graph.rowDependence(of: $0) == .rowByRow }
    add(
      found.last, .chain(chain(found, scratch: scratch)), found.operands.map { value(of: $0) },
      results: results.map { value(of: $0) }, rows: isRowByRow ? .rowByRow : .byMicrobatch)
  }

  // MARK: Steps of one node.

  private mutating func addOperation(_ node: Graph.Node) {
    let record = graph[node]
    var operands = record.inputs.map { value(of: $0) }
    var results = [value(of: node)]
    switch record.operation {
    case .matmul, .convolution, .convolutionInputGradient, .convolutionWeightGradient:
      let product = Step.Product(
        operation: record.operation, hasBias: false, activation: nil,
        precision: precision(of: node))
      add(node, .product(product), operands, results: results)
      return
    case .crossMicrobatchSum: addSum(results[0], of: node)
    case .normalize(let normalization), .moments(let normalization):
      operands.append(takeStatistics(of: record.inputs[0], normalization, for: node))
    case .normalizeScaleGradient(let normalization), .normalizeInputGradient(let normalization):
      operands.append(takeStatistics(of: record.inputs[1], normalization, for: node))
    case .variance(let axes):
      results.append(placeStatistics(of: record.inputs[0], Normalization(axes: axes)))
    default: break
    }
    add(node, .operation(record.operation), operands, results: results)
  }

  /// The statistics of a value over axes, and before their first use the steps that take them.
  private mutating func takeStatistics(
    of node: Graph.Node, _ normalization: Normalization, for user: Graph.Node
  ) -> Value {
    let (result, isNew) = statistics(of: node, normalization)
    guard isNew else { return result }
    let x = value(of: node)
    let name = graph[user].layer.map { "\($0): " } ?? ""
    func step(_ part: StatisticsPart, _ rows: RowDependence) -> Step {
      Step(
        label: "\(name)\(part.rawValue) → \(groupShape(of: x, normalization))",
        action: .statistics(part, normalization), operands: [x], results: [result], rows: rows,
        scope: scope(rows, [x], [result]))
    }
    guard normalization.spansMicrobatches else {
      let isRowByRow = x.shape.hasRows && !normalization.axes.contains(0)
      add(step(.all, isRowByRow ? .rowByRow : .byMicrobatch))
      return result
    }
    let (outer, _, inner) = shape(of: node).split(at: normalization.axes)
    let layout = StatisticsLayout(groupCount: outer * inner)
    let sums = Value(
      Location(.statistics, result.location.offset + layout.sums),
      [.fixed(layout.groupCount + 1)], result.spread)
    add(step(.sums, .sumOverRows))
    addSum(sums)
    add(step(.squares, .sumOverRows))
    addSum(sums)
    add(step(.deviations, .byMicrobatch))
    return result
  }

  private func groupShape(of x: Value, _ normalization: Normalization) -> SymbolicShape {
    x.shape.removing(axes: normalization.axes)
  }

  // MARK: Labels and rounding.

  private mutating func add(
    _ node: Graph.Node, _ action: Step.Action, _ operands: [Value], results: [Value],
    rows: RowDependence? = nil
  ) {
    if case .product(let product) = action, product.precision == .bfloat16 {
      for index in product.operation.roundedOperands { round(operands[index]) }
    }
    let rows = rows ?? graph.rowDependence(of: node)
    add(
      Step(
        label: label(of: node), action: action, operands: operands, results: results, rows: rows,
        scope: hasIndependentRows(action) ? scope(rows, operands, results) : .microbatch))
  }

  /// Returns true unless how many rows are computed at once decides the bits of each.
  private func hasIndependentRows(_ action: Step.Action) -> Bool {
    guard !group.isSingle, case .product(let product) = action else { return true }
    if case .matmul = product.operation {
      return preferences.independentProducts.contains(product.precision)
    }
    return preferences.independentConvolutions.contains(product.precision)
  }

  /// The precision of a product's operands: rounded where that is worth it.
  private func precision(of node: Graph.Node) -> OperandPrecision {
    guard let limits = preferences.roundedProducts else { return .float }
    let inputs = graph[node].inputs
    guard case .matmul(let transposeLHS, _) = graph[node].operation else {
      let isProduct = !graph[node].operation.roundedOperands.isEmpty
      let hasElements =
        min(shape(of: node).count, inputs.first.map { shape(of: $0).count } ?? 0) > 0
      return isProduct && hasElements ? .bfloat16 : .float
    }
    // For one row, whether it lies along the result or along what is summed.
    let result = graph.shape(of: node).resolved(batch: 1)
    let depth = graph.shape(of: inputs[0]).resolved(batch: 1)[transposeLHS ? 0 : 1]
    return result[1] >= limits.leastColumns && result.count * depth >= limits.leastMultiplyAdds
      ? .bfloat16 : .float
  }

  private func label(of node: Graph.Node) -> String {
    let record = graph[node]
    func name(_ node: Graph.Node) -> String {
      (precision(of: node) == .bfloat16 ? "bf16 " : "") + graph[node].operation.label
    }
    var parts = [name(node)]
    if let fused = fusion.products[node] {
      parts = [name(fused.product)]
      if fused.bias != nil { parts.append("bias") }
      if let activation = fused.activation { parts.append(activation.label) }
    } else if let pooling = fusion.poolings[node], pooling.gradient == node, pooling.throughRelu {
      parts = ["max pool' + " + record.operation.label]
    } else if let gradient = fusion.lossGradients[node] {
      parts.append(graph[gradient].operation.label)
    } else if let chain = fusion.chains[node] {
      parts = [label(of: chain)]
    }
    let text = "\(parts.joined(separator: " + ")) → \(record.shape)"
    return (record.name ?? record.layer).map { "\($0): \(text)" } ?? text
  }
}

extension Graph.Operation {
  /// The operands of a product that are rounded where any is; a convolution rounds its weights itself.
  package var roundedOperands: [Int] {
    if case .matmul = self { return [0, 1] }
    if case .convolution = self { return [0] }
    if case .convolutionInputGradient = self { return [0] }
    if case .convolutionWeightGradient = self { return [0, 1] }
    return []
  }
}

// The layers of a graph that was written as an expression: affine maps, activations, a loss.
import Graphs

extension DrawnGraph {
  /// Returns the graph with its nodes in layers, unless it has layers already or none can be inferred.
  ///
  /// A product of data and parameters is an affine layer with the sums that follow it; an activation
  /// is a layer; what comes after the last of these is the loss if it ends in one number per row. What
  /// goes back belongs to the layer whose derivative it is.
  func withLayers() -> DrawnGraph {
    guard !graph.nodes.contains(where: { graph[$0].layer != nil }) else { return self }
    var inference = LayerInference(self)
    guard inference.inferForward() else { return self }
    inference.inferBackward()
    var labeled = Graph()
    for node in graph.nodes {
      let record = graph[node]
      _ = labeled.append(
        Graph.Record(
          operation: record.operation, inputs: record.inputs, shape: record.shape,
          name: record.name, layer: inference.layers[node]))
    }
    var result = DrawnGraph(labeled, results: results, gradients: gradients)
    (result.layerKinds, result.values, result.rowCount) = (inference.kinds, values, rowCount)
    return result
  }
}

private struct LayerInference {
  private let drawn: DrawnGraph
  private let graph: Graph
  private let selection: Selection
  /// The nodes that depend on parameters.
  private var parametric: Set<Graph.Node> = []
  private var users: [Graph.Node: [Graph.Node]] = [:]
  private(set) var layers: [Graph.Node: String] = [:]
  private(set) var kinds: [String: String] = [:]
  private var counts: [String: Int] = [:]

  init(_ drawn: DrawnGraph) {
    self.drawn = drawn
    graph = drawn.graph
    selection = Selection(drawn)
    for node in selection.nodes {
      for input in Set(graph[node].inputs) { users[input, default: []].append(node) }
      let isParametric =
        graph[node].operation == .parameter
        || graph[node].inputs.contains(where: parametric.contains)
      if isParametric { parametric.insert(node) }
    }
  }

  private func isFlow(_ node: Graph.Node) -> Bool { selection.isFlow[node.index] }
  private func isBackward(_ node: Graph.Node) -> Bool { selection.isBackward[node.index] }
  private func isLeaf(_ node: Graph.Node) -> Bool { graph[node].inputs.isEmpty }

  private func forwardUsers(_ node: Graph.Node) -> [Graph.Node] {
    (users[node] ?? []).filter { !isBackward($0) }
  }

  /// The operands through which data flows.
  private func flowInputs(_ node: Graph.Node) -> [Graph.Node] {
    graph[node].inputs.filter(isFlow)
  }

  private mutating func newLayer(_ kind: String) -> String {
    counts[kind, default: 0] += 1
    let name = "\(kind)\(counts[kind] ?? 0)"
    kinds[name] = kind
    return name
  }

  /// Returns whether a node multiplies a value that depends on data by one that does not.
  private func isParametricProduct(_ node: Graph.Node) -> Bool {
    let inputs = graph[node].inputs
    switch graph[node].operation {
    case .matmul, .multiply:
      return flowInputs(node).count == 1 && inputs.contains { !isFlow($0) && holdsParameter($0) }
    default: return false
    }
  }

  private func holdsParameter(_ node: Graph.Node) -> Bool { parametric.contains(node) }

  /// Finds the layers of the forward pass; false if there are none.
  mutating func inferForward() -> Bool {
    for node in selection.nodes where !isLeaf(node) && !isBackward(node) && isFlow(node) {
      switch graph[node].operation {
      case .relu, .sigmoid, .tanh, .softmax, .logSoftmax:
        layers[node] = newLayer(graph[node].operation.label)
      case _ where isParametricProduct(node): layers[node] = newLayer("affine")
      default: continueAffine(node)
      }
    }
    guard !layers.isEmpty else { return false }
    takeShapings()
    renumber()
    inferLoss()
    return true
  }

  /// Takes a sum, or the reduction of a product, into the affine layers of its operands.
  private mutating func continueAffine(_ node: Graph.Node) {
    let flow = flowInputs(node)
    let before = flow.compactMap { layers[$0] }
    guard before.count == flow.count, let first = before.first,
      before.allSatisfy({ kinds[$0] == "affine" }),
      flow.allSatisfy({ forwardUsers($0).count == 1 })
    else { return }
    switch graph[node].operation {
    case .reshape, .broadcast, .transpose: break
    case .sum where graph[flow[0]].operation == .multiply: break
    case .add where flow.count == 2 || !graph[node].inputs.allSatisfy(isFlow): break
    case .subtract where !graph[node].inputs.allSatisfy(isFlow): break
    default: return
    }
    layers[node] = first
    for other in before where other != first {
      for (member, layer) in layers where layer == other { layers[member] = first }
    }
  }

  /// Assigns operations that only reshape the input of one layer to that layer.
  private mutating func takeShapings() {
    for node in selection.nodes.reversed() where layers[node] == nil && !isLeaf(node) {
      switch graph[node].operation {
      case .reshape, .broadcast, .transpose:
        let next = Set(forwardUsers(node).map { layers[$0] })
        if !isBackward(node), isFlow(node), next.count == 1, let layer = next.first {
          layers[node] = layer
        }
      default: break
      }
    }
  }

  /// Numbers the layers of each kind without gaps, in order.
  private mutating func renumber() {
    var names: [String: String] = [:]
    let oldKinds = kinds
    (counts, kinds) = ([:], [:])
    for node in selection.nodes {
      guard let layer = layers[node] else { continue }
      if names[layer] == nil { names[layer] = newLayer(oldKinds[layer] ?? layer) }
      layers[node] = names[layer]
    }
  }

  /// Collects the nodes that serve only the number per row at the end into a layer `loss`.
  private mutating func inferLoss() {
    guard drawn.results.count == 1, layers[drawn.results[0]] == nil,
      graph.shape(of: drawn.results[0]).fixedCount == 1
    else { return }
    kinds["loss"] = "loss"
    layers[drawn.results[0]] = "loss"
    for node in selection.nodes.reversed()
    where layers[node] == nil && !isLeaf(node) && !isBackward(node) && isFlow(node) {
      let next = forwardUsers(node)
      if !next.isEmpty, next.allSatisfy({ layers[$0] == "loss" }) { layers[node] = "loss" }
    }
  }

  /// Assigns backward nodes to the layers whose derivatives they compute.
  mutating func inferBackward() {
    var ownLayer: [Graph.Node: String] = [:]
    for (gradient, target) in drawn.gradients {
      guard isBackward(gradient) else { continue }
      // The layer that uses the parameter, perhaps in another shape.
      var next = forwardUsers(target)
      while let first = next.first, layers[first] == nil, !isFlow(first) {
        next = forwardUsers(first)
      }
      let candidates = next.compactMap { layers[$0] }
      ownLayer[gradient] = candidates.first { $0 != "loss" } ?? candidates.first
    }
    for node in selection.nodes.reversed() where isBackward(node) && ownLayer[node] == nil {
      // The product behind the sum over the rows.
      let next = users[node] ?? []
      guard next.count == 1, let layer = ownLayer[next[0]],
        graph[node].inputs.contains(where: { graph[$0].operation == .data })
      else { continue }
      ownLayer[node] = layer
    }
    let last = layers[drawn.results[0]]
    for node in selection.nodes where isBackward(node) && isFlow(node) {
      let inputs = graph[node].inputs
      var layer = ownLayer[node]
      switch graph[node].operation {
      case _ where graph[node].operation.isActivationGradient: layer = layers[inputs[1]]
      case .matmul, .multiply:
        let parameter = inputs.first { !isFlow($0) && holdsParameter($0) }
        layer =
          layer
          ?? parameter.flatMap { leaf in forwardUsers(leaf).compactMap { layers[$0] }.first }
      default: break
      }
      let before = inputs.filter(isBackward).max { $0.index < $1.index }
      layers[node] = layer ?? before.flatMap { layers[$0] } ?? last
    }
  }
}

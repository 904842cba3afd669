// Finds the nodes that one step computes together.
import Graphs
import Tensors

/// The groups of nodes that are computed together.
struct Fusion {
  /// Products with what follows them, by the last node.
  let products: [Graph.Node: FusedProduct]
  /// Poolings with indices, by the nodes of their maxima and of their gradients.
  let poolings: [Graph.Node: PoolingWithIndices]
  /// Chains, by the last node.
  let chains: [Graph.Node: ElementwiseChain]
  /// The gradients that are computed with the losses, by these.
  let lossGradients: [Graph.Node: Graph.Node]
  /// Nodes whose values the step of another node writes too, by that node.
  let computedWith: [Graph.Node: Graph.Node]
  /// Nodes that disappear.
  let absorbed: Set<Graph.Node>

  /// Finds what a backend computes together.
  init(
    _ graph: Graph, rowCount: Int, needed: [Bool], outputs: Set<Graph.Node>,
    preferences: BackendPreferences
  ) {
    let products =
      preferences.fusedActivations.map {
        fusedProducts(in: graph, needed: needed, outputs: outputs, activations: $0)
      } ?? (products: [:], absorbed: [])
    let pools = poolingsWithIndices(
      in: graph, needed: needed, outputs: outputs, largestWindow: preferences.largestIndexedWindow)
    let lossGradients =
      preferences.computesLossesWithGradients
      ? lossesWithGradient(in: graph, needed: needed, outputs: outputs) : [:]
    let taken = products.absorbed.union(pools.absorbed)
      .union(products.products.keys).union(pools.poolings.keys)
    let chains =
      preferences.chains.map {
        elementwiseChains(
          in: graph, batch: rowCount, needed: needed, outputs: outputs, taken: taken,
          early: Dictionary(uniqueKeysWithValues: lossGradients.map { ($1, $0) }),
          longestRow: $0.longestRow)
      } ?? [:]
    (self.products, poolings) = (products.products, pools.poolings)
    (self.chains, self.lossGradients) = (chains, lossGradients)
    absorbed = products.absorbed.union(pools.absorbed).union(
      chains.values.flatMap { chain in
        chain.nodes.filter { $0 != chain.last && !chain.kept.contains($0) }
      })
    computedWith = Dictionary(
      uniqueKeysWithValues: lossGradients.map { ($1, $0) }
        + chains.values.flatMap { chain in chain.kept.map { ($0, chain.last) } })
  }
}

/// A matrix product or convolution with what follows it: `activation(A·B + bias)`.
struct FusedProduct {
  /// The node of the product.
  let product: Graph.Node
  /// The node whose value is added to every row, if there is one.
  let bias: Graph.Node?
  /// The activation that is applied last, if there is one.
  let activation: Graph.Operation?
}

/// Finds the products whose bias and activation can be computed with them.
///
/// A node in the middle disappears, so nothing else may use it. Activations qualify because their
/// gradients need only their outputs.
///
/// - Parameters:
///   - graph: The graph.
///   - needed: Which nodes are computed at all.
///   - outputs: Nodes whose values must be there.
///   - activations: The activations that products apply.
/// - Returns: For the last node of each fused product, the product; and the nodes that disappear.
func fusedProducts(
  in graph: Graph, needed: [Bool], outputs: Set<Graph.Node>, activations: Set<Graph.Operation>
) -> (products: [Graph.Node: FusedProduct], absorbed: Set<Graph.Node>) {
  let uses = Uses(in: graph, needed: needed, outputs: outputs)
  var products: [Graph.Node: FusedProduct] = [:]
  var absorbed: Set<Graph.Node> = []
  for product in graph.nodes where needed[product.index] {
    switch graph[product].operation {
    case .matmul, .convolution: break
    default: continue
    }
    var last = product
    var members: Set = [product]
    var bias: Graph.Node?
    if let sum = uses.onlyUser(of: last), graph[sum].operation == .add,
      graph[sum].inputs[0] == last,
      graph.isParameterRow(graph[sum].inputs[1], of: last)
    {
      bias = graph[sum].inputs[1]
      last = sum
      members.insert(sum)
    }
    var activation: Graph.Operation?
    if let user = uses.onlyUser(of: last), activations.contains(graph[user].operation) {
      activation = graph[user].operation
      last = user
    }
    guard last != product else { continue }
    products[last] = FusedProduct(product: product, bias: bias, activation: activation)
    absorbed.formUnion(members.subtracting([last]))
  }
  return (products, absorbed)
}

/// A max pooling that saves the indices of its maxima for its gradient, so that the images are not read again.
struct PoolingWithIndices {
  /// The node of the maxima.
  let pooling: Graph.Node
  /// The node of the cotangent of the maxima.
  let cotangent: Graph.Node
  /// The node of the cotangent of the images; with a relu before them, of what the relu is applied to.
  let gradient: Graph.Node
  /// True if there is such a relu.
  let throughRelu: Bool
}

/// Finds the max poolings with one gradient.
///
/// - Parameters:
///   - graph: The graph.
///   - needed: Which nodes are computed at all.
///   - outputs: Nodes whose values must be there.
///   - largestWindow: The most elements of a window whose maximum has an index.
/// - Returns: For the nodes of maxima and of cotangents, the pooling; and the nodes that disappear.
func poolingsWithIndices(
  in graph: Graph, needed: [Bool], outputs: Set<Graph.Node>, largestWindow: Int
) -> (poolings: [Graph.Node: PoolingWithIndices], absorbed: Set<Graph.Node>) {
  let uses = Uses(in: graph, needed: needed, outputs: outputs)
  var poolings: [Graph.Node: PoolingWithIndices] = [:]
  var absorbed: Set<Graph.Node> = []
  for node in graph.nodes where needed[node.index] {
    guard case .maxPool(let pooling) = graph[node].operation,
      pooling.window.kernelCount <= largestWindow
    else { continue }
    let images = graph[node].inputs[0]
    let gradients = uses.of(images).filter {
      graph[$0].operation == .maxPoolGradient(pooling) && graph[$0].inputs[1] == images
    }
    guard gradients.count == 1, gradients[0].index > node.index else { continue }
    var last = gradients[0]
    if graph[images].operation == .relu, let user = uses.onlyUser(of: last),
      graph[user].operation == .reluGradient, graph[user].inputs == [last, images]
    {
      absorbed.insert(last)
      last = user
    }
    let found = PoolingWithIndices(
      pooling: node, cotangent: graph[gradients[0]].inputs[0], gradient: last,
      throughRelu: last != gradients[0])
    poolings[node] = found
    poolings[last] = found
  }
  return (poolings, absorbed)
}

/// Finds the cross-entropies whose gradient can be computed with them: what it is multiplied by is there.
///
/// - Returns: The nodes of gradients, by those of the losses.
func lossesWithGradient(
  in graph: Graph, needed: [Bool], outputs: Set<Graph.Node>
) -> [Graph.Node: Graph.Node] {
  let uses = Uses(in: graph, needed: needed, outputs: outputs)
  var pairs: [Graph.Node: Graph.Node] = [:]
  for loss in graph.nodes where needed[loss.index] && graph[loss].operation == .softmaxCrossEntropy
  {
    let gradients = uses.of(graph[loss].inputs[0]).filter {
      graph[$0].operation == .softmaxCrossEntropyGradient
        && Array(graph[$0].inputs.dropFirst()) == graph[loss].inputs
    }
    guard gradients.count == 1, gradients[0].index > loss.index, !outputs.contains(gradients[0])
    else { continue }
    let cotangent = graph[gradients[0]].inputs[0]
    if graph[cotangent].inputs.isEmpty || cotangent.index < loss.index {
      pairs[loss] = gradients[0]
    }
  }
  return pairs
}

/// The users of each node.
struct Uses {
  private var users: [Graph.Node: [Graph.Node]] = [:]
  private let outputs: Set<Graph.Node>

  init(in graph: Graph, needed: [Bool], outputs: Set<Graph.Node>) {
    self.outputs = outputs
    for node in graph.nodes where needed[node.index] {
      for input in graph[node].inputs { users[input, default: []].append(node) }
    }
  }

  func of(_ node: Graph.Node) -> [Graph.Node] { users[node] ?? [] }

  /// The one user of a node that may disappear.
  func onlyUser(of node: Graph.Node) -> Graph.Node? {
    guard !outputs.contains(node), let all = users[node], all.count == 1 else { return nil }
    return all[0]
  }
}

extension Graph {
  /// Returns true if a node is a parameter with one element per element of the last axis of another.
  fileprivate func isParameterRow(_ node: Node, of other: Node) -> Bool {
    let (row, width) = (shape(of: node), shape(of: other).extents.last)
    guard row.extents.last == width, row.extents.dropLast().allSatisfy({ $0 == 1 }) else {
      return false
    }
    var leaf = node
    while case .reshape = self[leaf].operation { leaf = self[leaf].inputs[0] }
    return self[leaf].operation == .parameter
  }
}

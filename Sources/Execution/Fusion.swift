// Which nodes one primitive computes together.
import Graphs
import Kernels
import Tensors

/// A matrix product or convolution with what follows it: `activation(A·B + bias)`.
struct FusedProduct {
  /// The node of the product.
  let product: Graph.Node
  /// The node whose value is added to every row, if there is one.
  let bias: Graph.Node?
  /// What is applied last.
  let activation: Matmul.Activation
}

/// Finds the products whose bias and activation can be computed with them.
///
/// A node in the middle disappears, so nothing else may use it. Activations qualify because their
/// gradients need only their outputs.
///
/// - Returns: For the last node of each fused chain, the chain; and the nodes that disappear.
func fusedProducts(
  in graph: Graph, needed: [Bool], outputs: Set<Graph.Node>
) -> (chains: [Graph.Node: FusedProduct], absorbed: Set<Graph.Node>) {
  let uses = Uses(in: graph, needed: needed, outputs: outputs)
  var chains: [Graph.Node: FusedProduct] = [:]
  var absorbed: Set<Graph.Node> = []
  for product in graph.nodes where needed[product.index] {
    switch graph[product].operation {
    case .matmul, .convolution: break
    default: continue
    }
    var last = product
    var chain: Set = [product]
    var bias: Graph.Node?
    if let sum = uses.onlyUser(of: last), graph[sum].operation == .add,
      graph[sum].inputs[0] == last,
      graph.isParameterRow(graph[sum].inputs[1], of: last)
    {
      bias = graph[sum].inputs[1]
      last = sum
      chain.insert(sum)
    }
    var activation = Matmul.Activation.none
    if let user = uses.onlyUser(of: last), let kind = Matmul.Activation(graph[user].operation) {
      activation = kind
      last = user
    }
    guard last != product else { continue }
    chains[last] = FusedProduct(product: product, bias: bias, activation: activation)
    absorbed.formUnion(chain.subtracting([last]))
  }
  return (chains, absorbed)
}

/// A max pooling that notes its choices for its gradient, so that the images need not be looked at again.
struct NotedPooling {
  /// The node of the maxima.
  let pooling: Graph.Node
  /// The node of the cotangent of the maxima.
  let cotangent: Graph.Node
  /// The node of the cotangent of the images; with a relu before them, of what the relu is applied to.
  let gradient: Graph.Node
  /// Whether there is such a relu.
  let throughRelu: Bool
}

/// Finds the max poolings with one gradient.
///
/// - Returns: For the nodes of maxima and of cotangents, the pooling; and the nodes that disappear.
func notedPoolings(
  in graph: Graph, needed: [Bool], outputs: Set<Graph.Node>
) -> (poolings: [Graph.Node: NotedPooling], absorbed: Set<Graph.Node>) {
  let uses = Uses(in: graph, needed: needed, outputs: outputs)
  var poolings: [Graph.Node: NotedPooling] = [:]
  var absorbed: Set<Graph.Node> = []
  for node in graph.nodes where needed[node.index] {
    guard case .maxPool(let pooling) = graph[node].operation,
      pooling.window.axes.reduce(1, { $0 * $1.kernel }) <= ImageWindow.choiceLimit
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
    let noted = NotedPooling(
      pooling: node, cotangent: graph[gradients[0]].inputs[0], gradient: last,
      throughRelu: last != gradients[0])
    poolings[node] = noted
    poolings[last] = noted
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

/// Which nodes use which.
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
  /// Whether a node is a parameter with one element per element of the last axis of another.
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

extension Matmul.Activation {
  /// The activation that a graph operation stands for, if a product can apply it.
  fileprivate init?(_ operation: Graph.Operation) {
    switch operation {
    case .relu: self = .relu
    case .sigmoid: self = .sigmoid
    case .tanh: self = .tanh
    default: return nil
    }
  }
}

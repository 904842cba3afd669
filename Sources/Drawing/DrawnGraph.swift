public import Graphs
public import Tensors

/// The amount of detail in a picture of a graph.
public enum Detail: String, CaseIterable, Sendable {
  /// Every element, every product and every sum is a node.
  case scalar
  /// Every operation, data array and parameter is a node.
  case tensor
  /// Parameters are written into the operations they serve; what is left is the flow of data.
  case operations
  /// One box a layer, with its formula; shapes stand on the arrows.
  case layers
  /// Columns of circles joined by weights.
  case network
  /// One line of text.
  case summary
}

/// The paper that a picture is drawn on.
public enum Background: String, CaseIterable, Sendable {
  /// White.
  case light
  /// Nearly black.
  case dark
}

/// A graph to be drawn, with its results and the nodes that hold gradients.
///
/// ```swift
/// var graph = Graph()
/// let x = try graph.data("x", shape: [.batch, 3])
/// let W = try graph.parameter("W", shape: [2, 3])
/// let loss = try graph.squaredNorm(graph.affine(x, weight: W))
/// let dot = try DrawnGraph(graph, results: [loss]).dot(detail: .tensor)
/// ```
///
/// Only nodes that a result or a gradient depends on are drawn.
public struct DrawnGraph: Sendable {
  /// The graph.
  public let graph: Graph
  /// The nodes of the forward pass.
  public let results: [Graph.Node]
  /// Each node that holds a gradient, with the node it is the gradient for.
  public let gradients: [(gradient: Graph.Node, of: Graph.Node)]
  /// The kind of each layer, where it is known, by the layer's name.
  public var layerKinds: [String: String] = [:]
  /// Values of parameters by name, which colour the weights of ``Detail/network``.
  public var values: [String: Tensor] = [:]
  /// The rows that stand for the batch where elements are drawn one by one.
  public var rowCount = 1

  /// Draws a graph forward.
  ///
  /// - Parameters:
  ///   - graph: The graph.
  ///   - results: The nodes it is drawn for; by default those that no other node uses.
  public init(_ graph: Graph, results: [Graph.Node]? = nil) {
    self.init(graph, results: results, gradients: [])
  }

  /// Draws a graph forward and backward, where the backward nodes are part of it.
  ///
  /// - Parameters:
  ///   - graph: The graph.
  ///   - results: The results of the forward pass; nil for the nodes that no other node uses.
  ///   - gradients: Each node that holds a gradient, with the node it is the gradient for.
  public init(
    _ graph: Graph, results: [Graph.Node]?,
    gradients: [(gradient: Graph.Node, of: Graph.Node)]
  ) {
    self.graph = graph
    let used = Set(graph.nodes.flatMap { graph[$0].inputs })
    self.results = results ?? graph.nodes.filter { !used.contains($0) }
    self.gradients = gradients
  }

  /// Draws a graph forward, and the gradient of the sum of `loss`, which is added for the picture.
  ///
  /// - Parameters:
  ///   - graph: The graph of `loss`.
  ///   - loss: The node that is differentiated.
  ///   - targets: The nodes it is differentiated by; all parameters by default.
  /// - Throws: `GraphError` where the graph cannot be differentiated.
  public init(
    _ graph: Graph, gradientOf loss: Graph.Node, withRespectTo targets: [Graph.Node]? = nil
  ) throws(GraphError) {
    var graph = graph
    let targets = targets ?? graph.parameters
    let gradients = try graph.gradient(of: loss, withRespectTo: targets)
    let (simple, kept) = graph.simplified(keeping: [loss] + targets + gradients)
    let pairs = targets.indices.map {
      (gradient: kept[1 + targets.count + $0], of: kept[1 + $0])
    }
    self.init(simple, results: [kept[0]], gradients: pairs)
  }
}

extension SymbolicShape {
  /// Returns whether both are the same but for axes of length 1.
  func isSame(butForUnitAxesAs other: SymbolicShape) -> Bool {
    extents.filter { $0 != 1 } == other.extents.filter { $0 != 1 }
  }
}

/// The nodes that are drawn, and the part of the picture each belongs to.
struct Selection {
  /// The nodes to draw, in order.
  let nodes: [Graph.Node]
  /// Indicates whether a node is there for a gradient alone.
  let isBackward: [Bool]
  /// Indicates whether a node depends on data.
  let isFlow: [Bool]
  /// Indicates whether a node depends only on constants of the graph.
  let isKnown: [Bool]
  /// Indicates whether a node only adds or drops axes of length 1.
  let isRelabeling: [Bool]

  init(_ drawn: DrawnGraph) {
    let graph = drawn.graph
    func needed(_ roots: [Graph.Node]) -> [Bool] {
      var isNeeded = Array(repeating: false, count: graph.count)
      for root in roots { isNeeded[root.index] = true }
      for node in graph.nodes.reversed() where isNeeded[node.index] {
        for input in graph[node].inputs { isNeeded[input.index] = true }
      }
      return isNeeded
    }
    let forward = needed(drawn.results)
    let backward = needed(drawn.gradients.map(\.gradient))
    nodes = graph.nodes.filter { forward[$0.index] || backward[$0.index] }
    isBackward = graph.nodes.map { node in
      switch graph[node].operation {
      case .data, .labels, .parameter: false
      default: !forward[node.index]
      }
    }
    var isFlow = Array(repeating: false, count: graph.count)
    for node in graph.nodes {
      switch graph[node].operation {
      case .data, .labels: isFlow[node.index] = true
      default: isFlow[node.index] = graph[node].inputs.contains { isFlow[$0.index] }
      }
    }
    self.isFlow = isFlow
    var isKnown = Array(repeating: false, count: graph.count)
    for node in graph.nodes {
      switch graph[node].operation {
      case .fill: isKnown[node.index] = true
      default:
        let inputs = graph[node].inputs
        isKnown[node.index] = !inputs.isEmpty && inputs.allSatisfy { isKnown[$0.index] }
      }
    }
    self.isKnown = isKnown
    isRelabeling = graph.nodes.map { node in
      guard case .reshape(let shape) = graph[node].operation else { return false }
      return graph.shape(of: graph[node].inputs[0]).isSame(butForUnitAxesAs: shape)
    }
  }
}

// A graph as columns of units joined by weights, which is how textbooks draw networks.
import Graphs
import Tensors

/// The columns of a network and the links between them.
struct NetworkColumns {
  struct Column {
    var count: Int
    /// The letter of its units.
    var letter: MathText
    /// The number of a hidden column, where there are several.
    var index: Int?
    /// The function of the incoming sums, such as `relu`.
    var functions: [String] = []
    var name: String
    /// The names of single units that are arrays of their own.
    var unitNames: [MathText] = []
  }

  /// The weights between a column and the next.
  struct Link {
    var name: String
    var symbol: MathText
    /// Indicates whether the weight of output o and input i is at [o, i].
    var isOutputFirst: Bool
    var inputCount: Int
    /// The names of single weights that are arrays of their own.
    var weightNames: [MathText] = []

    func weight(_ output: Int, _ input: Int, _ tensor: Tensor) -> Double {
      isOutputFirst
        ? tensor.values[output * inputCount + input]
        : tensor.values[input * (tensor.values.count / max(inputCount, 1)) + output]
    }
  }

  var columns: [Column] = []
  var links: [Link] = []
  /// The operation that takes the outputs; nil if they end the graph.
  var loss: MathText?
  /// The other operands of that operation.
  var targets: [MathText] = []

  init(_ drawn: DrawnGraph) throws(DrawingError) {
    guard drawn.results.count <= 1 else {
      throw .notLayered(found: "\(drawn.results.count) results")
    }
    let (graph, naming) = (drawn.graph, LeafSymbols(drawn.graph))
    let selection = Selection(DrawnGraph(graph, results: drawn.results))
    let flow = selection.nodes.filter { selection.isFlow[$0.index] && !graph[$0].inputs.isEmpty }
    /// The column whose values a node holds, and whether they are past the units of that column.
    var position: [Graph.Node: (column: Int, isLoss: Bool)] = [:]
    var lossNodes: [Graph.Node] = []
    var functionNodes: [Int: [Graph.Node]] = [:]
    let sum = WeightedSum(graph, flow)
    if let sum {
      addColumns(sum, graph, naming)
      position[sum.root] = (1, false)
    }
    for node in flow where position[node] == nil && sum?.nodes.contains(node) != true {
      let record = graph[node]
      if let (input, link) = NetworkColumns.link(node, graph, selection, naming) {
        try addFirstColumn(behind: input, link, graph, naming, &position)
        guard let from = position[input], from.column == columns.count - 1, !from.isLoss else {
          throw .notLayered(found: "the product with \(link.symbol.plain) beside the chain")
        }
        links.append(link)
        let count = graph.shape(of: node).fixedCount
        columns.append(
          Column(
            count: count, letter: MathText("h", .italic), name: record.layer ?? ""))
        position[node] = (columns.count - 1, false)
        continue
      }
      let sources = record.inputs.filter { selection.isFlow[$0.index] }
      let places = sources.map { position[$0] }
      // Shaping of data before the first product.
      if places.allSatisfy({ $0 == nil }), columns.isEmpty { continue }
      guard let last = places.compactMap({ $0 }).max(by: { $0.column < $1.column }) else {
        continue
      }
      let isUnit = sources.count == 1 && !last.isLoss && NetworkColumns.keepsUnits(node, graph)
      guard isUnit else {
        position[node] = (last.column, true)
        lossNodes.append(node)
        continue
      }
      position[node] = (last.column, false)
      switch record.operation {
      case .reshape, .broadcast, .add, .subtract: break
      default:
        columns[last.column].functions.append(record.operation.label)
        functionNodes[last.column, default: []].append(node)
      }
    }
    guard !links.isEmpty else { throw .notLayered(found: "no product of data and parameters") }
    let last = columns.count - 1
    columns[last].letter = MathText("ŷ", .italic)
    // Before a loss, what is no activation is the loss's own.
    while !lossNodes.isEmpty, let node = functionNodes[last]?.popLast() {
      switch graph[node].operation {
      case .relu, .sigmoid, .tanh, .softmax, .logSoftmax: functionNodes[last] = []
      default:
        columns[last].functions.removeLast()
        position[node] = (last, true)
        lossNodes.insert(node, at: 0)
      }
    }
    if columns.count > 3 {
      for position in 1..<columns.count - 1 { columns[position].index = position }
    }
    try describeLoss(lossNodes, position, drawn, naming)
  }

  private mutating func addFirstColumn(
    behind input: Graph.Node, _ link: Link, _ graph: Graph, _ naming: LeafSymbols,
    _ position: inout [Graph.Node: (column: Int, isLoss: Bool)]
  ) throws(DrawingError) {
    guard columns.isEmpty else { return }
    var leaf = input
    while let next = graph[leaf].inputs.first {
      guard graph[leaf].inputs.count == 1 else {
        throw .notLayered(found: "more than one array of data before '\(link.name)'")
      }
      leaf = next
    }
    let name = graph[leaf].name ?? ""
    let text = naming.text(name)
    columns.append(
      Column(
        count: link.inputCount, letter: text.length == 1 ? text : MathText("x", .italic),
        name: name))
    position[input] = (0, false)
  }

  private mutating func describeLoss(
    _ nodes: [Graph.Node], _ position: [Graph.Node: (column: Int, isLoss: Bool)],
    _ drawn: DrawnGraph, _ naming: LeafSymbols
  ) throws(DrawingError) {
    guard let result = nodes.last else { return }
    let graph = drawn.graph
    let selection = Selection(drawn)
    // What stands on data and parameters alone may be part of the loss, hidden columns may not.
    let inside = Set(nodes).union(
      selection.nodes.filter { position[$0] == nil && !graph[$0].inputs.isEmpty })
    for input in nodes.flatMap({ graph[$0].inputs }) {
      guard let column = position[input]?.column, column != columns.count - 1, column != 0 else {
        continue
      }
      throw .notLayered(found: "an operation beside the chain")
    }
    var writer = FormulaWriter(graph, naming) {
      inside.contains($0) || !selection.isFlow[$0.index]
    }
    let (formula, operands) = writer.formula(of: result)
    // The outputs have a name in the picture.
    let text = formula.text.replacing("□", with: columns[columns.count - 1].letter)
    loss = text.length <= 44 ? text : MathText(graph[result].operation.label)
    if nodes.contains(where: { graph[$0].layer == "loss" }),
      let kind = drawn.layerKinds["loss"]
    {
      loss = MathText(kind)
    }
    targets = operands.compactMap { operand, _ in
      graph[operand].inputs.isEmpty ? graph[operand].name.map(naming.text) : nil
    }
  }

  /// The data side and the weights of a product of data and a parameter.
  private static func link(
    _ node: Graph.Node, _ graph: Graph, _ selection: Selection, _ naming: LeafSymbols
  ) -> (Graph.Node, Link)? {
    let record = graph[node]
    if let inner = innerProduct(node, graph, selection) {
      let name = graph[inner.weight].name ?? ""
      let count = graph.shape(of: inner.weight).fixedCount
      return (
        inner.data,
        Link(name: name, symbol: naming.text(name), isOutputFirst: true, inputCount: count)
      )
    }
    guard case .matmul(let transposeLHS, let transposeRHS) = record.operation else { return nil }
    for (weight, other, isOutputFirst) in [(1, 0, transposeRHS), (0, 1, !transposeLHS)] {
      let parameter = record.inputs[weight]
      guard graph[parameter].operation == .parameter, let name = graph[parameter].name,
        selection.isFlow[record.inputs[other].index]
      else { continue }
      let shape = graph.shape(of: parameter).resolved(batch: 1)
      return (
        record.inputs[other],
        Link(
          name: name, symbol: naming.text(name), isOutputFirst: isOutputFirst,
          inputCount: isOutputFirst ? shape[1] : shape[0])
      )
    }
    return nil
  }

  /// The operands of `x'·θ` if a node is the sum of the products of such vectors.
  private static func innerProduct(
    _ node: Graph.Node, _ graph: Graph, _ selection: Selection
  ) -> (data: Graph.Node, weight: Graph.Node)? {
    guard case .sum = graph[node].operation, graph.shape(of: node).fixedCount == 1 else {
      return nil
    }
    let product = graph[node].inputs[0]
    guard graph[product].operation == .multiply else { return nil }
    let inputs = graph[product].inputs
    for (data, weight) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])]
    where selection.isFlow[data.index] && graph[weight].operation == .parameter
      && graph.shape(of: weight).axisCount == 1
      && graph.shape(of: weight).fixedCount == graph.shape(of: data).fixedCount
    {
      return (data, weight)
    }
    return nil
  }

  /// The columns of a sum of single numbers times weights.
  private mutating func addColumns(_ sum: WeightedSum, _ graph: Graph, _ naming: LeafSymbols) {
    var inputs = Column(count: sum.terms.count, letter: "", name: "data")
    inputs.unitNames = sum.terms.map { naming.text(graph[$0.data].name ?? "") }
    columns = [inputs, Column(count: 1, letter: "", name: "")]
    let names = sum.terms.map { naming.text(graph[$0.weight].name ?? "") }
    let all = names.dropFirst().reduce(names[0]) { $0 + ", " + $1 }
    var link = Link(name: "", symbol: all, isOutputFirst: true, inputCount: sum.terms.count)
    link.weightNames = names
    links = [link]
  }

  /// Returns whether a node has a value for each unit of its operand, each from the same column alone.
  private static func keepsUnits(_ node: Graph.Node, _ graph: Graph) -> Bool {
    let record = graph[node]
    let operand = record.inputs.max {
      graph.shape(of: $0).fixedCount < graph.shape(of: $1).fixedCount
    }
    guard let operand, graph.shape(of: operand).fixedCount == record.shape.fixedCount,
      graph.shape(of: operand).batchAxisCount == record.shape.batchAxisCount
    else { return false }
    switch record.operation {
    case .squaredNorm, .sum, .mean: return false
    default: return true
    }
  }
}

/// A sum of numbers of the data, each times a parameter: `x₁·θ₁ + x₂·θ₂ + b`.
private struct WeightedSum {
  private(set) var terms: [(data: Graph.Node, weight: Graph.Node)] = []
  /// The products and the sums of them.
  private(set) var nodes: Set<Graph.Node> = []
  /// The last sum, which includes them all.
  private(set) var root: Graph.Node

  /// Finds it, if it is the only place where the data and these parameters are used.
  init?(_ graph: Graph, _ flow: [Graph.Node]) {
    guard let first = flow.first else { return nil }
    root = first
    func isNumber(_ node: Graph.Node) -> Bool { graph.shape(of: node).fixedCount == 1 }
    var data: Set<Graph.Node> = []
    for node in flow {
      let inputs = graph[node].inputs
      switch graph[node].operation {
      case .multiply:
        guard
          let leaf = inputs.first(where: { graph[$0].operation == .data }),
          let weight = inputs.first(where: { graph[$0].operation == .parameter }),
          isNumber(leaf), isNumber(weight), data.insert(leaf).inserted
        else { continue }
        terms.append((leaf, weight))
      case .add:
        let parts = inputs.filter { nodes.contains($0) || graph[$0].operation == .parameter }
        guard parts.count == inputs.count, !nodes.isDisjoint(with: parts) else { continue }
      default: continue
      }
      nodes.insert(node)
      root = node
    }
    guard terms.count > 1 else { return nil }
    // Every product goes into the last sum and nowhere else.
    let inner = self.nodes.subtracting([self.root])
    for node in flow where !self.nodes.contains(node) {
      let inputs = graph[node].inputs
      guard !inputs.contains(where: inner.contains), !inputs.contains(where: data.contains) else {
        return nil
      }
    }
    let used = Set(flow.flatMap { graph[$0].inputs })
    guard inner.allSatisfy(used.contains) else { return nil }
  }
}

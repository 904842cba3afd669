// A graph as columns of units joined by weights, which is how textbooks draw networks.
import Graphs
import Tensors

/// The columns of a network and what joins them.
struct NetworkColumns {
  struct Column {
    var count: Int
    /// The letter of its units.
    var letter: MathText
    /// What is computed from the sums that come in, such as `relu`.
    var functions: [String] = []
    var name: String
    var biasName: String?
  }

  /// The weights between a column and the next.
  struct Link {
    var name: String
    var symbol: MathText
    /// Whether the weight of output o and input i is at [o, i].
    var isOutputFirst: Bool
    var inputCount: Int

    func weight(_ output: Int, _ input: Int, _ tensor: Tensor) -> Double {
      isOutputFirst
        ? tensor.values[output * inputCount + input]
        : tensor.values[input * (tensor.values.count / max(inputCount, 1)) + output]
    }
  }

  var columns: [Column] = []
  var links: [Link] = []
  /// What the outputs go into, if they do not end the graph.
  var loss: MathText?
  /// What else goes into it.
  var targets: [MathText] = []

  init(_ drawn: DrawnGraph) throws(DrawingError) {
    let (graph, naming) = (drawn.graph, Naming(drawn.graph))
    let selection = Selection(DrawnGraph(graph, results: drawn.results))
    let flow = selection.nodes.filter { selection.isFlow[$0.index] && !graph[$0].inputs.isEmpty }
    /// The column whose values a node holds, and whether they are past the units of that column.
    var place: [Graph.Node: (column: Int, isLoss: Bool)] = [:]
    var lossNodes: [Graph.Node] = []
    for node in flow {
      let record = graph[node]
      if let (input, link) = NetworkColumns.link(node, graph, selection, naming) {
        try addFirstColumn(behind: input, link, graph, naming, &place)
        guard let from = place[input], from.column == columns.count - 1, !from.isLoss else {
          throw .notLayered(found: "the product with '\(link.name)' beside the chain")
        }
        links.append(link)
        let count = graph.shape(of: node).fixedCount
        columns.append(
          Column(
            count: count, letter: MathText("h", .italic), name: record.layer ?? ""))
        place[node] = (columns.count - 1, false)
        continue
      }
      let sources = record.inputs.filter { selection.isFlow[$0.index] }
      let places = sources.map { place[$0] }
      // Shaping of data before the first product.
      if places.allSatisfy({ $0 == nil }), columns.isEmpty { continue }
      guard let last = places.compactMap({ $0 }).max(by: { $0.column < $1.column }) else {
        continue
      }
      let isUnit = sources.count == 1 && !last.isLoss && NetworkColumns.keepsUnits(node, graph)
      guard isUnit else {
        place[node] = (last.column, true)
        lossNodes.append(node)
        continue
      }
      place[node] = (last.column, false)
      switch record.operation {
      case .reshape, .broadcast: break
      case .add, .subtract:
        let bias = record.inputs.first { graph[$0].operation == .parameter }
        columns[last.column].biasName = bias.flatMap { graph[$0].name }
      default: columns[last.column].functions.append(record.operation.label)
      }
    }
    guard !links.isEmpty else { throw .notLayered(found: "no product of data and parameters") }
    columns[columns.count - 1].letter = MathText("ŷ", .italic)
    try describeLoss(lossNodes, place, drawn, naming)
  }

  private mutating func addFirstColumn(
    behind input: Graph.Node, _ link: Link, _ graph: Graph, _ naming: Naming,
    _ place: inout [Graph.Node: (column: Int, isLoss: Bool)]
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
    place[input] = (0, false)
  }

  private mutating func describeLoss(
    _ nodes: [Graph.Node], _ place: [Graph.Node: (column: Int, isLoss: Bool)],
    _ drawn: DrawnGraph, _ naming: Naming
  ) throws(DrawingError) {
    for node in nodes where place[node]?.column != columns.count - 1 {
      throw .notLayered(found: "an operation beside the chain")
    }
    guard let result = nodes.last else { return }
    let inside = Set(nodes)
    let selection = Selection(drawn)
    var writer = FormulaWriter(drawn.graph, naming) {
      inside.contains($0) || !selection.isFlow[$0.index]
    }
    let (formula, operands) = writer.formula(of: result)
    loss = formula.text.length <= 44 ? formula.text : MathText(drawn.graph[result].operation.label)
    if nodes.contains(where: { drawn.graph[$0].layer == "loss" }),
      let kind = drawn.layerKinds["loss"]
    {
      loss = MathText(kind)
    }
    targets = operands.compactMap { operand, _ in
      drawn.graph[operand].inputs.isEmpty ? drawn.graph[operand].name.map(naming.text) : nil
    }
  }

  /// The data side and the weights of a product of data and a parameter.
  private static func link(
    _ node: Graph.Node, _ graph: Graph, _ selection: Selection, _ naming: Naming
  ) -> (Graph.Node, Link)? {
    let record = graph[node]
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

  /// Whether a node has a value for each unit of its operand, each from the same column alone.
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

// The levels of whole arrays: a node for every array, for every step of the data, or for every layer.
import Graphs

extension Diagram {
  /// The most nodes of a picture: larger ones are unreadable and take Graphviz minutes.
  static let nodeLimit = 2000

  /// One box for each node, or for each node that data flows through.
  init(tensors drawn: DrawnGraph, foldsParameters: Bool) throws(DrawingError) {
    let (graph, selection, naming) = (drawn.graph, Selection(drawn), LeafSymbols(drawn.graph))
    let marks = Marks(drawn, naming)
    // A result that is another node in another shape takes that node's place.
    var uses: [Graph.Node: Int] = [:]
    for input in selection.nodes.flatMap({ graph[$0].inputs }) { uses[input, default: 0] += 1 }
    let replaced = Set(
      selection.nodes.filter { selection.isRelabeling[$0.index] && marks.captions[$0] != nil }
        .map { graph[$0].inputs[0] }.filter { uses[$0] == 1 && !graph[$0].inputs.isEmpty })
    func isFolded(_ node: Graph.Node) -> Bool {
      let isWritten =
        (foldsParameters ? !selection.isFlow[node.index] : selection.isKnown[node.index])
        || selection.isRelabeling[node.index] || replaced.contains(node)
      return isWritten && marks.captions[node] == nil
    }
    let shown = selection.nodes.filter { !isFolded($0) }
    guard shown.count <= Diagram.nodeLimit else {
      throw .tooLarge(
        foldsParameters ? .operations : .tensor, found: shown.count, limit: Diagram.nodeLimit)
    }
    var writer = FormulaWriter(graph, naming) { isFolded($0) }
    let framed = Set(
      shown.filter { graph[$0].operation == .parameter }.compactMap { graph[$0].layer })
    var places: [Graph.Node: Int] = [:]
    for node in shown {
      let record = graph[node]
      let isBackward = selection.isBackward[node.index]
      let (formula, labels) = writer.formula(of: node)
      var box = Box(
        role: Role(record.operation), isBackward: isBackward,
        isResult: marks.captions[node] != nil, title: formula.text)
      // A frame around one column of boxes has no room for its name beside the arrows.
      let isFramed = !foldsParameters && !isBackward && box.role != .data
      if isFramed, let layer = record.layer, framed.contains(layer) { box.group = group(layer) }
      let isPath = box.group.map { record.name?.hasPrefix(groups[$0] + "/") ?? false } ?? false
      if let name = record.name, !isPath, name.contains("/") || !record.inputs.isEmpty {
        box.captions.append(MathText(name))
      }
      if record.shape.axisCount > 0 { box.captions.append(shapeText(record.shape)) }
      if box.group == nil, box.role != .data, let layer = record.layer {
        box.captions.append(MathText(layer))
      }
      box.captions += marks.captions[node] ?? []
      let position = add(box)
      places[node] = position
      for (operand, label) in labels {
        guard let from = places[operand] else { continue }
        arrows.append(Arrow(from: from, to: position, label: label, isBackward: isBackward))
      }
    }
    cutLongArrows()
  }

  /// One box for each layer, for each operation outside of layers, and for each array of data.
  init(layers drawn: DrawnGraph) throws(DrawingError) {
    let drawn = drawn.withLayers()
    let (graph, selection, naming) = (drawn.graph, Selection(drawn), LeafSymbols(drawn.graph))
    let marks = Marks(drawn, naming)
    func isFolded(_ node: Graph.Node) -> Bool {
      !selection.isFlow[node.index] && marks.captions[node] == nil
    }
    var members: [[Graph.Node]] = []
    var owner: [Graph.Node: Int] = [:]
    var ownerOfLayer: [Part: Int] = [:]
    for node in selection.nodes where !isFolded(node) {
      let record = graph[node]
      let isData = record.inputs.isEmpty
      let isBackward = selection.isBackward[node.index]
      let key = isData ? nil : record.layer.map { Part(layer: $0, isBackward: isBackward) }
      let position = key.flatMap { ownerOfLayer[$0] } ?? members.count
      if position == members.count { members.append([]) }
      if let key { ownerOfLayer[key] = position }
      members[position].append(node)
      owner[node] = position
    }
    guard members.count <= Diagram.nodeLimit else {
      throw .tooLarge(.layers, found: members.count, limit: Diagram.nodeLimit)
    }
    // What only goes back from the inside of a layer has no formula of its own.
    var used: Set<Graph.Node> = []
    for node in selection.nodes {
      for input in graph[node].inputs
      where owner[input] != owner[node]
        && selection.isBackward[node.index] == selection.isBackward[input.index]
      {
        used.insert(input)
      }
    }
    // Gradients are listed as their parameters are.
    let order = Dictionary(
      drawn.gradients.enumerated().map { ($1.gradient, $0) }, uniquingKeysWith: min)
    // A parameter counts once, in the loss only if no layer has it.
    var owners: [Graph.Node: Int] = [:]
    let isLoss = members.map { graph[$0[0]].layer == "loss" }
    for position in members.indices.filter({ !isLoss[$0] }) + members.indices.filter({ isLoss[$0] })
    {
      for leaf in parameters(of: members[position], graph, owner) where owners[leaf] == nil {
        owners[leaf] = position
      }
    }
    for (position, nodes) in members.enumerated() {
      let layer = graph[nodes[0]].layer
      let isBackward = selection.isBackward[nodes[0].index]
      var writer = FormulaWriter(graph, naming) { node in
        isFolded(node)
          || (owner[node] == position && !used.contains(node)
            && marks.captions[node] == nil)
      }
      let ends = nodes.filter { marks.captions[$0] != nil || used.contains($0) }
      let formulas = (ends.isEmpty ? nodes.suffix(1) : ends).map { writer.formula(of: $0).0.text }
      var box = Box(role: Role(graph[nodes[0]].operation), isBackward: isBackward, title: "")
      if graph[nodes[0]].inputs.isEmpty || layer == nil {
        box.title = formulas[0]
      } else if let layer {
        box.title = MathText(layer, .bold)
        let kind = drawn.layerKinds[layer] ?? ""
        if isBackward {
          box.title = box.title + " backward"
        } else {
          if !kind.isEmpty, !layer.hasPrefix(kind) { box.title = box.title + MathText("  " + kind) }
          box.captions += formulas.filter { $0.length <= 60 }
          let count = parameters(of: nodes, graph, owner).filter { owners[$0] == position }
            .reduce(0) { $0 + graph.shape(of: $1).fixedCount }
          if count > 0 {
            box.captions.append(MathText("\(countText(count)) parameter\(count == 1 ? "" : "s")"))
          }
        }
      }
      box.isResult = nodes.contains { marks.captions[$0] != nil }
      let marked = nodes.filter { marks.captions[$0] != nil }
      box.captions += marked.sorted { (order[$0] ?? -1, $0.index) < (order[$1] ?? -1, $1.index) }
        .flatMap { marks.captions[$0] ?? [] }
      _ = add(box)
    }
    var seen: Set<Arrow> = []
    for (position, nodes) in members.enumerated() {
      for input in nodes.flatMap({ graph[$0].inputs }) {
        guard let from = owner[input], from != position else { continue }
        // What goes back has its shape on the arrow forward already.
        let isReturn = boxes[position].isBackward && !boxes[from].isBackward
        let shape = graph.shape(of: input)
        let arrow = Arrow(
          from: from, to: position,
          label: isReturn || shape.axisCount == 0 ? "" : shapeText(shape),
          isBackward: boxes[position].isBackward)
        if seen.insert(arrow).inserted { arrows.append(arrow) }
      }
    }
    cutLongArrows()
  }

  /// The parameters that nodes use, as they are or through nodes that are in no box.
  private func parameters(
    of nodes: [Graph.Node], _ graph: Graph, _ owner: [Graph.Node: Int]
  ) -> Set<Graph.Node> {
    var found: Set<Graph.Node> = []
    var seen: Set<Graph.Node> = []
    var open = nodes.flatMap { graph[$0].inputs }
    while let node = open.popLast() {
      guard owner[node] == nil, seen.insert(node).inserted else { continue }
      if graph[node].operation == .parameter { found.insert(node) }
      open += graph[node].inputs
    }
    return found
  }

  private mutating func group(_ name: String) -> Int {
    if let position = groups.firstIndex(of: name) { return position }
    groups.append(name)
    return groups.count - 1
  }
}

extension Diagram.Role {
  init(_ operation: Graph.Operation) {
    self =
      switch operation {
      case .data, .labels: .data
      case .parameter: .parameter
      case .constant, .fill: .constant
      default: .operation
      }
  }
}

/// The forward or the backward nodes of a layer.
private struct Part: Hashable {
  var layer: String
  var isBackward: Bool
}

/// The text at results and gradients.
struct Marks {
  private(set) var captions: [Graph.Node: [MathText]] = [:]

  init(_ drawn: DrawnGraph, _ naming: LeafSymbols) {
    let isNamed = drawn.results.count == 1 && !drawn.gradients.isEmpty
    for result in drawn.results {
      // What is differentiated is the sum of the rows.
      let isNumber = drawn.graph.shape(of: result).axisCount == 0
      let text = MathText("L", .italic) + " = Σ rows"
      captions[result] = isNamed ? [isNumber ? "= " + MathText("L", .italic) : text] : []
    }
    for (gradient, target) in drawn.gradients {
      let name = drawn.graph[target].name.map { naming.text($0) } ?? "…"
      let text = "= ∂" + MathText("L", .italic) + "/∂" + name
      captions[gradient, default: []].append(text)
    }
  }
}

/// Writes the formula of a node, with the formulas of some operands inside.
struct FormulaWriter {
  private let graph: Graph
  private let naming: LeafSymbols
  private let isInside: (Graph.Node) -> Bool

  /// Operands for which `isInside` holds are written out; the others are arrows.
  init(_ graph: Graph, _ naming: LeafSymbols, isInside: @escaping (Graph.Node) -> Bool) {
    self.graph = graph
    self.naming = naming
    self.isInside = isInside
  }

  /// The formula of `node`, and the operands that arrows come from with a label for each arrow.
  ///
  /// One computed operand is `□`; several are letters, which the labels of their arrows repeat.
  mutating func formula(of node: Graph.Node) -> (DrawnFormula, [(Graph.Node, MathText)]) {
    var operands: [Graph.Node] = []
    collect(node, isRoot: true, depth: 0, into: &operands)
    let computed = operands.filter { graph[$0].name == nil || !graph[$0].inputs.isEmpty }
    let letters: [MathText] =
      computed.count == 1 ? ["□"] : "uvwpqr".map { MathText(String($0), .italic) }
    var names: [Graph.Node: MathText] = [:]
    for (position, operand) in computed.enumerated() {
      names[operand] = position < letters.count ? letters[position] : MathText("p\(position)")
    }
    let formula = write(node, names, isRoot: true, depth: 0)
    let labels = operands.map { ($0, computed.count > 1 ? names[$0] ?? "" : "") }
    return (formula, labels)
  }

  private func collect(
    _ node: Graph.Node, isRoot: Bool, depth: Int, into operands: inout [Graph.Node]
  ) {
    if !isRoot, !isInside(node) {
      if !operands.contains(node) { operands.append(node) }
    } else if depth < 12 {
      for input in graph[node].inputs {
        collect(input, isRoot: false, depth: depth + 1, into: &operands)
      }
    }
  }

  /// The product that is written inside of a sum along its last axis.
  private func innerProduct(_ node: Graph.Node, _ names: [Graph.Node: MathText]) -> Graph.Node? {
    guard case .sum(let axes) = graph[node].operation else { return nil }
    let product = graph[node].inputs[0]
    let shape = graph.shape(of: product)
    guard graph[product].operation == .multiply, names[product] == nil,
      shape.axisCount == shape.batchAxisCount + 1, axes == [shape.axisCount - 1],
      graph[product].inputs.allSatisfy({ graph.shape(of: $0) == shape })
    else { return nil }
    return product
  }

  private func write(
    _ node: Graph.Node, _ names: [Graph.Node: MathText], isRoot: Bool, depth: Int
  ) -> DrawnFormula {
    let record = graph[node]
    if let name = names[node], !isRoot { return DrawnFormula(name) }
    if record.inputs.isEmpty, let name = record.name { return DrawnFormula(naming.text(name)) }
    // What is nested deeper would not be read anyway.
    guard depth < 12 else { return DrawnFormula("…") }
    let operands = record.inputs.map { write($0, names, isRoot: false, depth: depth + 1) }
    if let product = innerProduct(node, names) {
      let factors = graph[product].inputs.map {
        write($0, names, isRoot: false, depth: depth + 1).text
      }
      return DrawnFormula("⟨" + factors[0] + ", " + factors[1] + "⟩")
    }
    let formula = DrawnFormula.of(
      record.operation, operands, shapes: record.inputs.map { graph.shape(of: $0) })
    return formula.text.length <= 80 ? formula : DrawnFormula("…")
  }
}

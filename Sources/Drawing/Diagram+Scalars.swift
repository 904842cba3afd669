// The level of single numbers: every element, product and sum a node of its own.
import Graphs
import Tensors

extension Diagram {
  /// The most nodes that a page shows distinctly.
  static let scalarLimit = 600

  /// One box for each element of each array; a sum of many numbers is one box.
  init(scalars drawn: DrawnGraph) throws(DrawingError) {
    var builder = ScalarBuilder(drawn)
    try builder.build()
    self = builder.diagram
    direction = .right
  }
}

/// Takes operations apart, element by element.
struct ScalarBuilder {
  let drawn: DrawnGraph
  let graph: Graph
  private let naming: LeafSymbols
  private let selection: Selection
  private let marks: Marks
  private var isBackward = false
  /// The boxes of the elements of each node, in row-major order.
  var elements: [Graph.Node: [Int]] = [:]
  var diagram = Diagram()

  init(_ drawn: DrawnGraph) {
    self.drawn = drawn
    graph = drawn.graph
    naming = LeafSymbols(drawn.graph)
    selection = Selection(drawn)
    marks = Marks(drawn, naming)
  }

  mutating func build() throws(DrawingError) {
    for node in selection.nodes {
      isBackward = selection.isBackward[node.index]
      let result = try expand(node)
      elements[node] = result
      guard let captions = marks.captions[node] else { continue }
      for (position, element) in result.enumerated() {
        diagram.boxes[element].isResult = true
        for (gradient, target) in drawn.gradients where gradient == node {
          // The gradient of an element carries the element's own name.
          let name = graph[target].name.map { self.name($0, position, shape(of: target)) } ?? "…"
          diagram.boxes[element].captions.append(
            "∂" + MathText("L", .italic) + "/∂" + name)
        }
        if drawn.gradients.isEmpty || !drawn.gradients.contains(where: { $0.gradient == node }) {
          diagram.boxes[element].captions +=
            result.count == 1 && !captions.isEmpty ? ["= " + MathText("L", .italic)] : captions
        }
      }
    }
    // What only shapes it, like a repeated 1, may be left without use.
    let used = Set(diagram.arrows.flatMap { [$0.from, $0.to] })
    let kept = diagram.boxes.indices.filter {
      used.contains($0) || diagram.boxes[$0].isResult || diagram.boxes[$0].role != .constant
    }
    let places = Dictionary(uniqueKeysWithValues: kept.enumerated().map { ($1, $0) })
    diagram.boxes = kept.map { diagram.boxes[$0] }
    diagram.arrows = diagram.arrows.compactMap { arrow in
      guard let from = places[arrow.from], let to = places[arrow.to] else { return nil }
      var moved = arrow
      (moved.from, moved.to) = (from, to)
      return moved
    }
  }

  func shape(of node: Graph.Node) -> Shape {
    graph.shape(of: node).resolved(batch: drawn.rowCount)
  }

  /// The name of an element, counted from 1; one row needs no number.
  func name(_ name: String, _ position: Int, _ shape: Shape) -> MathText {
    var indices = Array(indices(of: position, in: shape).map { $0 + 1 })
    let symbolic = graph.leaf(named: name).map { graph.shape(of: $0) }
    if drawn.rowCount == 1, symbolic?.extents.first == .batch { indices.removeFirst() }
    return naming.symbol(name).element(indices)
  }

  func indices(of position: Int, in shape: Shape) -> [Int] {
    var (rest, result) = (position, [Int]())
    for extent in shape.extents.reversed() {
      result.append(rest % max(extent, 1))
      rest /= max(extent, 1)
    }
    return result.reversed()
  }

  mutating func box(_ box: Diagram.Box) throws(DrawingError) -> Int {
    guard diagram.boxes.count < Diagram.scalarLimit else {
      throw .tooLarge(.scalar, found: diagram.boxes.count, limit: Diagram.scalarLimit)
    }
    return diagram.add(box)
  }

  mutating func emit(
    _ symbol: MathText, _ operands: [Int], inverse: Int? = nil
  ) throws(DrawingError) -> Int {
    let position = try box(
      Diagram.Box(
        role: .operation, isBackward: isBackward, title: symbol, isSymbol: symbol.length <= 2))
    for (index, operand) in operands.enumerated() {
      diagram.arrows.append(
        Diagram.Arrow(
          from: operand, to: position, isBackward: isBackward, isInverse: index == inverse))
    }
    return position
  }

  mutating func number(_ value: Double) throws(DrawingError) -> Int {
    try box(
      Diagram.Box(role: .constant, isBackward: isBackward, title: MathText(numberText(value))))
  }

  mutating func sum(_ operands: [Int]) throws(DrawingError) -> Int {
    operands.count == 1 ? operands[0] : try emit("+", operands)
  }

  /// Returns the element of an operand that stands at `place` of a broadcast shape.
  func source(_ position: Int, in shape: Shape, from operand: Shape) -> Int {
    let all = indices(of: position, in: shape)
    var result = 0
    for (axis, extent) in operand.extents.enumerated() {
      let index = all[all.count - operand.axisCount + axis]
      result = result * extent + (extent == 1 ? 0 : index)
    }
    return result
  }

  mutating func elementwise(
    _ node: Graph.Node, _ symbol: MathText, inverse: Int? = nil
  ) throws(DrawingError) -> [Int] {
    let (inputs, shape) = (graph[node].inputs, shape(of: node))
    var result: [Int] = []
    for position in 0..<shape.count {
      let operands = inputs.map { input in
        elements[input]?[source(position, in: shape, from: self.shape(of: input))] ?? 0
      }
      result.append(try emit(symbol, operands, inverse: inverse))
    }
    return result
  }

  /// A cotangent times the slope of an activation, at its output.
  mutating func slope(
    _ node: Graph.Node, _ symbol: MathText
  ) throws(DrawingError) -> [Int] {
    let inputs = graph[node].inputs
    let (cotangents, outputs) = (elements[inputs[0]] ?? [], elements[inputs[1]] ?? [])
    var result: [Int] = []
    for (cotangent, output) in zip(cotangents, outputs) {
      result.append(try emit("×", [cotangent, try emit(symbol, [output])]))
    }
    return result
  }

  /// The elements of `node`'s first operand that go into each element of its value.
  func reduced(
    _ node: Graph.Node, _ axes: [Int], shape outputShape: Shape? = nil
  ) -> [[Int]] {
    let input = graph[node].inputs[0]
    let inputShape = shape(of: input)
    let outputShape = outputShape ?? shape(of: node)
    var result = Array(repeating: [Int](), count: outputShape.count)
    for (position, element) in (elements[input] ?? []).enumerated() {
      var target = 0
      for (axis, index) in indices(of: position, in: inputShape).enumerated()
      where !axes.contains(axis) {
        target = target * inputShape[axis] + index
      }
      result[target].append(element)
    }
    return result
  }

  /// The rows along the last axis of an operand.
  func rows(_ node: Graph.Node) -> [[Int]] {
    let all = elements[node] ?? []
    let width = max(shape(of: node).extents.last ?? 1, 1)
    return stride(from: 0, to: all.count, by: width).map { Array(all[$0..<$0 + width]) }
  }

  mutating func softmax(_ row: [Int]) throws(DrawingError) -> [Int] {
    var exponentials: [Int] = []
    for element in row { exponentials.append(try emit("exp", [element])) }
    let total = try sum(exponentials)
    var result: [Int] = []
    for exponential in exponentials {
      result.append(try emit("÷", [exponential, total], inverse: 1))
    }
    return result
  }

  mutating func logSum(_ row: [Int]) throws(DrawingError) -> Int {
    var exponentials: [Int] = []
    for element in row { exponentials.append(try emit("exp", [element])) }
    return try emit("log", [try sum(exponentials)])
  }

  /// The elements that each position of a window covers.
  func covered(
    _ operand: Graph.Node, _ pooling: Pooling, output: Graph.Node
  ) -> [[Int]] {
    let all = elements[operand] ?? []
    return graph.windows(of: pooling, over: shape(of: operand), output: shape(of: output))
      .map { $0.map { all[$0] } }
  }

  func covered(_ node: Graph.Node, _ pooling: Pooling) -> [[Int]] {
    covered(graph[node].inputs[0], pooling, output: node)
  }

  /// For each element, a box for the mean and deviation of the elements it is normalised with, and the
  /// index of that box.
  mutating func moments(
    of operand: Graph.Node, _ normalization: Normalization
  ) throws(DrawingError) -> [(box: Int, index: Int)] {
    let (shape, all) = (shape(of: operand), elements[operand] ?? [])
    let kept = Shape(shape.extents.indices.map { normalization.axes.contains($0) ? 1 : shape[$0] })
    let groups = all.indices.map { source($0, in: shape, from: kept) }
    var boxes: [Int: Int] = [:]
    for group in Set(groups).sorted() {
      boxes[group] = try emit("μ, σ", all.indices.filter { groups[$0] == group }.map { all[$0] })
    }
    return groups.map { (boxes[$0] ?? 0, $0) }
  }

  mutating func expand(_ node: Graph.Node) throws(DrawingError) -> [Int] {
    if let found = try leafElements(of: node) { return found }
    if let found = try summedElements(of: node) { return found }
    if let found = try rowElements(of: node) { return found }
    if let found = try tableElements(of: node) { return found }
    if let found = try imageElements(of: node) { return found }
    if let found = try normalizedElements(of: node) { return found }
    let record = graph[node]
    let inputs = record.inputs
    let symbol = MathText(record.operation.symbol)
    var result: [Int] = []
    switch record.operation {
    case .scale(let factor):
      let value = factor.resolved(batch: drawn.rowCount)
      return try elementwise(node, value == -1 ? "−" : MathText("× " + numberText(value)))
    case .cap(let limit):
      return try elementwise(node, MathText("min " + numberText(limit)))
    case .power(let exponent): return try elementwise(node, MathText("^ " + numberText(exponent)))
    case .reshape:
      return elements[inputs[0]] ?? []
    case .broadcast:
      let (shape, operand) = (shape(of: node), shape(of: inputs[0]))
      guard shape.count <= Diagram.scalarLimit else {
        throw .tooLarge(.scalar, found: shape.count, limit: Diagram.scalarLimit)
      }
      result = (0..<shape.count).map {
        elements[inputs[0]]?[source($0, in: shape, from: operand)] ?? 0
      }
    case .subtract, .divide: return try elementwise(node, symbol, inverse: 1)
    case _ where record.operation.isActivationGradient: return try slope(node, symbol)
    case _ where record.operation.isElementwise: return try elementwise(node, symbol)
    case .crossMicrobatchSum: return try elementwise(node, symbol)
    case _ where record.operation.onlyMovesElements:
      for source in graph.movedElements(of: node, batch: drawn.rowCount) {
        if let source {
          result.append(elements[inputs[source.operand]]?[source.element] ?? 0)
        } else {
          result.append(try number(0))
        }
      }
    // Whatever has no way of its own: each element depends on all elements of all operands.
    default:
      let all = inputs.flatMap { elements[$0] ?? [] }
      for _ in 0..<shape(of: node).count { result.append(try emit(symbol, all)) }
    }
    return result
  }
}

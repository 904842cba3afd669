// The spelling of a node as mathematics: the inverse of the builder.
import Graphs

/// One step of an expression, down to the nodes that it is made from.
indirect enum Spelling {
  case node(Graph.Node)
  case number(Double)
  case attribute(Attribute)
  case binary(BinaryOperator, Spelling, Spelling)
  case negate(Spelling)
  case transposed(Spelling)
  case index(Spelling, Spelling)
  case norm(Spelling)
  case power(Spelling, Double, isElementwise: Bool)
  case call(String, [Spelling])

  /// The nodes that the spelling is made from; one that is used twice is there twice.
  var nodes: [Graph.Node] {
    switch self {
    case .node(let node): [node]
    case .number, .attribute: []
    case .binary(_, let a, let b), .index(let a, let b): a.nodes + b.nodes
    case .negate(let x), .transposed(let x), .norm(let x), .power(let x, _, _): x.nodes
    case .call(_, let arguments): arguments.flatMap(\.nodes)
    }
  }
}

extension Graph {
  /// The spelling of a node that is no symbol.
  ///
  /// Every spelling is read as just the node it was made for. Where mathematics has no words for a node, it
  /// is a call of the operation.
  func spelling(of node: Node) -> Spelling {
    let record = self[node]
    let inputs = record.inputs
    switch record.operation {
    case .fill(let value) where record.shape == []: return .number(value)
    case .scale(let factor) where factor.batchPower == 0:
      if factor.value == -1, !isNumber(inputs[0]) { return .negate(.node(inputs[0])) }
      return .binary(.multiply, .number(factor.value), .node(inputs[0]))
    case .add: return pair(node).map { .binary(.add, $0, $1) } ?? call(node)
    case .subtract: return pair(node).map { .binary(.subtract, $0, $1) } ?? call(node)
    case .maximum: return pair(node).map { .call("max", [$0, $1]) } ?? call(node)
    case .divide:
      guard let (a, b) = operands(node) else { return call(node) }
      return .binary(kind(b) == .scalar ? .divide : .elementwiseDivide, .node(a), .node(b))
    case .multiply: return product(node)
    case .square:
      if isNorm(inputs[0]) { return call(node) }
      return .power(.node(inputs[0]), 2, isElementwise: kind(inputs[0]) != .scalar)
    case .power(let exponent) where exponent != 2 && exponent.isFinite:
      return .power(.node(inputs[0]), exponent, isElementwise: kind(inputs[0]) != .scalar)
    case .sqrt where isNorm(node): return .norm(.node(self[inputs[0]].inputs[0]))
    case .squaredNorm(shape(of: inputs[0]).rowAxes):
      return .power(.norm(.node(inputs[0])), 2, isElementwise: false)
    case .sum(let axes):
      if let spelling = chosen(node) ?? row(node) ?? inner(node) { return spelling }
      return axes == shape(of: inputs[0]).rowAxes ? .call("sum", [.node(inputs[0])]) : call(node)
    case .mean(shape(of: inputs[0]).rowAxes): return .call("mean", [.node(inputs[0])])
    case .matmul: return map(node) ?? call(node)
    case .reshape: return mapOfVector(node) ?? call(node)
    case .transpose:
      if case .matrix = kind(inputs[0]) { return .transposed(.node(inputs[0])) }
      return call(node)
    case .gather where !shape(of: inputs[0]).isBatched && self[inputs[1]].operation == .labels:
      return .index(.node(inputs[0]), .node(inputs[1]))
    case .softmaxCrossEntropy where shape(of: inputs[0]).isBatched:
      if case .vector = kind(inputs[0]) {
        return .call("cross_entropy", inputs.map(Spelling.node))
      }
      return call(node)
    case .data, .labels, .parameter: return .node(node)
    default: return call(node)
    }
  }

  /// The operation as it is.
  private func call(_ node: Node) -> Spelling {
    let record = self[node]
    guard let text = OperationText(record.operation, shape: record.shape) else {
      return .node(node)
    }
    return .call(
      callName(text.name, of: node),
      record.inputs.map(Spelling.node) + text.attributes.map(Spelling.attribute))
  }

  /// The name by which expressions call an operation as it is.
  func callName(_ name: String, of node: Node) -> String {
    // Functions along the axis of the batch are no mathematics of one row.
    let isAlongBatch =
      Function.alongAxis.contains(name) && shape(of: self[node].inputs[0]).row.isEmpty
    return (isAlongBatch ? "@" : "") + name
  }

  private func kind(_ node: Node) -> Kind { shape(of: node).kind }

  private func isNumber(_ node: Node) -> Bool {
    if case .fill = self[node].operation { shape(of: node) == [] } else { false }
  }

  /// Returns true if a node is read from `‖x‖`.
  private func isNorm(_ node: Node) -> Bool {
    guard self[node].operation == .sqrt, let square = self[node].inputs.first,
      case .squaredNorm(let axes) = self[square].operation
    else { return false }
    return axes == shape(of: self[square].inputs[0]).rowAxes
  }

  /// The scalar per row that the builder gave axes of length 1 to go with `other`.
  private func unaligned(_ node: Node, with other: Node) -> Node? {
    guard case .reshape = self[node].operation, shape(of: self[node].inputs[0]) == [.batch] else {
      return nil
    }
    let axes = shape(of: other).row.count
    let aligned = SymbolicShape([.batch] + Array(repeating: 1, count: axes))
    return axes > 0 && shape(of: node) == aligned ? self[node].inputs[0] : nil
  }

  /// The operands of an elementwise operation, if operators pair them up.
  private func pair(_ node: Node) -> (Spelling, Spelling)? {
    operands(node).map { (.node($0), .node($1)) }
  }

  private func operands(_ node: Node) -> (Node, Node)? {
    let (a, b) = (self[node].inputs[0], self[node].inputs[1])
    let (shapeA, shapeB) = (shape(of: a), shape(of: b))
    if shapeA.row == shapeB.row || shapeA == [] || shapeB == [] { return (a, b) }
    if let scalar = unaligned(a, with: b) { return (scalar, b) }
    if let scalar = unaligned(b, with: a) { return (a, scalar) }
    return nil
  }

  private func product(_ node: Node) -> Spelling {
    let (a, b) = (self[node].inputs[0], self[node].inputs[1])
    // With a known number it would be read as a scale.
    if isNumber(a) || isNumber(b) { return call(node) }
    if let spelling = outer(a, b) { return spelling }
    guard let (x, y) = operands(node) else { return call(node) }
    let hasScalar = kind(x) == .scalar || kind(y) == .scalar
    return .binary(hasScalar ? .multiply : .elementwiseMultiply, .node(x), .node(y))
  }

  /// `a·bᵀ` of two vectors.
  private func outer(_ column: Node, _ row: Node) -> Spelling? {
    guard case .reshape = self[column].operation, case .reshape = self[row].operation else {
      return nil
    }
    let (a, b) = (self[column].inputs[0], self[row].inputs[0])
    guard case .vector = kind(a), case .vector = kind(b) else { return nil }
    var extents = shape(of: b).extents
    extents.insert(1, at: extents.count - 1)
    guard shape(of: column).extents == shape(of: a).extents + [1],
      shape(of: row).extents == extents
    else { return nil }
    return .binary(.multiply, .node(a), .transposed(.node(b)))
  }

  /// `a'·b` of two vectors, from the sum of their product.
  private func inner(_ node: Node) -> Spelling? {
    let product = self[node].inputs[0]
    guard self[product].operation == .multiply,
      self[node].operation == .sum(axes: [shape(of: product).axisCount - 1])
    else { return nil }
    let (a, b) = (self[product].inputs[0], self[product].inputs[1])
    guard case .vector = kind(a), kind(a) == kind(b) else { return nil }
    return .binary(.multiply, .transposed(.node(a)), .node(b))
  }

  /// `z[y]`: the element of each row that a label names.
  private func chosen(_ node: Node) -> Spelling? {
    let product = self[node].inputs[0]
    guard self[product].operation == .multiply, self[node].operation == .sum(axes: [1]) else {
      return nil
    }
    let (a, hot) = (self[product].inputs[0], self[product].inputs[1])
    guard case .oneHot(let classes) = self[hot].operation,
      shape(of: a) == [.batch, .fixed(classes)]
    else { return nil }
    let labels = self[hot].inputs[0]
    guard self[labels].operation == .labels, shape(of: labels) == [.batch] else { return nil }
    return .index(.node(a), .node(labels))
  }

  /// `θ[2]`: the row, or the element, of a known number.
  private func row(_ node: Node) -> Spelling? {
    let product = self[node].inputs[0]
    guard self[product].operation == .multiply else { return nil }
    let (table, hot) = (self[product].inputs[0], self[product].inputs[1])
    let shape = shape(of: table)
    guard case .constant(let values) = self[hot].operation, let count = shape.row.first,
      self[node].operation == .sum(axes: [shape.isBatched ? 1 : 0]),
      self.shape(of: hot).extents == [count] + Array(repeating: 1, count: shape.row.count - 1),
      let index = values.firstIndex(of: 1),
      values.count(where: { $0 == 0 && $0.sign == .plus }) == values.count - 1
    else { return nil }
    return .index(.node(table), .number(Double(index)))
  }

  /// A matrix as a factor, transposed or not, if products read it so.
  private func factor(_ node: Node, isTransposed: Bool) -> Spelling? {
    guard case .matrix = kind(node), shape(of: node).isFixed, self[node].operation != .transpose
    else { return nil }
    return isTransposed ? .transposed(.node(node)) : .node(node)
  }

  /// `W·x` of a vector per row, or a product of two matrices.
  private func map(_ node: Node) -> Spelling? {
    let (a, b) = (self[node].inputs[0], self[node].inputs[1])
    guard case .matmul(let flipsA, let flipsB) = self[node].operation else { return nil }
    if case .vector = kind(a), shape(of: a).isBatched, !flipsA {
      return factor(b, isTransposed: !flipsB).map { .binary(.multiply, $0, .node(a)) }
    }
    guard let lhs = factor(a, isTransposed: flipsA), let rhs = factor(b, isTransposed: flipsB)
    else { return nil }
    return .binary(.multiply, lhs, rhs)
  }

  /// `W·x` of one vector, from the product of a matrix with one row.
  private func mapOfVector(_ node: Node) -> Spelling? {
    let product = self[node].inputs[0]
    guard case .matmul(false, let flipsB) = self[product].operation,
      shape(of: node) == [shape(of: product)[1]]
    else { return nil }
    let (row, matrix) = (self[product].inputs[0], self[product].inputs[1])
    guard case .reshape = self[row].operation else { return nil }
    let x = self[row].inputs[0]
    guard case .vector = kind(x), !shape(of: x).isBatched,
      shape(of: row).extents == [1] + shape(of: x).extents,
      let factor = factor(matrix, isTransposed: !flipsB)
    else { return nil }
    return .binary(.multiply, factor, .node(x))
  }
}

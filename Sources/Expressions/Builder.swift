// From instructions to a graph: a machine whose stack holds nodes.
import Graphs
import Tensors

/// A value on the stack.
struct Value {
  let node: Graph.Node
  /// Indicates a transposed vector: one that lies down, where vectors stand otherwise.
  var isRow = false
  /// Of a norm, the node of its square.
  var square: Graph.Node?
}

/// An item on the machine's stack.
enum Item {
  case number(Double)
  case list([ListItem])
  case value(Value)
}

/// The meaning of a shape, row by row of the batch.
enum Kind: Equatable {
  case scalar
  case vector(Extent)
  case matrix(Extent, Extent)
  case array
}

extension SymbolicShape {
  /// Indicates one value for each row of the batch.
  var isBatched: Bool { extents.first == .batch }

  /// The extents of the value for one row.
  var row: [Extent] { Array(isBatched ? extents.dropFirst() : extents[...]) }

  /// The kind of the value of one row.
  var kind: Kind {
    guard !row.contains(.batch) else { return .array }
    return switch row.count {
    case 0: .scalar
    case 1: .vector(row[0])
    case 2: .matrix(row[0], row[1])
    default: .array
    }
  }

  /// The axes of the value for one row.
  var rowAxes: [Int] { Array((isBatched ? 1 : 0)..<axisCount) }
}

/// Why an instruction cannot be carried out; the machine adds where.
struct Fault: Error {
  let message: String
  let details: [String]
  init(_ message: String, details: [String] = []) {
    (self.message, self.details) = (message, details)
  }
}

/// Carries out instructions.
struct Builder {
  var graph = Graph()
  private(set) var outputs: [Graph.Node] = []
  private var stack: [Item] = []
  private var bound: [String: Item] = [:]
  private var lastBound: (item: Item, offset: Int)?
  private let declarations: Declarations
  private let labels: Set<String>

  init(_ code: [Instruction], _ declarations: Declarations) {
    self.declarations = declarations
    labels = labelSymbols(in: code)
  }

  /// Runs all instructions; the outputs are the values of bare lines, or of the last binding.
  mutating func run(
    _ code: [Instruction], error makeError: (Fault, Int) -> ExpressionError
  ) throws(ExpressionError) {
    for instruction in code {
      do {
        try step(instruction)
      } catch let fault as Fault {
        throw makeError(fault, instruction.offset)
      } catch let fault as GraphError {
        throw makeError(Fault(fault.description), instruction.offset)
      } catch {
        preconditionFailure("unexpected error: \(error)")
      }
    }
    guard outputs.isEmpty, let (item, offset) = lastBound else { return }
    do {
      outputs = [try node(of: item)]
    } catch {
      throw makeError(error, offset)
    }
  }

  private mutating func pop() -> Item {
    guard let item = stack.popLast() else { preconditionFailure("an operand is missing") }
    return item
  }

  private mutating func step(_ instruction: Instruction) throws {
    switch instruction.kind {
    case .number(let value): stack.append(.number(value))
    case .list(let items): stack.append(.list(items))
    case .symbol(let name): stack.append(try symbol(name))
    case .bind(let name):
      guard bound[name] == nil, graph.leaf(named: name) == nil else {
        throw Fault("'\(name)' has a value already, expected another name")
      }
      let item = pop()
      bound[name] = item
      lastBound = (item, instruction.offset)
    case .output: outputs.append(try node(of: pop()))
    case .binary(let operation):
      let rhs = pop()
      let lhs = pop()
      stack.append(try binary(operation, lhs, rhs))
    case .negate:
      let item = pop()
      if case .number(let value) = item {
        stack.append(.number(-value))
      } else {
        let x = try value(of: item)
        stack.append(
          .value(Value(node: try graph.add(.scale(Factor(-1)), [x.node]), isRow: x.isRow)))
      }
    case .transpose: stack.append(.value(try transposed(value(of: pop()))))
    case .norm: stack.append(.value(try norm(value(of: pop()))))
    case .absoluteValue: stack.append(try call("abs", [pop()]))
    case .index:
      let index = pop()
      stack.append(.value(Value(node: try indexed(value(of: pop()), by: index))))
    case .call(let name, let count):
      let arguments = (0..<count).map { _ in pop() }
      stack.append(try call(name, arguments.reversed()))
    }
  }

  private mutating func symbol(_ name: String) throws -> Item {
    if let item = bound[name] { return item }
    if let leaf = graph.leaf(named: name) { return .value(Value(node: leaf)) }
    let declared = declarations.shapes[name]
    if labels.contains(name) {
      guard declarations.parameters?.contains(name) != true else {
        throw Fault("'\(name)' holds class numbers, expected numbers of a parameter")
      }
      let shape = declared ?? (declarations.hasBatch ? [.batch] : [])
      return .value(Value(node: try graph.labels(name, shape: shape)))
    }
    let shape = declared ?? []
    let isParameter =
      declarations.parameters?.contains(name)
      ?? (Names.isParameter(name) && !shape.extents.contains(.batch))
    return .value(
      Value(
        node: isParameter
          ? try graph.parameter(name, shape: shape) : try graph.data(name, shape: shape)))
  }

  // MARK: Values.

  mutating func value(of item: Item) throws(Fault) -> Value {
    switch item {
    case .value(let value): return value
    case .number(let number): return Value(node: graph.fill(number, shape: []))
    case .list: throw Fault("found a list, expected a value; lists are for shapes and axes")
    }
  }

  mutating func node(of item: Item) throws(Fault) -> Graph.Node { try value(of: item).node }

  func shape(_ value: Value) -> SymbolicShape { graph.shape(of: value.node) }
  func kind(_ value: Value) -> Kind { shape(value).kind }

  /// A value in messages: `W*x + b, a column of shape [batch, 3]`.
  ///
  /// - Complexity: O(nodes); only messages need it.
  func text(_ value: Value) -> String {
    let shape = shape(value)
    let noun =
      switch shape.kind {
      case .scalar: "a scalar"
      case .vector: value.isRow ? "a row" : "a column"
      case .matrix: "a matrix"
      case .array: "an array"
      }
    return "\(written(value)), \(noun) of shape \(shape)"
  }

  /// The expression of a value, its begin if it is long.
  private func written(_ value: Value) -> String {
    let lines = Formula(of: [value.node], in: graph).text().split(separator: "\n")
    guard lines.count == 1, lines[0].count <= 40 else {
      return lines[0].drop { $0 == " " }.prefix(36) + " …"
    }
    guard value.isRow, case .vector = kind(value) else { return String(lines[0]) }
    return graph[value.node].name == nil ? "(\(lines[0]))'" : "\(lines[0])'"
  }

  /// Describes the fault in the operands of an operator and names both.
  func fault(_ message: String, _ a: Value, _ b: Value) -> Fault {
    Fault(message, details: ["left:  \(text(a))", "right: \(text(b))"])
  }

  // MARK: Elementwise.

  /// Adds an elementwise operation; a scalar goes with anything, else both are alike.
  mutating func elementwise(
    _ operation: Graph.Operation, _ symbol: String, _ a: Value, _ b: Value
  ) throws -> Value {
    let (rowA, rowB) = (shape(a).row, shape(b).row)
    if rowA == rowB {
      if case .vector = kind(a), a.isRow != b.isRow { throw unlike(symbol, a, b) }
      return Value(node: try graph.add(operation, [a.node, b.node]), isRow: a.isRow)
    }
    guard rowA.isEmpty || rowB.isEmpty else { throw unlike(symbol, a, b) }
    let nodes = [
      try aligned(a.node, axes: rowB.count), try aligned(b.node, axes: rowA.count),
    ]
    return Value(node: try graph.add(operation, nodes), isRow: a.isRow || b.isRow)
  }

  /// A scalar per row with axes of length 1, so that it goes with a value of so many axes per row.
  private mutating func aligned(_ node: Graph.Node, axes: Int) throws -> Graph.Node {
    guard axes > 0, graph.shape(of: node) == [.batch] else { return node }
    return try graph.reshape(
      node, to: SymbolicShape([.batch] + Array(repeating: 1, count: axes)))
  }

  private func unlike(_ symbol: String, _ a: Value, _ b: Value) -> Fault {
    let isTransposed = shape(a).row == shape(b).row
    return fault(
      "'\(symbol)': expected equal shapes"
        + (isTransposed ? "; one of the operands is transposed" : ""), a, b)
  }

  // MARK: Operators.

  mutating func binary(_ operation: BinaryOperator, _ lhs: Item, _ rhs: Item) throws -> Item {
    let symbol = operation.rawValue
    switch operation {
    case .multiply, .elementwiseMultiply:
      // A product with a known number is a scale.
      if case .number(let factor) = lhs { return .value(try scaled(value(of: rhs), by: factor)) }
      if case .number(let factor) = rhs { return .value(try scaled(value(of: lhs), by: factor)) }
      let (a, b) = (try value(of: lhs), try value(of: rhs))
      return .value(
        operation == .multiply ? try product(a, b) : try elementwise(.multiply, symbol, a, b))
    case .add, .subtract, .elementwiseDivide, .divide:
      let (a, b) = (try value(of: lhs), try value(of: rhs))
      if operation == .divide, kind(b) != .scalar {
        throw fault("'/': expected a scalar on the right; './' divides element by element", a, b)
      }
      let found: Graph.Operation =
        operation == .add ? .add : operation == .subtract ? .subtract : .divide
      return .value(try elementwise(found, symbol, a, b))
    case .power, .elementwisePower:
      let a = try value(of: lhs)
      if operation == .power, kind(a) != .scalar {
        throw Fault(
          "'^': expected a scalar on the left; '.^' raises element by element",
          details: ["left:  \(text(a))"])
      }
      if case .number(let exponent) = rhs {
        if exponent == 2, let square = a.square { return .value(Value(node: square)) }
        return .value(Value(node: try graph.power(a.node, exponent), isRow: a.isRow))
      }
      // a^b = e^(b · log a), of a positive a.
      let b = try value(of: rhs)
      let logarithm = Value(node: try graph.add(.log, [a.node]), isRow: a.isRow)
      let exponent = try elementwise(.multiply, symbol, b, logarithm)
      return .value(Value(node: try graph.add(.exp, [exponent.node]), isRow: exponent.isRow))
    }
  }

  private mutating func scaled(_ x: Value, by factor: Double) throws -> Value {
    Value(node: try graph.add(.scale(Factor(factor)), [x.node]), isRow: x.isRow)
  }

  private mutating func transposed(_ x: Value) throws -> Value {
    if kind(x) == .scalar { try requireTransposable(x) }
    return switch kind(x) {
    case .scalar: x
    case .vector: Value(node: x.node, isRow: !x.isRow)
    case .matrix: Value(node: try graph.add(.transpose, [x.node]))
    case .array:
      throw Fault(
        "transpose: expected a vector or a matrix", details: ["found: \(text(x))"])
    }
  }

  /// Refuses the transpose of an undeclared scalar with a subscript of letters: `θ_y'` on paper is a row of θ.
  private func requireTransposable(_ x: Value) throws(Fault) {
    guard let name = graph[x.node].name, declarations.shapes[name] == nil,
      let underscore = name.lastIndex(of: "_"), underscore > name.startIndex,
      name.index(after: underscore) < name.endIndex
    else { return }
    let (table, row) = (name[..<underscore], name[underscore...].dropFirst())
    throw Fault(
      "transpose: '\(name)' is a name of its own, of a scalar as no shape is declared; the row of "
        + "\(table) that \(row) names is \(table)[\(row)]")
  }

  /// The square root of the sum of squares, over all axes of a row of the batch.
  mutating func norm(_ x: Value) throws -> Value {
    let square = try graph.add(.squaredNorm(axes: shape(x).rowAxes), [x.node])
    return Value(node: try graph.add(.sqrt, [square]), square: square)
  }

  /// The row, or the element, that a label or a known number names.
  mutating func indexed(_ table: Value, by index: Item) throws -> Graph.Node {
    if case .number(let number) = index { return try row(number, of: table) }
    guard case .value(let index) = index, graph.labels(behind: index.node) != nil else {
      throw Fault("index: expected a whole number or a name of labels, such as θ[2] or θ[y]")
    }
    guard shape(table).isBatched else {
      return try graph.gather(table.node, labels: index.node)
    }
    guard case .vector(.fixed(let classes)) = kind(table), shape(index) == [.batch] else {
      throw Fault(
        "index: expected [batch, classes] and labels of shape [batch]",
        details: ["found: \(text(table))", "index: \(text(index))"])
    }
    let hot = try graph.add(.oneHot(classes: classes), [index.node])
    return try graph.add(.sum(axes: [1]), [graph.add(.multiply, [table.node, hot])])
  }

  /// The row, or the element, of a known number from 0 on: the sum over all rows, each times 0 or 1.
  private mutating func row(_ number: Double, of table: Value) throws -> Graph.Node {
    guard case .fixed(let count)? = shape(table).row.first else {
      throw Fault(
        "index: expected a vector or a matrix before it", details: ["found: \(text(table))"])
    }
    guard let index = Int(exactly: number), (0..<count).contains(index) else {
      throw Fault(
        "index: found \(Number.text(number)), expected 0 ..< \(count)",
        details: ["found: \(text(table))"])
    }
    var hot = Array(repeating: 0.0, count: count)
    hot[index] = 1
    let others = Array(repeating: 1, count: shape(table).row.count - 1)
    let constant = graph.constant(Tensor(shape: Shape([count] + others), values: hot))
    let product = try graph.add(.multiply, [table.node, constant])
    return try graph.add(.sum(axes: [shape(table).isBatched ? 1 : 0]), [product])
  }
}

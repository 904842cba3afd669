// Calls: functions that read as mathematics, and the operations of graphs as they are.
import Graphs
import Tensors

extension Builder {
  mutating func call(_ name: String, _ arguments: [Item]) throws -> Item {
    if name.hasPrefix("@") { return .value(try raw(String(name.dropFirst()), arguments)) }
    let signature = OperationSignature.byName[name]
    if Function.elementwise.contains(name), let operation = signature?.operation([]) {
      let x = try value(of: only(name, arguments))
      return .value(Value(node: try graph.add(operation, [x.node]), isRow: x.isRow))
    }
    if Function.alongAxis.contains(name), let operation = signature?.operation([]) {
      let x = try value(of: only(name, arguments))
      guard !shape(x).row.isEmpty else {
        throw Fault(
          "'\(name)': expected a vector or a matrix", details: ["found: \(text(x))"])
      }
      return .value(Value(node: try graph.add(operation, [x.node]), isRow: x.isRow))
    }
    switch name {
    case "sum" where arguments.count == 1, "mean" where arguments.count == 1:
      let x = try value(of: arguments[0])
      let axes = shape(x).rowAxes
      return .value(
        Value(node: try graph.add(name == "sum" ? .sum(axes: axes) : .mean(axes: axes), [x.node])))
    case "norm": return .value(try norm(value(of: only(name, arguments))))
    case "max":
      try require(name, arguments, 2)
      return .value(
        try elementwise(.maximum, name, value(of: arguments[0]), value(of: arguments[1])))
    case "cross_entropy":
      try require(name, arguments, 2)
      return .value(try crossEntropy(value(of: arguments[0]), value(of: arguments[1])))
    default: return .value(try raw(name, arguments))
    }
  }

  private func require(_ name: String, _ arguments: [Item], _ count: Int) throws(Fault) {
    guard arguments.count == count else {
      throw Fault(
        "'\(name)': found \(arguments.count) argument\(arguments.count == 1 ? "" : "s"), "
          + "expected \(count)")
    }
  }

  private func only(_ name: String, _ arguments: [Item]) throws(Fault) -> Item {
    try require(name, arguments, 1)
    return arguments[0]
  }

  /// `log Σ e^z − z_label`, in nats.
  private mutating func crossEntropy(_ logits: Value, _ labels: Value) throws -> Value {
    guard case .vector = kind(logits) else {
      throw Fault(
        "'cross_entropy': expected a vector of logits", details: ["found: \(text(logits))"])
    }
    if shape(logits).isBatched {
      return Value(node: try graph.softmaxCrossEntropy(logits.node, labels: labels.node))
    }
    let total = try graph.logSumExp(logits.node)
    let chosen = try graph.gather(logits.node, labels: labels.node)
    return Value(node: try graph.add(.subtract, [total, chosen]))
  }

  /// Adds an operation as it is, with the attributes behind its operands.
  private mutating func raw(_ name: String, _ arguments: [Item]) throws -> Value {
    var attributes: [Attribute] = []
    let signature = OperationSignature.byName[name]
    let operandCount = signature?.operandCount ?? 0
    guard arguments.count >= operandCount else {
      throw Fault("'\(name)': found \(arguments.count) arguments, expected \(operandCount) or more")
    }
    for item in arguments.dropFirst(operandCount) {
      switch item {
      case .number(let number): attributes.append(.number(number))
      case .list(let items): attributes.append(.list(items))
      case .value(let value):
        throw Fault(
          "'\(name)': expected a number or a list after its operands",
          details: ["found: \(text(value))"])
      }
    }
    if let value = try leaf(name, attributes) { return value }
    guard let operation = signature?.operation(attributes) else {
      let found = attributes.map(\.text).joined(separator: ", ")
      throw Fault(
        "'\(name)': found \(attributes.isEmpty ? "nothing" : found) after its operands, expected "
          + (signature?.expectation ?? "nothing"))
    }
    let operands = try arguments.prefix(operandCount).map { try value(of: $0) }
    do {
      return Value(node: try graph.add(operation, operands.map(\.node)))
    } catch {
      throw Fault(
        error.description,
        details: operands.enumerated().map { "operand \($0 + 1): \(text($1))" })
    }
  }

  private static let badMask = Fault(
    "'dropout_mask': expected a rate below 1, the number of a stream, 1 if channels are last, and a "
      + "shape such as [batch, 3]")

  private mutating func leaf(
    _ name: String, _ attributes: [Attribute]
  ) throws(Fault) -> Value? {
    switch (name, attributes.first) {
    case ("fill", .number(let value)?) where attributes.count == 2:
      guard case .list(let items) = attributes[1], let shape = SymbolicShape(items: items) else {
        throw Fault("'fill': expected a number and a shape such as [batch, 3]")
      }
      return Value(node: graph.fill(value, shape: shape))
    case ("constant", .list(let items)?) where attributes.count == 2:
      guard case .list(let extents) = attributes[1], let shape = SymbolicShape(items: extents),
        shape.isFixed, shape.fixedCount == items.count, !items.contains(.batch)
      else {
        throw Fault("'constant': expected a list of numbers and a shape for as many")
      }
      let values = items.compactMap { item in
        if case .number(let value) = item { value } else { nil }
      }
      return Value(node: graph.constant(Tensor(shape: shape.resolved(batch: 1), values: values)))
    case ("dropout_mask", .number(let rate)?) where attributes.count == 4:
      guard (0..<1).contains(rate), case .number(let word) = attributes[1],
        let stream = UInt32(exactly: word), case .number(let flag) = attributes[2],
        [0, 1].contains(flag), case .list(let items) = attributes[3],
        let shape = SymbolicShape(items: items), shape.axisCount > 0
      else { throw Builder.badMask }
      let mask = DropoutMask(rate: rate, stream: stream, isChannelsLast: flag == 1)
      return Value(node: graph.dropoutMask(mask, shape: shape))
    case ("dropout_mask", _): throw Builder.badMask
    case ("fill", _): throw Fault("'fill': expected a number and a shape such as [batch, 3]")
    case ("constant", _):
      throw Fault("'constant': expected a list of numbers and a shape for as many")
    default: return nil
    }
  }
}

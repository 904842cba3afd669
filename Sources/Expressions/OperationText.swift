// An operation of a node as a call in text.
import Graphs

/// An operation as a call: `reshape(x, [batch, 3])` is the name, one operand and one attribute.
struct OperationText: Equatable {
  let name: String
  let attributes: [Attribute]

  /// The text of an operation; leaves that are given from outside are written as their names.
  init?(_ operation: Graph.Operation, shape: SymbolicShape) {
    switch operation {
    case .data, .labels, .parameter: return nil
    case .constant, .fill, .dropoutMask:
      attributes = operation.attributes + [.extents(shape)]
    default: attributes = operation.attributes
    }
    name = operation.name
  }
}

extension Attribute {
  /// The attribute as it is written in a call.
  var text: String {
    switch self {
    case .number(let value): Number.text(value)
    case .list(let items):
      "["
        + items.map { item in
          switch item {
          case .batch: "batch"
          case .number(let value): Number.text(value)
          }
        }.joined(separator: ", ") + "]"
    }
  }
}

/// Why a graph cannot be built, differentiated or evaluated as asked.
public enum GraphError: Error, Hashable {
  /// Two data, label or parameter nodes have one name.
  case duplicateName(String)
  /// A parameter's shape depends on the batch.
  case batchParameter(String, shape: SymbolicShape)
  /// The operands of an operation do not go together.
  case operands(operation: String, name: String?, fault: String)
  /// A value is needed to evaluate the graph and was not given.
  case missingValue(String)
  /// A given value has another shape than its node.
  case valueShape(String, found: String, expected: String)
  /// A label is not the number of a class.
  case label(String, row: Int, found: Double, classes: Int)
  /// An operation would have more elements than can be counted.
  case tooLarge(operation: String, found: String, limit: Int)
}

extension GraphError: CustomStringConvertible {
  /// The thing, what was found, what was expected, on one line.
  public var description: String {
    switch self {
    case .duplicateName(let name):
      "two nodes are named '\(name)'"
    case .batchParameter(let name, let shape):
      "parameter '\(name)' has shape \(shape); a parameter cannot depend on the batch"
    case .operands(let operation, let name, let fault):
      operation + (name.map { " '\($0)'" } ?? "") + ": " + fault
    case .missingValue(let name):
      "no value for '\(name)'"
    case .valueShape(let name, let found, let expected):
      "value of '\(name)' has shape \(found), expected \(expected)"
    case .label(let name, let row, let found, let classes):
      "'\(name)' has label \(Int(exactly: found).map(String.init) ?? "\(found)") in row \(row), "
        + "expected 0 ..< \(classes)"
    case .tooLarge(let operation, let found, let limit):
      "\(operation): found \(found), expected at most \(limit)"
    }
  }
}

/// A fault in the shapes of an operation's operands; the graph adds the name of the operation.
struct ShapeFault: Error {
  let text: String
  init(_ text: String) { self.text = text }
}

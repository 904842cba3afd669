public import Graphs

/// Why a plan cannot be compiled.
public enum PlanError: Error {
  /// The library that computes refused to make a primitive.
  case kernel(node: String, reason: String)
  /// A parameter of the graph has no place in the flat vector, or another shape there.
  case parameter(String, found: String, expected: String)
  /// The graph cannot be rewritten for execution.
  case graph(GraphError)
  /// A variable of the process asks what the backend does not have.
  case variable(String, found: String, expected: String)
}

extension PlanError: CustomStringConvertible {
  /// The thing, what was found, what was expected, on one line.
  public var description: String {
    switch self {
    case .kernel(let node, let reason): "\(node): \(reason)"
    case .parameter(let name, let found, let expected):
      "parameter '\(name)' has \(found) in the flat vector, expected \(expected)"
    case .graph(let error): "\(error)"
    case .variable(let name, let found, let expected):
      "variable \(name) is '\(found)', expected one of \(expected)"
    }
  }
}

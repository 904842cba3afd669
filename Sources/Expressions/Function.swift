// The functions that expressions can call.
import Configuration
import Graphs

/// What is known of functions before they are called.
enum Function {
  /// Functions of each element.
  static let elementwise: Set<String> = [
    "exp", "expm1", "log", "log1p", "sqrt", "abs", "erf", "sigmoid", "softplus", "tanh", "relu",
    "sign", "square",
  ]
  /// Functions along the last axis of a row of the batch.
  static let alongAxis: Set<String> = ["softmax", "log_softmax", "logsumexp"]
  /// Functions that read as mathematics.
  static let readable: [String] =
    ["max", "norm", "sum", "mean", "cross_entropy"] + elementwise.sorted() + alongAxis.sorted()

  /// The operations of graphs, as they are.
  static let raw: [String] =
    OperationText.simple.keys.sorted() + [
      "scale", "power", "cap", "squared_norm", "reshape", "broadcast", "one_hot", "fill",
      "constant",
      "dropout_mask", "embedding_gradient", "permute", "slice", "pad", "concatenate", "variance",
    ] + OperationText.windowNames

  /// All that stand before an opening bracket.
  static let names: Set<String> =
    Set(readable).union(raw).union((raw + ["sum", "mean"]).map { "@" + $0 })

  /// What to say about a name that is no function.
  static func unknown(_ name: String) -> String {
    if let near = nearest(name, in: readable + raw) {
      return "unknown function '\(name)'; did you mean '\(near)'?"
    }
    return "unknown function '\(name)', expected one of \(readable.sorted().joined(separator: " "))"
      + "; a product is written with '*'"
  }

  /// Which argument of a function is labels, from 0.
  static func labelArgument(_ name: String) -> Int? {
    switch name.hasPrefix("@") ? String(name.dropFirst()) : name {
    case "cross_entropy", "gather", "softmax_cross_entropy": 1
    case "one_hot": 0
    case "softmax_cross_entropy_gradient": 2
    default: nil
    }
  }
}

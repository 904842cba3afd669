// The functions that expressions can call.
import Configuration
import Graphs

/// The functions that expressions can call.
enum Function {
  /// Functions of each element: the elementwise operations of one operand and nothing else.
  static let elementwise: Set<String> = Set(
    OperationSignature.byName.values.filter(\.isElementwiseFunction).map(\.name))
  /// Functions along the last axis of a row of the batch.
  static let alongAxis: Set<String> = ["softmax", "log_softmax", "logsumexp"]
  /// Functions that read as mathematics.
  static let readable: [String] =
    ["max", "norm", "sum", "mean", "cross_entropy"] + elementwise.sorted() + alongAxis.sorted()

  /// The operations of graphs, as they are.
  static let raw: [String] = OperationSignature.byName.keys.sorted()

  /// All that stand before an opening bracket.
  static let names: Set<String> = Set(readable).union(raw).union(raw.map { "@" + $0 })

  /// Describes a name that is no function.
  static func unknown(_ name: String) -> String {
    if let near = nearest(name, in: readable + raw) {
      return "unknown function '\(name)'; did you mean '\(near)'?"
    }
    return "unknown function '\(name)', expected one of \(readable.sorted().joined(separator: " "))"
      + "; a product is written with '*'"
  }

  /// The argument of a function that is labels, from 0.
  static func labelArgument(_ name: String) -> Int? {
    if name == "cross_entropy" { return 1 }
    return OperationSignature.byName[name.hasPrefix("@") ? String(name.dropFirst()) : name]?
      .labelOperand
  }
}

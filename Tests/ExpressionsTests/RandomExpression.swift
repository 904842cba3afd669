import Expressions
import Graphs
import TestSupport

/// Draws expressions whose shapes fit, written in all the ways that the language has.
struct RandomExpression {
  /// What an expression comes to for one row.
  enum Kind: CaseIterable { case scalar, short, long }

  private var numbers: TestNumbers

  init(seed: String) { numbers = TestNumbers("random expression", seed) }

  /// Columns of 2 and 3, matrices between them, scalars, labels; each with and without a batch.
  static let declarations = Declarations(
    shapes: [
      "x": [.batch, 3], "v": [3], "u": [.batch, 2], "b": [2], "W": [2, 3], "θ": [3, 2],
      "s": [.batch], "y": [.batch],
    ], parameters: nil)

  /// An expression that uses every declared symbol, so that no declaration is idle.
  mutating func text() -> String {
    "let used = s + x'*v + u'*b + u'*W*x + b'*θ[y]\n"
      + "\(scalar(4)) + used * \(scalar(2))"
  }

  private mutating func pick(_ choices: [String]) -> String { numbers.element(of: choices) }

  private mutating func scalar(_ depth: Int) -> String {
    guard depth > 0 else { return pick(["s", "α", "c", "2", "0.5", "-3", "1e-3", "β_1"]) }
    switch numbers.below(12) {
    case 0:
      return "(\(scalar(depth - 1)) \(pick(["+", "-", "−", "*", "/", "·"])) \(scalar(depth - 1)))"
    case 1: return "(-\(scalar(0)))"
    case 2: return "\(function())(\(scalar(depth - 1)))"
    case 3: return "(\(scalar(depth - 1)))\(pick(["^2", "²", "^3", "^-1", "^0.5", "**2"]))"
    case 4: return "||\(long(depth - 1))||\(pick(["", "^2", "²", "^3"]))"
    case 5: return "((\(long(depth - 1)))'*(\(long(depth - 1))))"
    case 6: return "((\(short(depth - 1)))ᵀ * (\(short(depth - 1))))"
    case 7: return "\(pick(["sum", "mean", "logsumexp", "∑"]))(\(short(depth - 1)))"
    case 8: return "max(\(scalar(depth - 1)), \(scalar(depth - 1)))"
    case 9: return "cross_entropy(x .* (\(long(depth - 1))), y)"
    case 10: return "|\(scalar(0)) - \(scalar(depth - 1))|"
    default: return "(\(scalar(depth - 1)) + \(scalar(depth - 1)))"
    }
  }

  private mutating func function() -> String {
    pick(["exp", "log", "sqrt", "abs", "sigmoid", "tanh", "relu", "square"])
  }

  private mutating func vector(
    _ depth: Int, _ leaves: [String], _ same: (inout RandomExpression, Int) -> String,
    _ mapped: (inout RandomExpression, Int) -> String
  ) -> String {
    guard depth > 0 else { return pick(leaves) }
    switch numbers.below(8) {
    case 0:
      return
        "(\(same(&self, depth - 1)) \(pick(["+", "-", ".*", "./", "⊙"])) \(same(&self, depth - 1)))"
    case 1: return "((\(scalar(depth - 1)))*(\(same(&self, depth - 1))))"
    case 2:
      return
        "\(pick(["exp", "tanh", "softmax", "log_softmax", "relu", "abs"]))(\(same(&self, depth - 1)))"
    case 3: return "(\(same(&self, depth - 1))).^\(pick(["2", "3", "0.5"]))"
    case 4: return "(\(same(&self, depth - 1)) + \(scalar(depth - 1)))"
    case 5: return "(-(\(same(&self, depth - 1))))"
    default: return mapped(&self, depth - 1)
    }
  }

  private mutating func long(_ depth: Int) -> String {
    vector(
      depth, ["x", "v", "(θ*b)"], { $0.long($1) },
      { "(\($0.pick(["θ*", "W'*"]))(\($0.short($1))))" })
  }

  private mutating func short(_ depth: Int) -> String {
    vector(
      depth, ["u", "b", "θ[y]"], { $0.short($1) }, { "(\($0.pick(["W*", "θ'*"]))(\($0.long($1))))" }
    )
  }
}

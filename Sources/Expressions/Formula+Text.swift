// A formula as text: an expression that is read as the same formula, or LaTeX.
import Graphs

extension Formula {
  /// The notation of a written expression.
  public enum Notation: Sendable {
    /// The text that ``Formula/init(_:_:)`` reads.
    case plain
    /// The LaTeX of a formula's inside.
    case latex
  }

  /// Returns the formula as text, one line per output.
  ///
  /// A value that is used more than once has a line of its own that names it, and so has a part of a
  /// line that would be too long. Read again with ``Declarations/init(leavesOf:)`` of its graph, the
  /// plain text gives the identical formula.
  ///
  /// - Parameters:
  ///   - notation: Plain or LaTeX.
  ///   - names: The name of each output in a remark behind it; none by default.
  /// - Returns: The lines, without a line break at the end.
  /// - Complexity: O(nodes).
  public func text(_ notation: Notation = .plain, naming names: [String] = []) -> String {
    var writer = Writer(self, notation)
    return writer.lines(naming: names).joined(separator: notation == .latex ? " \\\\\n" : "\n")
  }
}

extension Formula: CustomStringConvertible {
  /// The formula as plain text.
  public var description: String { text() }
}

/// A part of an expression with how strongly it holds together.
struct Fragment {
  let text: String
  let precedence: Int

  /// The text, in parentheses if it holds together less than that.
  func within(_ minimum: Int, _ notation: Formula.Notation, isRight: Bool = false) -> String {
    let isNegative = isRight && text.hasPrefix("-")
    if precedence >= minimum && !isNegative { return text }
    return notation == .plain ? "(\(text))" : "\\left(\(text)\\right)"
  }
}

private struct Writer {
  let graph: Graph
  let outputs: [Graph.Node]
  let notation: Formula.Notation
  private var fragments: [Fragment?]
  private var names: Set<String>
  private var nameCount = 0

  /// The characters from which a part of an expression gets a line of its own.
  private static let limit = 100

  init(_ formula: Formula, _ notation: Formula.Notation) {
    (graph, outputs, self.notation) = (formula.graph, formula.outputs, notation)
    fragments = Array(repeating: nil, count: formula.graph.count)
    names = Set(formula.graph.nodes.compactMap { formula.graph[$0].name })
  }

  mutating func lines(naming remarks: [String]) -> [String] {
    var uses = Array(repeating: 0, count: graph.count)
    for output in outputs { uses[output.index] += 1 }
    for index in stride(from: graph.count - 1, through: 0, by: -1) where uses[index] > 0 {
      let node = Graph.Node(index: index)
      guard graph[node].name == nil else { continue }
      for part in graph.spelling(of: node).nodes { uses[part.index] += 1 }
    }
    var lines: [String] = []
    for node in graph.nodes where uses[node.index] > 0 {
      if let name = graph[node].name {
        fragments[node.index] = Fragment(text: Notations.name(name, notation), precedence: 7)
        continue
      }
      let spelling = graph.spelling(of: node)
      let fragment = self.fragment(spelling)
      fragments[node.index] = fragment
      if case .number = spelling { continue }
      let isLong = fragment.text.count > Writer.limit && !outputs.contains(node)
      guard uses[node.index] > 1 || isLong else { continue }
      let name = freshName()
      let written = Notations.name(name, notation)
      lines.append((notation == .plain ? "let " : "") + "\(written) = \(fragment.text)")
      fragments[node.index] = Fragment(text: written, precedence: 7)
    }
    for (index, output) in outputs.enumerated() {
      let line = fragments[output.index]?.text ?? ""
      guard index < remarks.count else {
        lines.append(line)
        continue
      }
      switch notation {
      case .plain: lines.append("\(line)  # \(remarks[index])")
      case .latex: lines.append("\(remarks[index]) = \(line)")
      }
    }
    return lines
  }

  private mutating func freshName() -> String {
    repeat { nameCount += 1 } while !names.insert("z\(nameCount)").inserted
    return "z\(nameCount)"
  }

  /// The text of a spelling; its depth does not depend on the graph.
  private func fragment(_ spelling: Spelling) -> Fragment {
    switch spelling {
    case .node(let node): return fragments[node.index] ?? Fragment(text: "", precedence: 7)
    case .number(let value):
      return Fragment(
        text: Notations.number(value, notation), precedence: value.sign == .minus ? 4 : 7)
    case .attribute(let attribute): return Fragment(text: attribute.text, precedence: 7)
    case .negate(let x): return Fragment(text: "-" + negated(x), precedence: 2)
    case .transposed(let x):
      return Fragment(
        text: notation == .plain ? within(x, 6) + "'" : "{\(within(x, 7))}^{\\top}", precedence: 6)
    case .index(let table, let labels):
      let (table, labels) = (within(table, 6), fragment(labels).text)
      return Fragment(
        text: notation == .plain ? "\(table)[\(labels)]" : "{\(table)}_{\(labels)}", precedence: 6)
    case .norm(let x):
      let text = fragment(x).text
      return Fragment(
        text: notation == .plain ? "‖\(text)‖" : "\\left\\lVert \(text)\\right\\rVert",
        precedence: 7)
    case .power(let x, let exponent, let isElementwise):
      let base = within(x, notation == .plain ? 6 : 7)
      let power = Notations.number(exponent, notation)
      let mark = isElementwise ? (notation == .plain ? ".^" : "^{\\odot ") : "^"
      return Fragment(
        text: notation == .plain
          ? base + mark + power : "{\(base)}" + (isElementwise ? mark : "^{") + power + "}",
        precedence: 5)
    case .binary(let operation, let a, let b): return binary(operation, a, b)
    case .call(let name, let arguments): return call(name, arguments)
    }
  }

  private func within(_ spelling: Spelling, _ minimum: Int, isRight: Bool = false) -> String {
    fragment(spelling).within(minimum, notation, isRight: isRight)
  }

  /// Writes the operand of a minus sign; a bare number there would read as a negative number.
  private func negated(_ spelling: Spelling) -> String {
    let text = within(spelling, 3, isRight: true)
    let isNumber = text.first.map(Names.isDigit) ?? false
    let isWord = text.hasPrefix("inf") || text.hasPrefix("nan")
    guard isNumber || isWord else { return text }
    return Fragment(text: text, precedence: 0).within(1, notation)
  }

  private func binary(_ operation: BinaryOperator, _ a: Spelling, _ b: Spelling) -> Fragment {
    let precedence = operation.precedence
    if notation == .latex, operation == .divide {
      return Fragment(
        text: "\\frac{\(fragment(a).text)}{\(fragment(b).text)}", precedence: 7)
    }
    let mark =
      switch (operation, notation) {
      case (.add, _): " + "
      case (.subtract, _): " - "
      case (.multiply, .latex): " \\, "
      case (.elementwiseMultiply, .latex): " \\odot "
      case (.elementwiseDivide, .latex): " \\oslash "
      case (.elementwiseMultiply, .plain): " .* "
      case (.elementwiseDivide, .plain): " ./ "
      case (let other, _): other.rawValue
      }
    return Fragment(
      text: within(a, precedence) + mark + within(b, precedence + 1, isRight: true),
      precedence: precedence)
  }

  private func call(_ name: String, _ arguments: [Spelling]) -> Fragment {
    let list = arguments.map { fragment($0).text }.joined(separator: ", ")
    guard notation == .latex else { return Fragment(text: "\(name)(\(list))", precedence: 7) }
    return Fragment(text: Notations.latexCall(name, list), precedence: 7)
  }
}

/// Names, numbers and functions in either notation.
enum Notations {
  static func name(_ name: String, _ notation: Formula.Notation) -> String {
    switch notation {
    case .plain: Names.isPlain(name) ? name : "`\(name)`"
    case .latex: latexName(name)
    }
  }

  static func number(_ value: Double, _ notation: Formula.Notation) -> String {
    let text = Number.text(value)
    guard notation == .latex else { return text }
    if value.isInfinite { return value < 0 ? "-\\infty" : "\\infty" }
    guard let e = text.firstIndex(of: "e"), let exponent = Int(text[text.index(after: e)...])
    else { return text }
    return "\(text[..<e]) \\cdot 10^{\(exponent)}"
  }

  /// A Greek letter or a letter, with what follows it as a subscript; longer names upright.
  private static func latexName(_ name: String) -> String {
    guard Names.isPlain(name) else { return "\\mathrm{\(escaped(name))}" }
    let stem = name.prefix { !Names.isDigit($0) && $0 != "_" }
    let rest = name.dropFirst(stem.count).drop { $0 == "_" }
    let letter: String
    if stem.count == 1, let greek = Names.greek.first(where: { String($0.value) == stem }) {
      letter = "\\\(greek.key)"
    } else {
      letter = stem.count == 1 ? String(stem) : "\\mathrm{\(escaped(String(stem)))}"
    }
    guard !rest.isEmpty else { return letter }
    let index = rest.allSatisfy(Names.isDigit) ? String(rest) : "\\mathrm{\(escaped(String(rest)))}"
    return "\(letter)_{\(index)}"
  }

  static func latexCall(_ name: String, _ list: String) -> String {
    switch name {
    case "exp", "log", "tanh", "max": "\\\(name)\\left(\(list)\\right)"
    case "sqrt": "\\sqrt{\(list)}"
    case "abs": "\\left|\(list)\\right|"
    case "sum": "\\sum \\left(\(list)\\right)"
    default: "\\operatorname{\(escaped(name))}\\left(\(list)\\right)"
    }
  }

  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      if "_&%$#{}".contains(character) { result.append("\\") }
      result.append(character)
    }
  }
}

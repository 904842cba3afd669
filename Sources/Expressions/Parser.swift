// From tokens to instructions, by Dijkstra's shunting yard: open brackets wait on a stack of ours.
// Source: Dijkstra, "Making a translator for ALGOL 60" (1961), https://ir.cwi.nl/pub/9251.
import Graphs

/// Parses a text of one or more lines.
///
/// - Complexity: O(characters), however deeply brackets are nested.
func parse(_ source: SourceText) throws(ExpressionError) -> [Instruction] {
  var parser = Parser(source: source, tokens: try tokens(of: source))
  return try parser.run()
}

private struct Parser {
  /// An operator that waits for its second operand, or an opening bracket for its closing one.
  private enum Pending {
    case parenthesis, norm, absoluteValue, index
    case call(String, arguments: Int)
    case negate(precedence: Int)
    /// A function without parentheses, such as `√x` and `Σ x'*θ`.
    case apply(String, precedence: Int)
    case binary(BinaryOperator)

    var precedence: Int? {
      switch self {
      case .negate(let precedence), .apply(_, let precedence): precedence
      case .binary(let operation): operation.precedence
      case .parenthesis, .norm, .absoluteValue, .index, .call: nil
      }
    }

    /// The token that closes it.
    var closing: String? {
      switch self {
      case .parenthesis, .call: ")"
      case .norm: "||"
      case .absoluteValue: "|"
      case .index: "]"
      case .negate, .apply, .binary: nil
      }
    }
  }

  private let source: SourceText
  private var tokens: [Token]
  private var position = 0
  private var pending: [(kind: Pending, offset: Int)] = []
  private var code: [Instruction] = []
  /// The brackets that are open.
  private var depth = 0

  init(source: SourceText, tokens: [Token]) {
    self.source = source
    self.tokens = tokens
  }

  private var token: Token { tokens[position] }
  private func next(_ distance: Int) -> Token.Kind {
    position + distance < tokens.count ? tokens[position + distance].kind : .end
  }

  private mutating func emit(_ kind: Instruction.Kind, at offset: Int) {
    code.append(Instruction(kind: kind, offset: offset))
  }

  mutating func run() throws(ExpressionError) -> [Instruction] {
    while true {
      while token.kind == .newline || token.kind == .mark(";") { position += 1 }
      if token.kind == .end { break }
      try statement()
    }
    guard !code.isEmpty else {
      throw source.error("found nothing, expected an expression", at: token.offset)
    }
    return code
  }

  private mutating func statement() throws(ExpressionError) {
    let start = token.offset
    var bound: String?
    let isLet = token.kind == .name("let")
    if isLet { position += 1 }
    if case .name(let name) = token.kind, next(1) == .mark("=") {
      bound = Names.canonical(name)
    } else if case .quotedName(let name) = token.kind, next(1) == .mark("=") {
      bound = name
    } else if isLet {
      throw source.error(
        "found \(token.kind.text), expected 'name =' after 'let'", at: token.offset)
    }
    let place = token.offset
    if let bound {
      guard !Names.reserved.contains(bound), !Function.names.contains(bound) else {
        throw source.error("'\(bound)' has a meaning of its own, expected another name", at: place)
      }
      position += 2
    }
    try expression()
    if let bound { emit(.bind(bound), at: place) } else { emit(.output, at: start) }
  }

  private mutating func expression() throws(ExpressionError) {
    while true {
      try operand()
      if try operators() { return }
    }
  }

  /// Reads what may stand before an operand, and the operand.
  private mutating func operand() throws(ExpressionError) {
    while true {
      let offset = token.offset
      switch token.kind {
      case .newline: position += 1
      case .number(let value):
        emit(.number(value), at: offset)
        position += 1
        return
      case .quotedName(let name):
        emit(.symbol(name), at: offset)
        position += 1
        return
      case .name(let name):
        if try nameOrCall(name, offset) { return }
      case .mark("∑"): applyOrCall("sum", precedence: BinaryOperator.sumPrecedence)
      case .mark("√"): applyOrCall("sqrt", precedence: BinaryOperator.factorNegationPrecedence)
      case .mark("("): open(.parenthesis)
      case .mark("||"): open(.norm)
      case .mark("|"): open(.absoluteValue)
      case .mark("["):
        try list()
        return
      case .mark("+"): position += 1
      case .mark("-"):
        if case .number(let value) = next(1), !isRaised(next(2)) {
          emit(.number(-value), at: offset)
          position += 2
          return
        }
        let outer = pending.last?.kind.precedence ?? 0
        let precedence =
          outer > BinaryOperator.negationPrecedence
          ? BinaryOperator.factorNegationPrecedence : BinaryOperator.negationPrecedence
        pending.append((.negate(precedence: precedence), offset))
        position += 1
      case .mark, .superscript, .end:
        throw source.error(
          "found \(token.kind.text), expected a name, a number or an opening bracket", at: offset)
      }
    }
  }

  /// Returns true if a number before this token is the base of a power, whose sign is another matter.
  private func isRaised(_ kind: Token.Kind) -> Bool {
    if case .superscript = kind { return true }
    return kind == .mark("^") || kind == .mark(".^")
  }

  private mutating func open(_ kind: Pending, length: Int = 1) {
    pending.append((kind, token.offset))
    position += length
    depth += 1
  }

  /// Reads the sign of a function, which may do without parentheses.
  private mutating func applyOrCall(_ function: String, precedence: Int) {
    if next(1) == .mark("(") {
      open(.call(function, arguments: 1), length: 2)
    } else {
      pending.append((.apply(function, precedence: precedence), token.offset))
      position += 1
    }
  }

  /// Returns true if the letter at this place is the sign of a sum: the rest would fit nothing else.
  private func isSum(_ distance: Int) -> Bool {
    guard next(distance) == .name("Σ") else { return next(distance) == .mark("∑") }
    switch next(distance + 1) {
    case .number, .name, .quotedName, .mark("("), .mark("√"): return true
    default: return false
    }
  }

  /// Returns true if the name was an operand; a call goes on with its arguments.
  private mutating func nameOrCall(
    _ name: String, _ offset: Int
  ) throws(ExpressionError) -> Bool {
    if name == "Σ", isSum(0) {
      applyOrCall("sum", precedence: BinaryOperator.sumPrecedence)
      return false
    }
    if isSum(1), Function.elementwise.contains(name) {
      // `log Σ exp(z)`
      pending.append((.apply(name, precedence: BinaryOperator.sumPrecedence), offset))
      position += 1
      return false
    }
    if next(1) == .mark("(") {
      guard Function.names.contains(name) else {
        throw source.error(Function.unknown(name), at: offset)
      }
      open(.call(name, arguments: 1), length: 2)
      return false
    }
    guard !Function.names.contains(name), !name.hasPrefix("@") else {
      throw source.error("'\(name)' is a function, expected '(' after it", at: offset + name.count)
    }
    guard !Names.reserved.contains(name) else {
      throw source.error("found '\(name)', expected a name, a number or '('", at: offset)
    }
    emit(.symbol(Names.canonical(name)), at: offset)
    position += 1
    return true
  }

  /// Reads a list of numbers and `batch` between brackets.
  private mutating func list() throws(ExpressionError) {
    let start = token.offset
    var items: [ListItem] = []
    position += 1
    while token.kind != .mark("]") || !items.isEmpty {
      let isNegative = token.kind == .mark("-")
      if isNegative { position += 1 }
      switch token.kind {
      case .number(let value): items.append(.number(isNegative ? -value : value))
      case .name("batch") where !isNegative: items.append(.batch)
      default:
        throw source.error(
          "found \(token.kind.text), expected a number or 'batch'", at: token.offset)
      }
      position += 1
      if token.kind == .mark("]") { break }
      guard token.kind == .mark(",") else {
        throw source.error("found \(token.kind.text), expected ',' or ']'", at: token.offset)
      }
      position += 1
    }
    position += 1
    emit(.list(items), at: start)
  }

  /// Reads what follows an operand; whether that ended the statement.
  private mutating func operators() throws(ExpressionError) -> Bool {
    while true {
      let offset = token.offset
      switch token.kind {
      case .newline where depth > 0: position += 1
      case .newline, .end, .mark(";"):
        try finish()
        return true
      case .superscript(let exponent):
        emit(.number(exponent), at: offset)
        emit(.binary(.power), at: offset)
        position += 1
      case .mark("'"):
        emit(.transpose, at: offset)
        position += 1
      case .mark("^") where next(1) == .name("T") || next(1) == .mark("'"):
        emit(.transpose, at: offset)
        position += 2
      case .mark("["):
        open(.index)
        return false
      case .mark(","):
        reduce(to: 0)
        guard case .call(let name, let arguments)? = pending.last?.kind else {
          throw source.error("found ',', expected \(expectation)", at: offset)
        }
        pending[pending.count - 1].kind = .call(name, arguments: arguments + 1)
        position += 1
        return false
      case .mark(let mark):
        if let operation = BinaryOperator(rawValue: mark) {
          reduce(to: operation.precedence + (operation.isRightAssociative ? 1 : 0))
          pending.append((.binary(operation), offset))
          position += 1
          return false
        }
        try close(mark)
      case .number, .name, .quotedName:
        throw source.error(
          "found \(token.kind.text), expected \(expectation); a product is written with '*'",
          at: offset)
      }
    }
  }

  /// The tokens that may stand after an operand, in words.
  private var expectation: String {
    let closing = pending.last { $0.kind.closing != nil }?.kind.closing
    return closing.map { "an operator or '\($0)'" } ?? "an operator"
  }

  /// Emits the operators that bind at least as strongly.
  private mutating func reduce(to precedence: Int) {
    while let last = pending.last, let found = last.kind.precedence, found >= precedence {
      pending.removeLast()
      switch last.kind {
      case .negate: emit(.negate, at: last.offset)
      case .apply(let function, _): emit(.call(function, argumentCount: 1), at: last.offset)
      case .binary(let operation): emit(.binary(operation), at: last.offset)
      case .parenthesis, .norm, .absoluteValue, .index, .call: return
      }
    }
  }

  private mutating func close(_ mark: String) throws(ExpressionError) {
    reduce(to: 0)
    if mark == "||", case .absoluteValue? = pending.last?.kind {
      // Two bars that close one after the other.
      let second = token.offset + 1
      tokens[position] = Token(kind: .mark("|"), offset: second)
      position -= 1
      try closeBracket("|")
      if next(1) == .mark("|"), tokens[position + 1].offset == second + 1 {
        // Of three bars the first closed, and the others are a norm's.
        position += 1
        tokens[position] = Token(kind: .mark("||"), offset: second)
      }
    } else {
      try closeBracket(mark)
    }
  }

  private mutating func closeBracket(_ mark: String) throws(ExpressionError) {
    guard let last = pending.last, last.kind.closing == mark else {
      let hint = ["(", "∑", "√"].contains(mark) ? "; a product is written with '*'" : ""
      throw source.error("found '\(mark)', expected \(expectation)\(hint)", at: token.offset)
    }
    pending.removeLast()
    depth -= 1
    position += 1
    switch last.kind {
    case .norm: emit(.norm, at: last.offset)
    case .absoluteValue: emit(.absoluteValue, at: last.offset)
    case .index: emit(.index, at: last.offset)
    case .call(let name, let arguments):
      emit(.call(name, argumentCount: arguments), at: last.offset)
    case .parenthesis, .negate, .apply, .binary: break
    }
  }

  private mutating func finish() throws(ExpressionError) {
    reduce(to: 0)
    guard pending.isEmpty else {
      throw source.error("found \(token.kind.text), expected \(expectation)", at: token.offset)
    }
  }
}

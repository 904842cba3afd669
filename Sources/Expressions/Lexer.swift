// From characters to tokens.

/// A word of an expression.
struct Token: Equatable {
  enum Kind: Equatable {
    case number(Double)
    case name(String)
    /// A name between backquotes, taken as it is.
    case quotedName(String)
    /// An operator, a bracket or a separator, in its one spelling.
    case mark(String)
    /// An exponent in raised digits.
    case superscript(Double)
    case newline
    case end
  }
  let kind: Kind
  /// The position of its first character.
  let offset: Int
}

extension Token.Kind {
  /// The token in messages.
  var text: String {
    switch self {
    case .number(let value): "'\(Number.text(value))'"
    case .name(let name), .quotedName(let name): "'\(name)'"
    case .mark(let mark): "'\(mark)'"
    case .superscript: "an exponent"
    case .newline: "the end of the line"
    case .end: "the end"
    }
  }
}

/// Cuts a text into tokens, the last of which is the end.
///
/// - Complexity: O(characters).
func tokens(of source: SourceText) throws(ExpressionError) -> [Token] {
  var lexer = Lexer(source: source)
  return try lexer.run()
}

private struct Lexer {
  let source: SourceText
  private var position = 0
  private var tokens: [Token] = []

  init(source: SourceText) { self.source = source }

  private var characters: [Character] { source.characters }

  private func peek(_ distance: Int = 0) -> Character? {
    let index = position + distance
    return index < characters.count ? characters[index] : nil
  }

  private mutating func append(_ kind: Token.Kind, length: Int) {
    tokens.append(Token(kind: kind, offset: position))
    position += length
  }

  mutating func run() throws(ExpressionError) -> [Token] {
    while let character = peek() {
      if character.isNewline {
        append(.newline, length: 1)
      } else if character.isWhitespace || invisible.contains(character) {
        position += 1
      } else if character == "#" {
        while let next = peek(), !next.isNewline { position += 1 }
      } else if Names.isDigit(character) || (character == "." && isDigit(peek(1))) {
        try number()
      } else if Names.isStart(character) {
        try name(prefix: "")
      } else if character == "@", let next = peek(1), Names.isStart(next) {
        try name(prefix: "@")
      } else if character == "`" {
        try quotedName()
      } else if superscripts[character] != nil || character == "⁻" {
        try superscript()
      } else {
        try mark(character)
      }
    }
    append(.end, length: 0)
    return tokens
  }

  private func isDigit(_ character: Character?) -> Bool { character.map(Names.isDigit) ?? false }

  private mutating func number() throws(ExpressionError) {
    var length = 0
    func digits() -> Int {
      var count = 0
      while isDigit(peek(length + count)) { count += 1 }
      return count
    }
    length += digits()
    // The point of an elementwise operator belongs to the operator.
    let isPower = peek(length + 1) == "*" && peek(length + 2) == "*"
    if peek(length) == ".", isPower || !["*", "/", "^"].contains(peek(length + 1)) {
      length += 1
      length += digits()
    }
    if peek(length) == "e" || peek(length) == "E" {
      let sign = peek(length + 1) == "-" || peek(length + 1) == "+" ? 1 : 0
      if isDigit(peek(length + 1 + sign)) {
        length += 1 + sign
        length += digits()
      }
    }
    let text = String(characters[position..<position + length])
    guard let value = Double(text.hasSuffix(".") ? text + "0" : text), value.isFinite else {
      throw source.error("found '\(text)', expected a number of double precision", at: position)
    }
    append(.number(value), length: length)
  }

  private mutating func name(prefix: String) throws(ExpressionError) {
    var length = prefix.count
    while let next = peek(length), Names.isPart(next) { length += 1 }
    let text = String(characters[position + prefix.count..<position + length])
    if let factors = Names.factors(of: text) {
      throw source.error(
        "found '\(text)', expected one name; a product is written with '*': "
          + factors.joined(separator: "*"), at: position)
    }
    switch text {
    case "inf": append(.number(.infinity), length: length)
    case "nan": append(.number(.nan), length: length)
    default: append(.name(prefix + text), length: length)
    }
  }

  private mutating func quotedName() throws(ExpressionError) {
    var length = 1
    while let next = peek(length), next != "`", !next.isNewline { length += 1 }
    guard peek(length) == "`", length > 1 else {
      throw source.error("found a name without its closing '`'", at: position)
    }
    let text = String(characters[position + 1..<position + length])
    append(.quotedName(text), length: length + 1)
  }

  private mutating func superscript() throws(ExpressionError) {
    var length = 0
    var text = ""
    if peek() == "⁻" {
      text = "-"
      length = 1
    }
    while let next = peek(length), let digit = superscripts[next] {
      text.append(digit)
      length += 1
    }
    guard let value = Double(text) else {
      throw source.error("found '⁻', expected raised digits after it", at: position)
    }
    append(.superscript(value), length: length)
  }

  private mutating func mark(_ character: Character) throws(ExpressionError) {
    if let next = peek(1), let mark = pairs[String([character, next])] {
      append(.mark(mark), length: 2)
    } else if let mark = marks[character] {
      append(.mark(mark), length: 1)
    } else {
      throw source.error(
        "found \(character.quoted), expected a name, a number or an operator", at: position)
    }
  }
}

private let superscripts: [Character: Character] = [
  "⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8",
  "⁹": "9",
]

/// The invisible characters that come along when text is copied: byte order marks, joiners, operators.
private let invisible: Set<Character> = [
  "\u{AD}", "\u{200B}", "\u{200C}", "\u{200D}", "\u{2060}", "\u{2061}", "\u{FEFF}",
]

private let pairs: [String: String] = [
  "||": "||", "**": "^", ".*": ".*", "./": "./", ".^": ".^",
]

private let marks: [Character: String] = [
  "+": "+", "＋": "+", "-": "-", "−": "-", "‐": "-", "‑": "-", "–": "-", "—": "-", "－": "-",
  "*": "*", "·": "*", "⋅": "*", "∙": "*", "•": "*", "×": "*", "✕": "*", "∗": "*", "\u{2062}": "*",
  "⊙": ".*", "∘": ".*", "⊘": "./", "/": "/", "÷": "/", "∕": "/", "⁄": "/", "^": "^", "ˆ": "^",
  "(": "(", ")": ")", "[": "[", "]": "]", ",": ",", ";": ";", "=": "=", "≔": "=",
  "'": "'", "′": "'", "’": "'", "‘": "'", "´": "'", "ᵀ": "'", "⊤": "'", "ᵗ": "'",
  "‖": "||", "∥": "||", "ǁ": "||", "|": "|", "∣": "|", "∑": "∑", "√": "√",
]

/// Numbers in text.
enum Number {
  /// The shortest text that is read as the same number.
  static func text(_ value: Double) -> String {
    let text = "\(value)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}

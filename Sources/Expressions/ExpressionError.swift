/// A fault in an expression, and its place.
public struct ExpressionError: Error, Hashable {
  /// The text found and the text expected, on one line.
  public let message: String
  /// The operands that do not go together, one on each line.
  public let details: [String]
  /// The line of the fault, from 1.
  public let line: Int
  /// The column of the fault in characters, from 1.
  public let column: Int
  /// The text of the line; empty if the fault is at no place of a text.
  public let text: String

  init(
    _ message: String, details: [String] = [], line: Int = 1, column: Int = 1, text: String = ""
  ) {
    (self.message, self.details) = (message, details)
    (self.line, self.column, self.text) = (line, column, text)
  }
}

extension ExpressionError: CustomStringConvertible {
  /// The message, the line and a caret below the fault, the details; no line and caret without a text.
  public var description: String {
    guard !text.isEmpty else { return ([message] + details).joined(separator: "\n") }
    // Long lines are shown around the fault.
    let characters = Array(text)
    let (start, end) = (max(0, column - 61), min(characters.count, column + 39))
    let excerpt = characters[min(start, characters.count)..<end]
    let width = excerpt.prefix(column - 1 - start).reduce(0) { $0 + $1.terminalWidth }
    let caret = String(repeating: " ", count: width) + "^"
    let lines = ["line \(line), column \(column): \(message)", String(excerpt), caret]
    return (lines + details).joined(separator: "\n")
  }
}

extension Character {
  /// The columns that a terminal gives the character.
  ///
  /// Two for East Asian wide characters and emoji, none for marks without a letter, else one.
  /// Source: Unicode Standard Annex 11.
  fileprivate var terminalWidth: Int {
    guard let scalar = unicodeScalars.first else { return 0 }
    let wide: [ClosedRange<UInt32>] = [
      0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97C, 0xAC00...0xD7A3,
      0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1B000...0x1B2FF,
      0x20000...0x3FFFD,
    ]
    if wide.contains(where: { $0.contains(scalar.value) }) { return 2 }
    let properties = scalar.properties
    if properties.isEmojiPresentation { return 2 }
    if unicodeScalars.contains("\u{FE0F}") { return 2 }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: return 1
    }
  }

  /// Indicates a character without a shape of its own: a control character or a mark of formatting.
  var isInvisible: Bool {
    unicodeScalars.allSatisfy {
      let category = $0.properties.generalCategory
      return category == .control || category == .format
    }
  }

  /// The character between quotes, or the number of one that cannot be seen.
  var quoted: String {
    guard isInvisible, let scalar = unicodeScalars.first else { return "'\(self)'" }
    let digits = String(scalar.value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}

/// A text cut into characters, which knows its lines.
struct SourceText {
  let characters: [Character]

  init(_ text: String) { characters = Array(text) }

  /// The error at a place; the end of the text counts as a place.
  func error(
    _ message: String, details: [String] = [], at offset: Int
  ) -> ExpressionError {
    let offset = min(offset, characters.count)
    let start = characters[..<offset].lastIndex(where: \.isNewline).map { $0 + 1 } ?? 0
    let end = characters[offset...].firstIndex(where: \.isNewline) ?? characters.count
    let line = characters[..<start].count(where: \.isNewline) + 1
    // Tabs would move the caret, and other control characters the cursor.
    let text = String(characters[start..<end].map { $0.isInvisible ? " " : $0 })
    return ExpressionError(
      message, details: details, line: line, column: offset - start + 1,
      text: text.isEmpty ? " " : text)
  }
}

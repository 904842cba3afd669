/// What is wrong with an expression, and where.
public struct ExpressionError: Error, Hashable {
  /// What was found and what was expected.
  public let message: String
  /// The line of the fault, from 1.
  public let line: Int
  /// The column of the fault in characters, from 1.
  public let column: Int
  /// The text of the line; empty if the expression was not read from text.
  public let text: String
}

extension ExpressionError: CustomStringConvertible {
  /// The message, the line, and a caret below the fault; the message alone without a text.
  public var description: String {
    guard !text.isEmpty else { return message }
    // Long lines are shown around the fault.
    let characters = Array(text)
    let (start, end) = (max(0, column - 61), min(characters.count, column + 39))
    let excerpt = String(characters[min(start, characters.count)..<end])
    let caret = String(repeating: " ", count: column - 1 - start) + "^"
    return "line \(line), column \(column): \(message)\n\(excerpt)\n\(caret)"
  }
}

/// A text cut into characters, which knows its lines.
struct SourceText {
  let characters: [Character]

  init(_ text: String) { characters = Array(text) }

  /// The error at a place; the end of the text counts as a place.
  func error(_ message: String, at offset: Int) -> ExpressionError {
    let offset = min(offset, characters.count)
    let start = characters[..<offset].lastIndex(where: \.isNewline).map { $0 + 1 } ?? 0
    let end = characters[offset...].firstIndex(where: \.isNewline) ?? characters.count
    let line = characters[..<start].count(where: \.isNewline) + 1
    // Tabs would move the caret.
    let text = String(characters[start..<end].map { $0 == "\t" ? " " : $0 })
    return ExpressionError(
      message: message, line: line, column: offset - start + 1, text: text.isEmpty ? " " : text)
  }
}

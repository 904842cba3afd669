// Comments read well, and their links lead somewhere.
import Foundation
import TestSupport
import Testing

@Suite("Comments")
struct CommentTests {
  /// A source file or a page of documentation.
  private struct File {
    let path: String
    let lines: [Substring]
    var isPage: Bool { path.hasSuffix(".md") }

    /// Returns the text of documentation in a line, or nil for code and ordinary comments.
    func documentation(_ line: Substring) -> Substring? {
      if isPage { return line }
      let text = line.drop(while: \.isWhitespace)
      return text.hasPrefix("///") ? text.dropFirst(3) : nil
    }
  }

  private let files: [File]

  init() throws {
    let sources = repository.appendingPathComponent("Sources")
    files = try FileManager.default.subpathsOfDirectory(atPath: sources.path).sorted()
      .filter { $0.hasSuffix(".swift") || $0.hasSuffix(".md") }
      .map { path in
        let text = String(
          decoding: try Data(contentsOf: sources.appendingPathComponent(path)), as: UTF8.self)
        return File(
          path: path, lines: text.split(separator: "\n", omittingEmptySubsequences: false))
      }
  }

  @Test("of declarations begin with a verb or a noun, nearly all")
  func openings() {
    let words: Set<Substring> = ["What", "Whether", "How", "Where", "Which", "Lets"]
    var found: [String] = []
    for file in files where !file.isPage {
      var isInside = false
      for (index, line) in file.lines.enumerated() {
        let text = file.documentation(line)
        if let text, !isInside, let first = text.split(separator: " ").first, words.contains(first)
        {
          found.append("\(file.path):\(index + 1):\(text)")
        }
        isInside = text != nil
      }
    }
    #expect(found.count < 80, "\(found.count) comments: \n\(found.joined(separator: "\n"))")
  }

  @Test("link to symbols and pages that exist")
  func links() {
    let code = files.filter { !$0.isPage }.flatMap(\.lines)
      .filter { !$0.drop(while: \.isWhitespace).hasPrefix("//") }.joined(separator: "\n")
    let symbols = Symbols(code)
    var dangling: [String] = []
    for file in files {
      for (index, line) in file.lines.enumerated() {
        guard let text = file.documentation(line), !text.contains("```") else { continue }
        // Every second part lies between double backquotes.
        let parts = text.split(separator: "``", omittingEmptySubsequences: false)
        for (number, link) in parts.enumerated() where number % 2 == 1 {
          let components = link.split(separator: "/").map(String.init)
          guard !components.allSatisfy(symbols.contains) else { continue }
          dangling.append("\(file.path):\(index + 1): \(link)")
        }
        for match in text.matches(of: /<doc:([^>]+)>/) {
          let folder = file.path.split(separator: "/").dropLast().joined(separator: "/")
          let path = "\(folder)/\(match.output.1).md"
          if !files.contains(where: { $0.path == path }) {
            dangling.append("\(file.path):\(index + 1): \(match.output.0)")
          }
        }
      }
    }
    #expect(dangling.isEmpty, "\(dangling.joined(separator: "\n"))")
  }
}

/// The words of code, and the names before parentheses with their argument labels.
private struct Symbols {
  private var words: Set<String> = []
  private var signatures: Set<String> = []

  /// Returns whether code has a word, such as `Graph`, or a call or declaration, such as `add(_:to:)`.
  func contains(_ name: String) -> Bool {
    name.contains("(") ? signatures.contains(name) : words.contains(name)
  }

  init(_ code: String) {
    let bytes = Array(code.utf8)
    var index = 0
    while index < bytes.count {
      guard isWord(bytes[index]) else {
        index += 1
        continue
      }
      let start = index
      while index < bytes.count, isWord(bytes[index]) { index += 1 }
      let word = String(decoding: bytes[start..<index], as: UTF8.self)
      words.insert(word)
      var next = index
      if next < bytes.count, bytes[next] == UInt8(ascii: "?") { next += 1 }
      if next < bytes.count, bytes[next] == UInt8(ascii: "<") {
        next = end(of: next, in: bytes) + 1
      }
      guard next < bytes.count, bytes[next] == UInt8(ascii: "(") else { continue }
      let close = end(of: next, in: bytes)
      if close > next { signatures.insert("\(word)(\(labels(bytes[next + 1..<close])))") }
    }
  }
}

private func isWord(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
    true
  default: false
  }
}

/// Returns the change of depth by a bracket.
private func depth(_ byte: UInt8, after previous: UInt8?) -> Int {
  switch byte {
  case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "<"): 1
  case UInt8(ascii: ">") where previous == UInt8(ascii: "-"): 0
  case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ">"): -1
  default: 0
  }
}

/// Returns the index of the bracket that closes the one at `start`, or `start` if it is not found nearby.
private func end(of start: Int, in bytes: [UInt8]) -> Int {
  var level = 0
  for index in start..<min(start + 4000, bytes.count) {
    level += depth(bytes[index], after: index > 0 ? bytes[index - 1] : nil)
    if level == 0 { return index }
  }
  return start
}

/// Returns the labels of arguments or parameters, such as `_:to:`.
private func labels(_ list: ArraySlice<UInt8>) -> String {
  var parts: [ArraySlice<UInt8>] = []
  var (level, start) = (0, list.startIndex)
  for index in list.indices {
    level += depth(list[index], after: index > list.startIndex ? list[index - 1] : nil)
    if level == 0, list[index] == UInt8(ascii: ",") {
      parts.append(list[start..<index])
      start = index + 1
    }
  }
  parts.append(list[start...])
  return parts.map { part in
    let text = String(decoding: part, as: UTF8.self)
    if text.allSatisfy(\.isWhitespace) { return "" }
    let head = text.prefix { $0 != ":" }
    let words = head.split(whereSeparator: \.isWhitespace)
    let isLabelled =
      head.count < text.count && (1...2).contains(words.count)
      && words.allSatisfy { $0.utf8.allSatisfy { isWord($0) || $0 == UInt8(ascii: "`") } }
    return (isLabelled ? words[0].filter { $0 != "`" } : "_") + ":"
  }.joined()
}

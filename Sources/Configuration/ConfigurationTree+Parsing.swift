// Parses YAML into the tree, refusing features that a configuration has no use for.

import Yams

/// Parses one YAML document whose top level is a map.
func parse(_ bytes: [UInt8], source: String) throws(ConfigurationError) -> Node {
  let node = try parseValue(bytes, source: source, place: nil)
  guard case .map = node.content else {
    if node.isNull {
      throw .malformed(Place(source: source), problem: "found no keys, expected a map of keys")
    }
    throw .malformed(node.place, problem: "found \(node.shown), expected a map of keys")
  }
  return node
}

/// Parses one YAML document of any kind; `place`, if given, is the place of all its values.
func parseValue(
  _ bytes: [UInt8], source: String, place: Place?
) throws(ConfigurationError) -> Node {
  func at(_ line: Int) -> Place { place ?? Place(source: source, line: line) }
  guard bytes.count <= ConfigurationTree.byteLimit else {
    throw .malformed(
      Place(source: source),
      problem: "found more than \(ConfigurationTree.byteLimit) bytes, expected a configuration")
  }
  let bytes = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
  guard let text = String(validating: bytes, as: UTF8.self) else {
    // The first line that does not decode is at fault.
    var line = 1
    for piece in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      if String(validating: piece, as: UTF8.self) == nil { break }
      line += 1
    }
    throw .malformed(at(line), problem: "found bytes that are not UTF-8, expected UTF-8 text")
  }
  if let (line, mark) = firstAnchor(text) { throw .malformed(at(line), problem: refusal(mark)) }
  let parser: Parser
  let document: Yams.Node?
  do {
    parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
    document = try parser.singleRoot()
  } catch let error as YamlError {
    let (line, problem) = describe(error, of: text)
    throw .malformed(line.map(at) ?? place ?? Place(source: source), problem: problem)
  } catch {
    throw .malformed(place ?? Place(source: source), problem: "\(error)")
  }
  guard let document else { return Node(.scalar(Scalar("")), at: at(1)) }
  // Anchors are valid as long as the parser lives.
  defer { withExtendedLifetime(parser) {} }
  return try convert(document, depth: 0, at: at)
}

private func refusal(_ mark: String) -> String {
  "found '\(mark)', expected no anchors or aliases: they are not supported"
}

private func convert(
  _ node: Yams.Node, depth: Int, at: (Int) -> Place
) throws(ConfigurationError) -> Node {
  let place = at(node.mark?.line ?? 1)
  // An alias arrives as a copy of the anchored node, which comes first: copies are never followed.
  if let anchor = node.anchor { throw .malformed(place, problem: refusal("&\(anchor)")) }
  guard depth <= ConfigurationTree.depthLimit else {
    throw .malformed(
      place, problem: "found more than \(ConfigurationTree.depthLimit) levels, expected fewer")
  }
  switch node {
  case .scalar(let scalar):
    let isPlain = scalar.style == .plain || scalar.style == .any
    return Node(.scalar(Scalar(scalar.string, isQuoted: !isPlain)), at: place)
  case .sequence(let sequence):
    var items: [Node] = []
    for item in sequence { items.append(try convert(item, depth: depth + 1, at: at)) }
    return Node(.list(items), at: place)
  case .mapping(let mapping):
    var entries: [Node.Entry] = []
    var keys: Set<String> = []
    for (key, value) in mapping {
      let keyPlace = at(key.mark?.line ?? 1)
      guard case .scalar(let scalar) = key, key.anchor == nil else {
        throw .malformed(keyPlace, problem: "found a map or list as a key, expected a word")
      }
      // Yams compares keys including their tags; for us `a` and `!!str a` are the same key.
      guard keys.insert(scalar.string).inserted else {
        throw .malformed(keyPlace, problem: duplicate(scalar.string))
      }
      let converted = try convert(value, depth: depth + 1, at: at)
      entries.append(.init(key: scalar.string, place: keyPlace, value: converted))
    }
    return Node(.map(entries, shorthand: nil), at: place)
  case .alias(let alias):
    throw .malformed(place, problem: refusal("*\(alias.anchor)"))
  }
}

private func duplicate(_ key: String) -> String {
  "found the key '\(key)' twice in one map, expected it once"
}

/// Returns the line and the wording of a parser error.
private func describe(_ error: YamlError, of text: String) -> (line: Int?, problem: String) {
  switch error {
  case .reader(let problem, let offset, let value, _):
    let before = text.prefix(offset ?? 0)
    let line = offset.map { _ in 1 + before.count(where: \.isNewline) }
    return (line, "\(problem) (character \(value))")
  case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
    .composer(_, let problem, let mark, _):
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    // The parser reports an unclosed item one line after the last.
    let number = max(1, min(mark.line, lines.count))
    let line = lines[number - 1]
    if line.prefix(while: \.isWhitespace).contains("\t") {
      return (number, "found a tab in the indentation, expected spaces")
    }
    if problem.contains("nesting") {
      return (number, "found too many levels, expected fewer")
    }
    return (number, "not YAML: \(problem)")
  case .duplicatedKeysInMapping(let duplicates, let context):
    return (context.mark.line, duplicate(duplicates.first ?? ""))
  default: return (nil, "not YAML: \(error)".replacing("\n", with: " "))
  }
}

/// Returns the line and text of the first anchor or alias in front of a value or key.
///
/// They are refused before the parser sees them: it hashes keys, and nested aliases as a key take it
/// exponential time. Those that this scan misses are found in the tree.
private func firstAnchor(_ text: String) -> (line: Int, mark: String)? {
  for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
    var quote: Unicode.Scalar?
    var canStart = true
    var previous: Unicode.Scalar = " "
    let scalars = Array(line.unicodeScalars)
    var i = 0
    while i < scalars.count {
      let scalar = scalars[i]
      if let open = quote {
        if scalar == "\\", open == "\"" { i += 1 } else if scalar == open { quote = nil }
      } else if scalar == "#", previous == " " || previous == "\t" {
        break
      } else if canStart, scalar == "\"" || scalar == "'" {
        quote = scalar
        canStart = false
      } else if canStart, scalar == "&" || scalar == "*" {
        let end = scalars[i...].firstIndex { " ,]}\r".unicodeScalars.contains($0) } ?? scalars.count
        var mark = String.UnicodeScalarView()
        mark.append(contentsOf: scalars[i..<end])
        return (number + 1, String(mark))
      } else if canStart, scalar == "!" {
        while i + 1 < scalars.count, scalars[i + 1] != " " { i += 1 }
      } else if scalar != " ", scalar != "\t" {
        canStart = ":-,[{?".unicodeScalars.contains(scalar)
      }
      previous = scalar
      i += 1
    }
  }
  return nil
}

// The resolved configuration: every key explicit, in one canonical text.

/// A configuration with every key that the program asked for and its value, given or default.
///
/// Its text is canonical: equal configurations read by the same program have equal texts, and reading
/// the text gives the same configuration again.
public struct ResolvedConfiguration: Sendable {
  private var root: Node

  init(root: Node) { self.root = root }

  /// Reads back a text written by ``yaml``.
  ///
  /// - Parameters:
  ///   - yaml: The text.
  ///   - source: The name of the text in errors.
  /// - Throws: ``ConfigurationError`` if it is not YAML.
  public init(yaml: String, source: String) throws(ConfigurationError) {
    root = try parse(Array(yaml.utf8), source: source)
  }

  /// The canonical text.
  public var yaml: String {
    var text = ""
    write(root, indent: 0, into: &text)
    return text
  }

  /// The value of a key as YAML on one line; nil without such a key.
  public subscript(path: String) -> String? { leaves.first { $0.path == path }?.text }

  /// Returns a copy with another value of one key, such as microbatches that were chosen after reading.
  public func setting(_ path: String, to value: ConfigurationValue) -> ResolvedConfiguration {
    var copy = self
    copy.root.replace(path.split(separator: ".").map(String.init)[...], with: content(of: value))
    return copy
  }

  /// Returns the keys whose values differ from those in `other`, in alphabetical order of their paths.
  ///
  /// - Parameters:
  ///   - other: The configuration to compare with.
  ///   - ignored: Keys that may differ, with all keys below them: `checkpoint` also stands for
  ///     `checkpoint.every`.
  /// - Returns: One entry per key; `lhs` is the value here, `rhs` the value in `other`.
  public func differences(
    from other: ResolvedConfiguration, ignoring ignored: [String] = []
  ) -> [ConfigurationDifference] {
    let mine = Dictionary(leaves.map { ($0.path, $0.text) }) { $1 }
    let others = Dictionary(other.leaves.map { ($0.path, $0.text) }) { $1 }
    return Set(mine.keys).union(others.keys).sorted().compactMap { path in
      let isIgnored = ignored.contains { path == $0 || path.hasPrefix($0 + ".") }
      guard !isIgnored, mine[path] != others[path] else { return nil }
      return ConfigurationDifference(path: path, lhs: mine[path], rhs: others[path])
    }
  }

  /// Throws if this configuration differs from the one that a run began with.
  ///
  /// - Parameters:
  ///   - begun: The configuration that the run began with.
  ///   - source: The name of that one in errors, such as `runs/3/config.yaml`.
  ///   - allowed: The keys that may change.
  ///   - unimportant: Further keys that may change, which the error does not list.
  /// - Throws: ``ConfigurationError/differs(source:_:allowed:)`` for the first other key.
  public func requireSame(
    as begun: ResolvedConfiguration, source: String, except allowed: [String],
    ignoring unimportant: [String] = []
  ) throws(ConfigurationError) {
    if let difference = begun.differences(from: self, ignoring: allowed + unimportant).first {
      throw .differs(source: source, difference, allowed: allowed)
    }
  }

  private var leaves: [(path: String, text: String)] {
    var leaves: [(path: String, text: String)] = []
    func visit(_ node: Node, _ path: String) {
      switch node.content {
      case .scalar(let scalar): leaves.append((path, scalar.yaml))
      case .list(let items):
        if let flow = flowList(node) { return leaves.append((path, flow)) }
        for (index, item) in items.enumerated() { visit(item, "\(path).\(index)") }
      case .map(let entries, _):
        if entries.isEmpty { leaves.append((path, "{}")) }
        for entry in entries {
          visit(entry.value, path.isEmpty ? entry.key : "\(path).\(entry.key)")
        }
      }
    }
    visit(root, "")
    return leaves
  }
}

extension ResolvedConfiguration: Equatable {
  /// Compares the canonical texts.
  public static func == (lhs: ResolvedConfiguration, rhs: ResolvedConfiguration) -> Bool {
    lhs.yaml == rhs.yaml
  }
}

/// One key in which two resolved configurations differ.
public struct ConfigurationDifference: Hashable, Sendable, CustomStringConvertible {
  /// The keys from the top, joined by dots.
  public let path: String
  /// The value in the first one, as YAML; nil if the key is absent there.
  public let lhs: String?
  /// The value in the second one, as YAML; nil if the key is absent there.
  public let rhs: String?

  /// The difference in words, such as `'batch_size' is 128, not 256`.
  public var description: String { "'\(path)' is \(lhs ?? "absent"), not \(rhs ?? "absent")" }
}

/// Returns a list of single values on one line, or nil for any other node.
private func flowList(_ node: Node) -> String? {
  guard case .list(let items) = node.content else { return nil }
  var texts: [String] = []
  for item in items {
    guard case .scalar(let scalar) = item.content else { return nil }
    texts.append(scalar.yaml)
  }
  return "[" + texts.joined(separator: ", ") + "]"
}

private func write(_ node: Node, indent: Int, into text: inout String) {
  let margin = String(repeating: " ", count: indent)
  switch node.content {
  case .scalar(let scalar): text += scalar.yaml
  case .map(let entries, _):
    for (index, entry) in entries.enumerated() {
      // The first key of an item follows its dash on the same line.
      text += (index == 0 && text.hasSuffix("- ") ? "" : margin) + Scalar(entry.key).yaml + ":"
      writeValue(entry.value, indent: indent + 2, into: &text)
    }
  case .list(let items):
    for item in items {
      text += margin + "- "
      if case .map(let entries, _) = item.content, !entries.isEmpty {
        write(item, indent: indent + 2, into: &text)
      } else {
        text.removeLast()
        writeValue(item, indent: indent + 2, into: &text)
      }
    }
  }
}

/// Writes the value after a colon or dash, single values and lists of them on the same line.
private func writeValue(_ node: Node, indent: Int, into text: inout String) {
  switch node.content {
  case .scalar(let scalar): text += " \(scalar.yaml)\n"
  case .map(let entries, _) where entries.isEmpty: text += " {}\n"
  default:
    if let flow = flowList(node) {
      text += " \(flow)\n"
    } else {
      text += "\n"
      write(node, indent: indent, into: &text)
    }
  }
}

extension Node {
  fileprivate mutating func replace(_ path: ArraySlice<String>, with new: Content) {
    guard let key = path.first else {
      content = new
      return
    }
    switch content {
    case .list(var items):
      guard let index = Int(key), items.indices.contains(index) else {
        preconditionFailure("no item '\(key)' in a resolved list")
      }
      items[index].replace(path.dropFirst(), with: new)
      content = .list(items)
    case .map(var entries, _):
      let index = entries.firstIndex { $0.key == key } ?? entries.count
      if index == entries.count {
        entries.append(
          Entry(key: key, place: place, value: Node(.map([], shorthand: nil), at: place)))
      }
      entries[index].value.replace(path.dropFirst(), with: new)
      content = .map(entries, shorthand: nil)
    case .scalar: preconditionFailure("no key '\(key)' below a single value")
    }
  }
}

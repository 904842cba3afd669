// One map of a configuration and its typed keys.

/// One map of a configuration, read key by key; every read is recorded.
///
/// A key is read once, and its type, default and meaning stand in that call. Errors name the place, the
/// key, the value found and the value expected.
public struct Section {
  let reader: ConfigurationReader
  let path: KeyPath
  /// The value written there; nil if it is absent.
  let node: Node?
  /// The key that a single value in place of the map stands for.
  let shorthandKey: String?
  /// The enclosing item of a list, see ``beside``.
  private let enclosing: [Section]

  init(
    reader: ConfigurationReader, path: KeyPath, node: Node?, shorthandKey: String?,
    beside: Section?
  ) {
    self.reader = reader
    self.path = path
    self.node = node
    self.shorthandKey = shorthandKey
    enclosing = beside.map { [$0] } ?? []
    reader.noteMap(at: path)
  }

  /// The keys from the top, joined by dots; empty at the top.
  public var pathText: String { path.text }

  /// The place where the section is written.
  public var place: Place { node?.place ?? Place(source: reader.tree.source) }

  /// The list item that holds an alternative; outside lists, the section itself.
  ///
  /// It gives access to keys beside the alternative's own: `name` in `{ affine: 10, name: head }`.
  public var beside: Section { enclosing.first ?? self }

  /// Indicates whether keys are only listed and no values are looked up.
  public var isListing: Bool { reader.isListing }

  /// Returns whether the key is written, in the file or in an override.
  public func contains(_ key: String) -> Bool { find(key) != nil }

  /// Returns the value written for a key, directly or by the shorthand.
  func find(_ key: String) -> Node? {
    guard let node else { return nil }
    switch node.content {
    case .map(let entries, let shorthand):
      if let entry = entries.first(where: { $0.key == key }) { return entry.value }
      return key == shorthandKey ? shorthand : nil
    case .scalar, .list: return key == shorthandKey && !node.isNull ? node : nil
    }
  }

  /// Returns the place of a key's value, or of the section if the key is absent.
  public func place(of key: String) -> Place { find(key)?.place ?? place }

  /// Returns an error about a key that callers find, such as one that contradicts another.
  ///
  /// - Parameters:
  ///   - key: The key at fault.
  ///   - found: The value found, such as `momentum 0`.
  ///   - expected: The expected value.
  /// - Returns: The error, with the place of the key.
  public func unusable(_ key: String, found: String, expected: String) -> ConfigurationError {
    .unusable(
      place(of: key), path: (path + [.key(key)]).text, found: found, expected: expected,
      nearest: nil)
  }

  /// Reads a key whose value may take several forms; the first that matches counts.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - forms: The forms.
  ///   - default: The value of an absent key, which matches a form; without it the key is required.
  ///   - unset: The meaning of a default of `null`, such as `chosen from the model`, for listings.
  ///   - meaning: The purpose of the key, in a few words.
  /// - Returns: The value as the form converts it.
  /// - Throws: ``ConfigurationError`` if the value has none of the forms, or is missing.
  public func value<Value>(
    _ key: String, _ forms: [Form<Value>], default: ConfigurationValue?, unset: String? = nil,
    meaning: String
  ) throws(ConfigurationError) -> Value {
    reader.note(key, in: path)
    let keyPath = path + [.key(key)]
    let shownForms = forms.map(\.expected).filter { $0 != "nothing" }
    func record(_ value: ConfigurationValue) {
      let defaultText = `default` == .null ? unset ?? "unset" : `default`.map(yaml) ?? "required"
      let setting = Setting(
        path: keyPath.text, type: joined(shownForms), defaultText: defaultText, meaning: meaning,
        value: value)
      reader.record(setting, at: keyPath)
    }
    func match(_ value: ConfigurationValue) -> (Value, ConfigurationValue)? {
      for form in forms {
        if let match = form.match(value, reader.tree.folder) { return match }
      }
      return nil
    }
    guard let node = find(key) else {
      guard let `default` else {
        if isListing, let sample = forms.lazy.compactMap(\.sample).first {
          record(.null)
          return sample
        }
        throw missing(key, expected: joined(shownForms))
      }
      guard let (value, resolved) = match(`default`) else {
        preconditionFailure("the default of '\(keyPath.text)' is not \(joined(shownForms))")
      }
      record(isListing ? `default` : resolved)
      return value
    }
    guard let found = plainValue(node), let (value, resolved) = match(found) else {
      var similar: String?
      if case .scalar(let scalar) = node.content {
        similar = nearest(scalar.text, in: forms.flatMap(\.words))
      }
      throw .unusable(
        node.place, path: keyPath.text, found: shown(node), expected: joined(shownForms),
        nearest: similar)
    }
    record(resolved)
    return value
  }

  /// Reads a key that holds a map.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - shorthand: The key that a single value in place of the map stands for.
  /// - Returns: The map, empty if the key is absent.
  /// - Throws: ``ConfigurationError`` if the key holds something else.
  public func section(
    _ key: String, shorthand: String? = nil
  ) throws(ConfigurationError) -> Section {
    reader.note(key, in: path)
    let child = path + [.key(key)]
    return try makeSection(find(key), at: child, shorthand: shorthand, beside: nil)
  }

  /// Returns a section over a node that is a map, absent, or a value for the shorthand.
  func makeSection(
    _ node: Node?, at child: KeyPath, shorthand: String?, beside: Section?
  ) throws(ConfigurationError) -> Section {
    var stray: Node?
    switch node?.content {
    case .none: break
    case .scalar, .list: stray = node
    case .map(_, let inner): stray = inner
    }
    if let stray, !stray.isNull, shorthand == nil {
      let expected = "a map of keys"
      throw .unusable(
        stray.place, path: child.text, found: stray.shown, expected: expected, nearest: nil)
    }
    return Section(
      reader: reader, path: child, node: node, shorthandKey: shorthand, beside: beside)
  }

  func missing(_ key: String, expected: String) -> ConfigurationError {
    var similar: String?
    if case .map(let entries, _) = node?.content { similar = nearest(key, in: entries.map(\.key)) }
    let place = path.isEmpty ? Place(source: reader.tree.source) : place
    return .missingKey(
      place, path: (path + [.key(key)]).text, expected: expected, similar: similar)
  }
}

/// Returns the value of a node without maps, or nil for any other node.
private func plainValue(_ node: Node) -> ConfigurationValue? {
  switch node.content {
  case .scalar(let scalar): return scalar.value
  case .list(let items):
    var values: [ConfigurationValue] = []
    for item in items {
      guard case .scalar(let scalar) = item.content else { return nil }
      values.append(scalar.value)
    }
    return .list(values)
  case .map(let entries, let shorthand):
    // A map that overrides made out of a single value is no single value any more.
    return entries.isEmpty ? shorthand.flatMap(plainValue) : nil
  }
}

/// Returns a value as errors show it, short lists in full.
private func shown(_ node: Node) -> String {
  guard case .list(let items) = node.content, (1...8).contains(items.count) else {
    return node.shown
  }
  return "[" + items.map(\.shown).joined(separator: ", ") + "]"
}

/// Returns a value as YAML, on one line.
func yaml(_ value: ConfigurationValue) -> String {
  guard case .list(let elements) = value else { return value.scalar.yaml }
  return "[" + elements.map(yaml).joined(separator: ", ") + "]"
}

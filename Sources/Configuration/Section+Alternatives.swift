// Keys whose value names one of several things with keys of their own: optimisers, layers, losses.

/// One of several named things that a key may hold, with keys of its own.
///
/// It is written `{ sgd: { learning_rate: 0.1 } }`; `sgd` alone is short for `{ sgd: {} }`, and a single
/// value is short for the map with just the primary key: `affine: 512` for `affine: { units: 512 }`.
public struct Alternative<Value>: Sendable {
  /// Its name.
  public let name: String
  let primary: String?
  let meaning: String
  let read: @Sendable (Section) throws(ConfigurationError) -> Value

  /// Creates an alternative.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - primary: The key that a single value in place of its map stands for.
  ///   - meaning: Its purpose, in a few words.
  ///   - read: Reads its keys.
  public init(
    _ name: String, primary: String? = nil, meaning: String,
    read: @escaping @Sendable (Section) throws(ConfigurationError) -> Value
  ) {
    self.name = name
    self.primary = primary
    self.meaning = meaning
    self.read = read
  }

  /// Returns an alternative of the same name and keys that makes another value of what it reads.
  ///
  /// - Parameter transform: Gets the value and the section it was read from.
  /// - Returns: The alternative.
  public func map<Other>(
    _ transform: @escaping @Sendable (Value, Section) throws(ConfigurationError) -> Other
  ) -> Alternative<Other> {
    let read = read
    return Alternative<Other>(name, primary: primary, meaning: meaning) {
      (section) throws(ConfigurationError) in try transform(try read(section), section)
    }
  }
}

extension Section {
  /// Reads a key that holds exactly one of several named things.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - noun: The kind of thing, for messages: `unknown optimizer 'sdg'`. Defaults to the key.
  ///   - alternatives: The things, not empty.
  ///   - default: The name of the thing that an absent key means; without it the key is required.
  ///   - keysBeside: Other keys of the same map, read by ``section(_:shorthand:)``; a map of such keys
  ///     alone means the default.
  ///   - meaning: The purpose of the key, in a few words.
  /// - Returns: The value that the alternative read.
  /// - Throws: ``ConfigurationError`` if none, several or an unknown one is named, or from its keys.
  public func oneOf<Value>(
    _ key: String, noun: String? = nil, _ alternatives: [Alternative<Value>],
    default: String? = nil, keysBeside: [String] = [], meaning: String
  ) throws(ConfigurationError) -> Value {
    reader.note(key, in: path)
    let child = path + [.key(key)]
    let noun = noun ?? key
    if isListing {
      list(noun, alternatives, at: child, defaultText: `default` ?? "required", meaning)
      return try readAll(
        alternatives, at: child, beside: nil, chosen: `default`)
    }
    var node = find(key)
    if node?.isNull == true { node = nil }
    if case .map(let entries, nil) = node?.content, !entries.isEmpty,
      entries.allSatisfy({ keysBeside.contains($0.key) })
    {
      node = nil
    }
    guard node != nil || `default` != nil else {
      throw missing(key, expected: "one \(noun) of \(joined(alternatives.map(\.name)))")
    }
    return try readOne(
      node ?? Node(.scalar(Scalar(`default` ?? "", isQuoted: false)), at: place), at: child,
      noun: noun, alternatives, item: nil)
  }

  /// The maximum number of items in a list of maps, each of which is read key by key.
  private static let itemLimit = 1 << 14

  /// Reads a key that holds a list of named things.
  ///
  /// An item is `name`, `{ name: value }` or `{ name: { … } }`; keys beside the name are read by
  /// the alternative through ``beside``.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - noun: The kind of thing, for messages: `unknown layer 'afine'`.
  ///   - alternatives: The things, not empty.
  ///   - mayBeEmpty: True if an absent key means an empty list; otherwise it is required, not empty.
  ///   - listedAs: The text of a listing in place of the items' keys, for a list within an item of a list
  ///     of the same things.
  ///   - meaning: The purpose of the key, in a few words.
  /// - Returns: The values that the alternatives read, in order; in a listing one item, or none.
  /// - Throws: ``ConfigurationError`` naming the item.
  public func list<Value>(
    _ key: String, noun: String, _ alternatives: [Alternative<Value>], mayBeEmpty: Bool = false,
    listedAs: String? = nil, meaning: String
  ) throws(ConfigurationError) -> [Value] {
    reader.note(key, in: path)
    let child = path + [.key(key)]
    if isListing {
      let text = mayBeEmpty ? "[]" : "required"
      if let listedAs {
        reader.record(
          Setting(
            path: child.text, type: listedAs, defaultText: text, meaning: meaning, value: .null),
          at: child)
        return []
      }
      list(noun, alternatives, at: child + [.anyItem], defaultText: text, meaning)
      let item = Section(
        reader: reader, path: child + [.anyItem], node: nil, shorthandKey: nil, beside: nil)
      return [
        try readAll(alternatives, at: child + [.anyItem], beside: item, chosen: nil)
      ]
    }
    let expected = "a list of \(noun)s"
    guard let node = find(key), !node.isNull else {
      guard mayBeEmpty else { throw missing(key, expected: expected) }
      reader.resolve(child, .list([]))
      return []
    }
    guard case .list(let items) = node.content, mayBeEmpty || !items.isEmpty else {
      throw .unusable(
        node.place, path: child.text, found: node.shown, expected: expected, nearest: nil)
    }
    guard items.count <= Section.itemLimit else {
      throw .unusable(
        node.place, path: child.text, found: "\(items.count) \(noun)s",
        expected: "at most \(Section.itemLimit)", nearest: nil)
    }
    reader.resolve(child, .list([]))
    var values: [Value] = []
    for (index, item) in items.enumerated() {
      let itemPath = child + [.index(index)]
      let section = Section(
        reader: reader, path: itemPath, node: item, shorthandKey: nil, beside: nil)
      values.append(
        try readOne(item, at: itemPath, noun: noun, alternatives, item: section))
    }
    return values
  }

  /// Reads the one alternative that a node names; `item` is given if other keys may stand beside it.
  private func readOne<Value>(
    _ node: Node, at child: KeyPath, noun: String, _ alternatives: [Alternative<Value>],
    item: Section?
  ) throws(ConfigurationError) -> Value {
    let names = alternatives.map(\.name)
    reader.noteMap(at: child)
    var named: [(name: String, place: Place, value: Node?)] = []
    var others: [(name: String, place: Place)] = []
    func add(name node: Node) throws(ConfigurationError) {
      guard case .scalar(let scalar) = node.content, case .string(let text) = scalar.value else {
        throw unusableName(node, at: child, noun: noun, names)
      }
      if names.contains(text) {
        named.append((text, node.place, nil))
      } else {
        others.append((text, node.place))
      }
    }
    switch node.content {
    case .scalar, .list: try add(name: node)
    case .map(let entries, let shorthand):
      if let shorthand { try add(name: shorthand) }
      for entry in entries {
        if let index = named.firstIndex(where: { $0.name == entry.key }) {
          named[index].value = entry.value
        } else if names.contains(entry.key) {
          named.append((entry.key, entry.place, entry.value))
        } else {
          others.append((entry.key, entry.place))
        }
      }
    }
    guard named.count <= 1 else {
      throw .severalAlternatives(
        named[1].place, noun: noun, path: child.text, found: named.map(\.name))
    }
    guard let (name, place, value) = named.first,
      let alternative = alternatives.first(where: { $0.name == name })
    else {
      // A key beside the name, such as `name:`, is not taken for the misspelt name itself.
      let misspelt = others.first { nearest($0.name, in: names) != nil } ?? others.first
      guard let misspelt else { throw unusableName(node, at: child, noun: noun, names) }
      throw .unknownAlternative(
        misspelt.place, noun: noun, path: child.text, found: misspelt.name,
        nearest: nearest(misspelt.name, in: names), choices: names)
    }
    reader.note(name, in: child)
    let inner = value ?? Node(.scalar(Scalar("")), at: place)
    let section = try makeSection(
      inner, at: child + [.key(name)], shorthand: alternative.primary, beside: item)
    return try alternative.read(section)
  }

  private func unusableName(
    _ node: Node, at child: KeyPath, noun: String, _ names: [String]
  ) -> ConfigurationError {
    .unusable(
      node.place, path: child.text, found: node.shown, expected: "one \(noun) of \(joined(names))",
      nearest: nil)
  }

  /// Records the choice between the alternatives, for listings.
  private func list<Value>(
    _ noun: String, _ alternatives: [Alternative<Value>], at child: KeyPath, defaultText: String,
    _ meaning: String
  ) {
    let names = joined(alternatives.map(\.name))
    let setting = Setting(
      path: child.text, type: "one \(noun) of \(names)", defaultText: defaultText,
      meaning: meaning, value: .null)
    reader.record(setting, at: child)
  }

  /// Reads every alternative, for listings, and returns the chosen or first one.
  private func readAll<Value>(
    _ alternatives: [Alternative<Value>], at child: KeyPath, beside: Section?, chosen: String?
  ) throws(ConfigurationError) -> Value {
    var result: Value?
    for alternative in alternatives {
      let path = child + [.key(alternative.name)]
      let setting = Setting(
        path: path.text, type: "a map of keys", defaultText: "", meaning: alternative.meaning,
        value: .null)
      reader.record(setting, at: path)
      let section = Section(
        reader: reader, path: path, node: nil, shorthandKey: nil, beside: beside)
      let value = try alternative.read(section)
      if result == nil || alternative.name == chosen { result = value }
    }
    guard let result else { preconditionFailure("'\(child.text)' has no alternatives") }
    return result
  }
}

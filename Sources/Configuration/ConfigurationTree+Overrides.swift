// `--set key.path=value`.

extension Node {
  /// Replaces or adds the value that an override names.
  ///
  /// Numbers in the path are indices of lists, from 0; the index after the last one appends. Single values
  /// on the way become maps, with the value as their shorthand.
  mutating func apply(_ override: String) throws(ConfigurationError) {
    let place = Place(source: "--set \(override)")
    guard let equals = override.firstIndex(of: "=") else {
      throw .malformedOverride(place, problem: "found no '=', expected key.path=value")
    }
    let path = override[..<equals].split(separator: ".", omittingEmptySubsequences: false)
    guard path.allSatisfy({ !$0.isEmpty && !$0.contains(where: \.isWhitespace) }) else {
      throw .malformedOverride(
        place, problem: "found the path '\(override[..<equals])', expected keys joined by dots")
    }
    guard path.count <= ConfigurationTree.depthLimit else {
      throw .malformedOverride(
        place, problem: "found \(path.count) keys in the path, expected fewer")
    }
    let text = Array(override[override.index(after: equals)...].utf8)
    let value = try parseValue(text, source: place.source, place: place)
    try set(path.map(String.init)[...], to: value, place: place)
  }

  private mutating func set(
    _ path: ArraySlice<String>, to value: Node, place: Place
  ) throws(ConfigurationError) {
    guard let key = path.first else {
      self = value
      return
    }
    let rest = path.dropFirst()
    let index = Int(key)
    if isNull { content = index == nil ? .map([], shorthand: nil) : .list([]) }
    switch content {
    case .scalar: try setEntry(key, of: [], shorthand: self, rest: rest, to: value, place: place)
    case .map(let entries, let shorthand):
      try setEntry(key, of: entries, shorthand: shorthand, rest: rest, to: value, place: place)
    case .list(var items):
      guard let index, (0...items.count).contains(index) else {
        throw .malformedOverride(
          place, problem: "found '\(key)' in a list of \(items.count), expected an index in it")
      }
      if index == items.count { items.append(Node(.scalar(Scalar("")), at: place)) }
      try items[index].set(rest, to: value, place: place)
      content = .list(items)
    }
  }

  private mutating func setEntry(
    _ key: String, of entries: [Entry], shorthand: Node?, rest: ArraySlice<String>,
    to value: Node, place: Place
  ) throws(ConfigurationError) {
    var entries = entries
    let nothing = Node(.scalar(Scalar("")), at: place)
    let index = entries.firstIndex { $0.key == key }
    var child = index.map { entries[$0].value } ?? nothing
    try child.set(rest, to: value, place: place)
    if let index {
      entries[index].value = child
    } else {
      entries.append(.init(key: key, place: place, value: child))
    }
    content = .map(entries, shorthand: shorthand)
  }
}

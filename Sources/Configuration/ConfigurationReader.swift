// The record of all keys that were asked for: the source of listings, of the resolved configuration, and
// of errors about unknown keys.

/// One key that was asked for.
public struct Setting: Hashable, Sendable {
  /// The keys from the top, joined by dots; `model.0.affine.units`, or `model[].affine.units` in a
  /// listing.
  public let path: String
  /// The accepted values, such as `a positive number`.
  public let type: String
  /// The default value as YAML; `required` without one.
  public let defaultText: String
  /// The purpose of the key.
  public let meaning: String
  /// The value, given or default; in a listing the default or a made-up one.
  public let value: ConfigurationValue
}

/// Gives a ``ConfigurationTree`` meaning: it records the keys that are asked for and refuses all others.
///
/// ```swift
/// let reader = ConfigurationReader(try ConfigurationTree(path: "run.yaml"))
/// let batchSize = try reader.root.integer(
///   "batch_size", default: 256, in: .positive, meaning: "rows of one step over all ranks")
/// let resolved = try reader.finish()
/// ```
///
/// One thread reads; the values it returns are plain copies.
public final class ConfigurationReader {
  let tree: ConfigurationTree
  /// Indicates whether keys are only listed: no values are looked up and every alternative is read.
  public let isListing: Bool
  /// The keys asked for so far, in the order of asking.
  public private(set) var settings: [Setting] = []

  private var recorded: Set<String> = []
  /// The names asked for in each map, in the order of asking.
  private var names: [KeyPath: [String]] = [:]
  private var resolvedRoot = Node(.map([], shorthand: nil), at: Place(source: "resolved"))

  /// Creates a reader of a tree.
  public init(_ tree: ConfigurationTree) {
    self.tree = tree
    isListing = false
  }

  private init(listing: Void) {
    tree = ConfigurationTree()
    isListing = true
  }

  /// Returns all keys that `read` asks for, over all alternatives, with types, defaults and meanings.
  ///
  /// - Parameter read: Reads a whole configuration; it gets default values, and made-up ones for keys
  ///   without a default, such as 1 or an empty path.
  /// - Returns: The keys, in the order of asking.
  /// - Throws: The errors of `read`.
  public static func listing(
    _ read: (Section) throws(ConfigurationError) -> Void
  ) throws(ConfigurationError) -> [Setting] {
    let reader = ConfigurationReader(listing: ())
    try read(reader.root)
    return reader.settings
  }

  /// The top level of the configuration.
  public var root: Section {
    Section(reader: self, path: [], node: tree.root, shorthandKey: nil, beside: nil)
  }

  /// Ends the reading: refuses keys that nothing asked for and returns the resolved configuration.
  ///
  /// - Throws: ``ConfigurationError/unknownKey(_:path:nearest:)`` for the first such key.
  public func finish() throws(ConfigurationError) -> ResolvedConfiguration {
    try refuseUnknown(in: tree.root, at: [])
    return ResolvedConfiguration(root: resolvedRoot)
  }

  private func refuseUnknown(in node: Node, at path: KeyPath) throws(ConfigurationError) {
    switch node.content {
    case .map(let entries, _):
      guard let known = names[path] else { return }
      for entry in entries {
        let child = path + [.key(entry.key)]
        guard known.contains(entry.key) else {
          let similar = nearest(entry.key, in: known)
          throw .unknownKey(entry.place, path: child.text, nearest: similar)
        }
        try refuseUnknown(in: entry.value, at: child)
      }
    case .list(let items):
      for (index, item) in items.enumerated() {
        try refuseUnknown(in: item, at: path + [.index(index)])
      }
    case .scalar: return
    }
  }
}

/// One step of the path to a value.
enum KeyStep: Hashable, Sendable {
  case key(String)
  case index(Int)
  /// Any item of a list, in listings.
  case anyItem
}

typealias KeyPath = [KeyStep]

extension KeyPath {
  /// The steps joined by dots.
  var text: String {
    reduce(into: "") { text, step in
      switch step {
      case .key(let key): text += text.isEmpty ? key : ".\(key)"
      case .index(let index): text += text.isEmpty ? "\(index)" : ".\(index)"
      case .anyItem: text += "[]"
      }
    }
  }
}

// The calls by which sections report to the reader.
extension ConfigurationReader {
  /// Records that a key of the map at `path` is known.
  func note(_ key: String, in path: KeyPath) {
    if names[path]?.contains(key) != true { names[path, default: []].append(key) }
  }

  /// Records that the map at `path` is read, even if none of its keys is.
  func noteMap(at path: KeyPath) {
    names[path] = names[path] ?? []
    if !path.isEmpty { resolve(path, .map([], shorthand: nil)) }
  }

  /// Records a key and its value.
  func record(_ setting: Setting, at path: KeyPath) {
    guard recorded.insert(setting.path).inserted else { return }
    settings.append(setting)
    resolve(path, content(of: setting.value))
  }

  /// Puts a value into the resolved tree; an existing map or list stays.
  func resolve(_ path: KeyPath, _ content: Node.Content) {
    guard !isListing else { return }
    resolvedRoot.put(path[...], content)
  }
}

/// Returns the content of a node for a value.
func content(of value: ConfigurationValue) -> Node.Content {
  guard case .list(let elements) = value else { return .scalar(value.scalar) }
  return .list(elements.map { Node(content(of: $0), at: Place(source: "resolved")) })
}

extension Node {
  /// Puts a value at a path, creating maps and lists on the way; an existing map or list stays.
  fileprivate mutating func put(_ path: ArraySlice<KeyStep>, _ new: Content) {
    guard let step = path.first else {
      if case .scalar = content { content = new }
      return
    }
    let nothing = Node(.scalar(Scalar("")), at: place)
    switch step {
    case .key(let key):
      var entries: [Entry] = []
      if case .map(let present, _) = content { entries = present }
      // Drops the other reference, so that the entries are changed in place.
      content = .map([], shorthand: nil)
      let index = entries.firstIndex { $0.key == key } ?? entries.count
      if index == entries.count { entries.append(Entry(key: key, place: place, value: nothing)) }
      entries[index].value.put(path.dropFirst(), new)
      content = .map(entries, shorthand: nil)
    case .index(let index):
      var items: [Node] = []
      if case .list(let present) = content { items = present }
      content = .list([])
      while items.count <= index { items.append(nothing) }
      items[index].put(path.dropFirst(), new)
      content = .list(items)
    case .anyItem: preconditionFailure("a listing resolves nothing")
    }
  }
}

// The tree of a configuration as it is written: maps, lists and single values with their places.

import Foundation

/// A configuration as it is written, with overrides applied and no meaning given to its keys yet.
///
/// A ``ConfigurationReader`` gives it meaning.
public struct ConfigurationTree: Sendable {
  /// The file as the user named it; the first part of every error.
  public let source: String
  /// The absolute folder that file paths in it are relative to.
  public let folder: String
  let root: Node

  /// The maximum size of a text in bytes, far above any real configuration.
  static let byteLimit = 1 << 20
  /// The maximum nesting.
  static let depthLimit = 32

  /// Reads a file and applies overrides, each `key.path=value`, in order.
  ///
  /// - Throws: ``ConfigurationError`` naming the file, the line or the override.
  public init(path: String, overrides: [String] = []) throws(ConfigurationError) {
    let url = URL(fileURLWithPath: path).standardizedFileURL
    try self.init(
      bytes: readBytes(path), source: path, folder: url.deletingLastPathComponent().path,
      overrides: overrides)
  }

  /// Reads a text that is already in memory and applies overrides.
  ///
  /// - Parameters:
  ///   - text: The YAML.
  ///   - source: The name of the text in errors.
  ///   - folder: The folder that file paths in it are relative to.
  ///   - overrides: Each `key.path=value`, in order.
  /// - Throws: ``ConfigurationError`` naming the source and line, or the override.
  public init(
    text: String, source: String, folder: String = ".", overrides: [String] = []
  ) throws(ConfigurationError) {
    try self.init(bytes: Array(text.utf8), source: source, folder: folder, overrides: overrides)
  }

  private init(
    bytes: [UInt8], source: String, folder: String, overrides: [String]
  ) throws(ConfigurationError) {
    var root = try parse(bytes, source: source)
    for override in overrides { try root.apply(override) }
    self.source = source
    self.folder = URL(fileURLWithPath: folder).standardizedFileURL.path
    self.root = root
  }

  /// Creates a tree without any key: every key has its default.
  public init(source: String = "configuration", folder: String = ".") {
    self.source = source
    self.folder = URL(fileURLWithPath: folder).standardizedFileURL.path
    root = Node(.map([], shorthand: nil), at: Place(source: source))
  }
}

/// One value of the tree and its place.
struct Node: Sendable {
  struct Entry: Sendable {
    let key: String
    let place: Place
    var value: Node
  }

  indirect enum Content: Sendable {
    case scalar(Scalar)
    case list([Node])
    /// A map; `shorthand` is the single value here before an override reached inside it, as in
    /// `optimizer: adam` followed by `--set optimizer.adam.beta1=0.8`.
    case map([Entry], shorthand: Node?)
  }

  var content: Content
  let place: Place

  init(_ content: Content, at place: Place) {
    self.content = content
    self.place = place
  }

  var isNull: Bool {
    if case .scalar(let scalar) = content { return scalar.value == .null }
    return false
  }

  /// The value as errors show it.
  var shown: String {
    switch content {
    case .scalar(let scalar): scalar.shown
    case .list(let items): items.isEmpty ? "an empty list" : "a list"
    case .map(let entries, let shorthand):
      shorthand?.shown ?? (entries.isEmpty ? "an empty map" : "a map")
    }
  }
}

/// Returns the bytes of a file, at most one more than the limit.
///
/// Only regular files are read: a run reads its configuration more than once and on every rank, but a FIFO or
/// a pipe delivers its bytes only once, or makes the reader wait for ever.
private func readBytes(_ path: String) throws(ConfigurationError) -> [UInt8] {
  func failure() -> ConfigurationError {
    .unreadable(path: path, reason: String(cString: strerror(errno)))
  }
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
  guard descriptor >= 0 else { throw failure() }
  guard let file = fdopen(descriptor, "r") else {
    let failure = failure()
    close(descriptor)
    throw failure
  }
  defer { fclose(file) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else { throw failure() }
  let kind = status.st_mode & S_IFMT
  // Reading a folder gives the system's own reason.
  guard kind == S_IFREG || kind == S_IFDIR else {
    let reason = kind == S_IFIFO ? "is a FIFO or a pipe" : "is not a regular file"
    throw .unreadable(path: path, reason: reason)
  }
  var bytes = [UInt8](repeating: 0, count: ConfigurationTree.byteLimit + 1)
  let count = bytes.withUnsafeMutableBytes { fread($0.baseAddress, 1, $0.count, file) }
  guard ferror(file) == 0 else { throw failure() }
  return Array(bytes.prefix(count))
}

// The errors of configurations and their wording.

/// The place where a value is written: a line of a file, or an override on the command line.
public struct Place: Hashable, Sendable, CustomStringConvertible {
  /// The file as it was named, or the override as it was typed.
  public let source: String
  /// The line, from 1; absent for overrides and for values that are not in the text.
  public let line: Int?

  /// Creates a place.
  public init(source: String, line: Int? = nil) {
    self.source = source
    self.line = line
  }

  /// The place in messages, such as `run.yaml:7` or `--set seed=x`.
  public var description: String { line.map { "\(source):\($0)" } ?? source }
}

/// A configuration that cannot be used; the exit status of all of them is 78.
public enum ConfigurationError: Error, Hashable, Sendable {
  /// The file cannot be read.
  case unreadable(path: String, reason: String)
  /// The text is not YAML of the supported kind.
  case malformed(Place, problem: String)
  /// A `--set` that is not `key.path=value`, or whose path leads nowhere.
  case malformedOverride(Place, problem: String)
  /// A key that nothing asked for.
  case unknownKey(Place, path: String, nearest: String?)
  /// A missing key without a default; `similar` is a present key that may be a misspelling of it.
  case missingKey(Place, path: String, expected: String, similar: String?)
  /// A value of another type, or outside its range.
  case unusable(Place, path: String, found: String, expected: String, nearest: String?)
  /// A name that is none of the alternatives, such as an unknown layer.
  case unknownAlternative(
    Place, noun: String, path: String, found: String, nearest: String?, choices: [String])
  /// Several alternatives instead of one.
  case severalAlternatives(Place, noun: String, path: String, found: [String])
  /// A key whose value differs from that of the configuration it must agree with.
  case differs(source: String, ConfigurationDifference, allowed: [String])
}

extension ConfigurationError: CustomStringConvertible {
  /// One line with the place, the key, the value found and the value expected.
  public var description: String {
    switch self {
    case .unreadable(let path, let reason):
      return "\(path): \(reason), expected a configuration file"
    case .malformed(let place, let problem), .malformedOverride(let place, let problem):
      return "\(place): \(problem)"
    case .unknownKey(let place, let path, let nearest):
      return "\(place): unknown key '\(path)'" + suggestion(nearest)
    case .missingKey(let place, let path, let expected, let similar):
      let found = similar.map { "; found '\($0)', is that it?" } ?? ""
      return "\(place): missing key '\(path)', expected \(expected)" + found
    case .unusable(let place, let path, let found, let expected, let nearest):
      return "\(place): '\(path)': found \(found), expected \(expected)" + suggestion(nearest)
    case .unknownAlternative(let place, let noun, let path, let found, let nearest, let choices):
      let rest = nearest == nil ? "; expected \(joined(choices))" : suggestion(nearest)
      return "\(place): '\(path)': unknown \(noun) '\(found)'" + rest
    case .severalAlternatives(let place, let noun, let path, let found):
      let names = found.map { "'\($0)'" }.joined(separator: " and ")
      return "\(place): '\(path)': found \(names), expected one \(noun)"
    case .differs(let source, let difference, let allowed):
      let rest = allowed.isEmpty ? "" : "; only \(joined(allowed, "and")) may change"
      return "\(source): \(difference)" + rest
    }
  }
}

/// Returns the words as a phrase such as `a, b or c`.
func joined(_ words: [String], _ conjunction: String = "or") -> String {
  guard let last = words.last, words.count > 1 else { return words.first ?? "nothing" }
  return words.dropLast().joined(separator: ", ") + " \(conjunction) " + last
}

private func suggestion(_ nearest: String?) -> String {
  nearest.map { "; did you mean '\($0)'?" } ?? ""
}

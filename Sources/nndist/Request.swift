// The command of a process, on which all ranks agree before anything else.
import ArgumentParser
import Communication
import Digests
import Foundation

/// The command of this process, with the values of all its options.
struct Request {
  /// The command and its values with the names of their properties, one per line; equal for command lines
  /// with the same meaning.
  let meaning: String
  /// The command line as it is written, with each option and its value as one word.
  let words: [String]

  /// Describes a command that was read from the command line.
  init(_ command: any ParsableCommand) {
    let lines = ["\(type(of: command))"] + Request.values(of: command)
    meaning = lines.joined(separator: "\n")
    words = Request.words(of: Array(CommandLine.arguments.dropFirst()))
  }

  /// Returns the values of the arguments, options and flags of a command or of a group of options.
  private static func values(of parsed: Any) -> [String] {
    Mirror(reflecting: parsed).children.flatMap { child -> [String] in
      if let group = child.value as? any OptionGroupWrapper { return values(of: group.options) }
      guard let value = child.value as? any ValueWrapper, let name = child.label else { return [] }
      return ["\(name) \(String(reflecting: value.parsed))"]
    }
  }

  /// Returns the words of a command line, each option joined with its value; line breaks are escaped.
  static func words(of arguments: [String]) -> [String] {
    var words: [String] = []
    var takesValue = false
    for argument in arguments.map({ $0.replacing("\n", with: "\\n") }) {
      let isOption = argument.hasPrefix("--")
      if takesValue, !isOption {
        words[words.count - 1] += " " + argument
      } else {
        words.append(argument)
      }
      takesValue = isOption && !argument.contains("=")
    }
    return words
  }

  /// Returns the words of each command line that not all of them share, or whole lines if that tells nothing.
  static func differences(of lines: [[String]]) -> [String] {
    var shared = lines.first ?? []
    for line in lines.dropFirst() {
      var rest = line
      shared = shared.filter { word in
        guard let index = rest.firstIndex(of: word) else { return false }
        rest.remove(at: index)
        return true
      }
    }
    let own = lines.map { line in
      var rest = shared
      return line.filter { word in
        guard let index = rest.firstIndex(of: word) else { return true }
        rest.remove(at: index)
        return false
      }
    }
    return (Set(own).count > 1 ? own : lines).map { $0.joined(separator: " ") }
  }
}

extension Communicator {
  /// Throws if the ranks have different commands or run different programs.
  ///
  /// Collective.
  ///
  /// - Parameter request: The command of this rank.
  /// - Throws: `CommunicationError/differs(_:)` naming the options and ranks.
  func requireSame(_ request: Request) throws(CommunicationError) {
    guard size > 1 else { return }
    try requireSame(try agreeingOnFailure(programDigest), named: "program")
    let meanings = try allgather(Array(request.meaning.utf8))
    guard meanings.contains(where: { $0 != meanings[0] }) else { return }
    let lines = try allgather(Array(request.words.joined(separator: "\n").utf8)).map {
      String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init)
    }
    throw .differs(Disagreement(name: "command line", values: Request.differences(of: lines)))
  }
}

/// Returns SHA-256 of the program file.
private func programDigest() throws -> String {
  let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/exe"))
  var hash = SHA256()
  while let bytes = try file.read(upToCount: 1 << 22), !bytes.isEmpty {
    hash.update([UInt8](bytes))
  }
  return hash.finalizeHex()
}

/// A property that holds the value of an argument, option or flag.
private protocol ValueWrapper {
  var parsed: Any { get }
}

extension Argument: ValueWrapper { fileprivate var parsed: Any { wrappedValue } }
extension Option: ValueWrapper { fileprivate var parsed: Any { wrappedValue } }
extension Flag: ValueWrapper { fileprivate var parsed: Any { wrappedValue } }

/// A property that holds a group of options.
private protocol OptionGroupWrapper {
  var options: Any { get }
}

extension OptionGroup: OptionGroupWrapper { fileprivate var options: Any { wrappedValue } }

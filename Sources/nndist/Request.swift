// What a process was asked for, so that all ranks can agree on it before anything else.
import ArgumentParser
import Communication
import Digests
import Foundation

/// The command of this process, with the values of all its options.
struct Request {
  /// The command and each value under the name of its property, one a line; equal for command lines that
  /// mean the same.
  let meaning: String
  /// The command line as it was written: each option together with its value.
  let words: [String]

  /// Describes a command that was read from the command line.
  init(_ command: any ParsableCommand) {
    let lines = ["\(type(of: command))"] + Request.values(of: command)
    meaning = lines.joined(separator: "\n")
    words = Request.words(of: Array(CommandLine.arguments.dropFirst()))
  }

  /// The values of the arguments, options and flags of a command or of a group of options.
  private static func values(of parsed: Any) -> [String] {
    Mirror(reflecting: parsed).children.flatMap { child -> [String] in
      if let group = child.value as? any OptionGroupWrapper { return values(of: group.options) }
      guard let value = child.value as? any ValueWrapper, let name = child.label else { return [] }
      return ["\(name) \(String(reflecting: value.parsed))"]
    }
  }

  /// The words of a command line, options with what follows them; on one line each.
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

  /// Returns what each of some command lines has that not all have; all of each if that tells nothing.
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
  /// Refuses to go on if the ranks are not asked for the same, or are not the same program.
  ///
  /// Collective.
  ///
  /// - Parameter request: What this rank is asked for.
  /// - Throws: `CommunicationError/differs(_:)` naming the options and ranks.
  func requireSame(_ request: Request) throws(CommunicationError) {
    guard size > 1 else { return }
    try requireSame(try together(programDigest), named: "program")
    let meanings = try allgather(Array(request.meaning.utf8))
    guard meanings.contains(where: { $0 != meanings[0] }) else { return }
    let lines = try allgather(Array(request.words.joined(separator: "\n").utf8)).map {
      String(decoding: $0, as: UTF8.self).split(separator: "\n").map(String.init)
    }
    throw .differs(Disagreement(name: "command line", values: Request.differences(of: lines)))
  }
}

/// SHA-256 of the program file.
private func programDigest() throws -> String {
  let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/exe"))
  var hash = SHA256()
  while let bytes = try file.read(upToCount: 1 << 22), !bytes.isEmpty {
    hash.update([UInt8](bytes))
  }
  return hash.finalizeHex()
}

/// A property that holds what was read for an argument, option or flag.
private protocol ValueWrapper {
  var parsed: Any { get }
}

extension Argument: ValueWrapper { fileprivate var parsed: Any { wrappedValue } }
extension Option: ValueWrapper { fileprivate var parsed: Any { wrappedValue } }
extension Flag: ValueWrapper { fileprivate var parsed: Any { wrappedValue } }

/// A property that holds several of these.
private protocol OptionGroupWrapper {
  var options: Any { get }
}

extension OptionGroup: OptionGroupWrapper { fileprivate var options: Any { wrappedValue } }

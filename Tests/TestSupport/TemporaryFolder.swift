// Files of tests, and programs of others that read or make them.

import Foundation

/// A new folder for the files of one test, removed with the last reference to it.
public final class TemporaryFolder: Sendable {
  /// The folder's path, absolute and without symbolic links.
  public let path: String

  /// Creates an empty folder below the system's temporary one.
  public init() throws {
    let temporary = URL(fileURLWithPath: NSTemporaryDirectory()).resolvingSymlinksInPath().path
    // Short, because names of sockets in it may be no longer than 107 bytes.
    path = "\(temporary)/nndist-\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Returns the path of a file in the folder.
  public func file(_ name: String) -> String { path + "/" + name }

  /// Writes a file into the folder, makes the folders above it, and returns its path.
  @discardableResult
  public func write(_ bytes: [UInt8], to name: String) throws -> String {
    let url = URL(fileURLWithPath: file(name))
    try FileManager.default.createDirectory(
      at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return file(name)
  }

  /// Writes a file of text into the folder and returns its path.
  @discardableResult
  public func write(_ text: String, to name: String) throws -> String {
    try write(Array(text.utf8), to: name)
  }

  /// Makes a symbolic link in the folder.
  public func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: file(name), withDestinationPath: target)
  }

  /// Returns the names of what is in the folder, or in a folder of it, in order.
  public func names(_ name: String = "") throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: file(name)).sorted()
  }

  /// Returns a file of the folder as text.
  public func text(of name: String) throws -> String {
    String(decoding: try contents(of: file(name)), as: UTF8.self)
  }

  /// Returns the records of a run in the folder, without those of time.
  public func records(_ run: String) throws -> [String] {
    try text(of: "\(run)/metrics.jsonl").split(separator: "\n").map(String.init)
      .filter { !$0.contains("\"kind\":\"timing\"") }
  }
}

/// Returns the path of a bundled data file.
public func bundled(_ name: String) -> String {
  repository.appendingPathComponent("datasets/\(name).h5").path
}

/// Returns the bytes of a file.
public func contents(of path: String) throws -> [UInt8] {
  Array(try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// Returns the message of the error that a body throws, or "no error".
public func message<Failure: Error>(_ body: () throws(Failure) -> Void) -> String {
  do throws(Failure) {
    try body()
    return "no error"
  } catch {
    return "\(error)"
  }
}

/// Runs a program and returns what it printed, once it ended with status 0.
public func output(of program: String, _ arguments: String...) throws -> String {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: program)
  process.arguments = arguments
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let data = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  guard process.terminationStatus == 0 else {
    throw ProgramFailure(program: program, status: process.terminationStatus)
  }
  return String(decoding: data, as: UTF8.self)
}

/// A program that ended with another status than 0.
public struct ProgramFailure: Error {
  /// The program's path.
  public let program: String
  /// The status it ended with.
  public let status: Int32
}

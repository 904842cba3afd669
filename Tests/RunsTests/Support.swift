import Configuration
import Files
import Foundation
import Runs

/// A folder for one test, removed with it.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "nndist-runs-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func write(_ text: String, to name: String) throws {
    try makeFolder(folder(of: "\(path)/\(name)"))
    try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
  }

  /// Makes a symbolic link in the folder.
  func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: "\(path)/\(name)", withDestinationPath: target)
  }

  /// The names in a folder of it.
  func names(_ name: String) throws -> [String] { try Folder("\(path)/\(name)").names() }

  func text(of name: String) throws -> String {
    String(decoding: try readFile("\(path)/\(name)"), as: UTF8.self)
  }
}

/// A resolved configuration with one key.
func configuration(seed: Int = 1) throws -> ResolvedConfiguration {
  try ResolvedConfiguration(yaml: "seed: \(seed)\n", source: "test")
}

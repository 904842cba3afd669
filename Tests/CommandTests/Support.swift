// The program as its users run it: in a folder of its own, alone or as several ranks.

import Foundation
import TestSupport
import Testing

/// Options that override keys of a configuration.
func overrides(_ values: [String]) -> [String] { values.flatMap { ["--set", $0] } }

/// A folder with small configurations, in which the program runs.
struct Workplace {
  let folder: TemporaryFolder

  /// Makes the folder, with a configuration for iris.
  init() throws {
    folder = try TemporaryFolder()
    try write(Workplace.iris, to: "iris.yaml")
  }

  /// Six steps an epoch, the last of 15 rows.
  static let iris = """
    data: { train: \(bundled("iris")), test: \(bundled("iris-test")) }
    model: [affine: 8, relu, affine: 3]
    optimizer: { sgd: { learning_rate: 0.1, momentum: 0.9 } }
    batch_size: 21
    microbatches: 6
    epochs: 2

    """

  var url: URL { URL(fileURLWithPath: folder.path) }

  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try folder.write(text, to: name)
  }

  /// Runs the program alone in the folder.
  func nndist(_ arguments: String...) throws -> LaunchResult { try nndist(arguments) }

  /// Runs the program in the folder, alone or as several ranks.
  func nndist(_ arguments: [String], ranks: Int = 1) throws -> LaunchResult {
    ranks == 1
      ? try run("nndist", arguments: arguments, directory: url)
      : try launch("nndist", arguments: arguments, ranks: ranks, directory: url)
  }

  /// Runs the program and expects that it does what it is asked to.
  @discardableResult
  func succeed(
    _ arguments: String..., ranks: Int = 1, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    try succeed(arguments, ranks: ranks, sourceLocation: sourceLocation)
  }

  @discardableResult
  func succeed(
    _ arguments: [String], ranks: Int = 1, sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> String {
    let result = try nndist(arguments, ranks: ranks)
    #expect(result.status == 0, "\(arguments): \(result)", sourceLocation: sourceLocation)
    return result.output
  }

  /// The digest of the checkpoint of a step.
  func digest(_ run: String, step: Int) throws -> String {
    let name = String(format: "step-%010d.h5", step)
    return try succeed("checkpoint", "digest", "\(run)/checkpoints/\(name)")
  }

  /// The records of a run, without those of time.
  func records(_ run: String) throws -> [String] { try folder.records(run) }

  /// The names of what is in the folder.
  func names(_ path: String = ".") throws -> [String] { try folder.names(path) }

  func exists(_ name: String) -> Bool {
    FileManager.default.fileExists(atPath: folder.file(name))
  }
}

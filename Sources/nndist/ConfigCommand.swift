import ArgumentParser
import Configuration
import Foundation
import Training

/// `nndist config`.
struct ConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "config",
    abstract: "Lists every key of a configuration with default, type and meaning.",
    discussion: "With a file it prints what that file comes to, every key explicit.")

  @Argument(help: "A configuration to resolve.") var path: String?
  @Option(name: .customLong("set"), help: "Overrides a key of the configuration: key.path=value.")
  var overrides: [String] = []

  func run() throws {
    Job.onFirstProcess(self) {
      if let path {
        let (_, resolved) = try readConfiguration(path, overrides: overrides)
        print(resolved.yaml, terminator: "")
      } else {
        let settings = try ConfigurationReader.listing { (root) throws(ConfigurationError) in
          _ = try RunConfiguration(root)
        }
        print(Setting.table(settings))
      }
      return 0
    }
  }
}

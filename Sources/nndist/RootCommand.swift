// The command: options in, exit status out.
import ArgumentParser
import Communication
import Configuration
import Foundation

/// The program.
@main
struct Program {
  static func main() {
    // First, because until then a request to stop ends the process.
    StopSignals.block()
    // Writing to a closed pipe is an error of that write and does not end the process.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)  // Likewise writing beyond the limit on file sizes.
    Output.openStandardStreams()
    let arguments = RootCommand.withMinusSigns(Array(CommandLine.arguments.dropFirst()))
    StopSignals.standBy(takingRequests: TrainCommand.stopsOnRequest(arguments))
    if let message = RootCommand.fault(inCommands: arguments) {
      Job.exitBeforeStart(ExitStatus.usage, saying: message)
    }
    do {
      var command = try RootCommand.parseAsRoot(arguments)
      try command.run()
    } catch {
      let code = RootCommand.exitCode(for: error)
      let message = RootCommand.fullMessage(for: error)
      if code.isSuccess, !message.isEmpty, Job.launcher.isFirstProcess { print(message) }
      Job.exitBeforeStart(
        code.rawValue,
        saying: code.isSuccess || message.isEmpty ? nil : RootCommand.usageLine(for: error))
    }
  }
}

/// The top of the command line.
struct RootCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "nndist",
    abstract: "Trains neural networks on any number of ranks, with the same bits on each number.",
    discussion: """
      Without a command it trains a small network on the bundled digits. Start it by itself, or \
      by Open MPI's mpirun: mpirun -n 8 nndist.

      Exit status: 0 done, 64 usage or expression, 65 bad data or file, 69 something must be installed, 70 a bug, \
      73 run directory in use, 74 input or output, 75 stopped on request (run it again), 76 a peer \
      was lost, 78 bad configuration.
      """,
    version: Version.text,
    subcommands: [
      TrainCommand.self, EvaluateCommand.self, PredictCommand.self, CheckCommand.self,
      GraphCommand.self, DataCommand.self, CheckpointCommand.self, ConfigCommand.self,
      BenchCommand.self, EnvCommand.self,
    ],
    defaultSubcommand: TrainCommand.self)

  /// Returns the arguments with a minus sign for a hyphen at the start of an expression, so that it is not
  /// taken for an option.
  static func withMinusSigns(_ arguments: [String]) -> [String] {
    guard ["graph", "check"].contains(arguments.first) else { return arguments }
    return arguments.map { argument in
      guard argument.hasPrefix("-"), !argument.hasPrefix("--"), !["-", "-h"].contains(argument)
      else { return argument }
      return "−" + argument.dropFirst()
    }
  }

  /// Returns the error in the commands at the start of a command line, or nil without one.
  static func fault(inCommands arguments: [String]) -> String? {
    var command: any ParsableCommand.Type = RootCommand.self
    var path: [String] = []
    for (index, word) in arguments.enumerated() {
      if index == 0, word == "help" { continue }
      let commands = command.configuration.subcommands
      if commands.isEmpty || word.hasPrefix("-") { return nil }
      if let next = commands.first(where: { $0._commandName == word }) {
        command = next
        path.append(word)
        continue
      }
      let isFirst = path.isEmpty
      let names = commands.map { $0._commandName } + (isFirst ? ["help"] : [])
      if isFirst, word.hasSuffix(".yaml") || word.hasSuffix(".yml") {
        return "unknown command '\(word)'; to train it: nndist train \(word)"
      }
      let hint = nearest(word, in: names).map { "did you mean '\($0)'?" }
      let beginning =
        isFirst ? "the commands are" : "the commands of \(path.joined(separator: " ")) are"
      return "unknown command '\((path + [word]).joined(separator: " "))'; "
        + (hint ?? "\(beginning) \(names.joined(separator: ", "))")
    }
    return nil
  }

  /// Returns an error of the command line as one line, with a pointer to the help.
  static func usageLine(for error: any Error) -> String {
    let lines = fullMessage(for: error).split(separator: "\n")
    let text = lines.first { $0.hasPrefix("Error: ") }.map { $0.dropFirst(7) }
    let message = text.map(String.init) ?? message(for: error)
    let begin = (message.prefix(1).lowercased() + message.dropFirst())
      .replacingOccurrences(of: ". Did you mean", with: "; did you mean")
    if begin.hasSuffix("?") { return begin }
    let parts = (lines.last ?? "").split(separator: "'")
    guard let help = parts.first(where: { $0.hasSuffix("--help") }) else { return begin }
    return "\(begin); see '\(help)'"
  }
}

/// The version of the program.
enum Version {
  /// The text that `--version` prints.
  static let text = "0.1.0"
}

/// The exit statuses of the program.
enum ExitStatus {
  static let usage: Int32 = 64
  static let badData: Int32 = 65
  static let unavailable: Int32 = 69
  static let input: Int32 = 74
  static let stopped: Int32 = 75
}

import ArgumentParser
import Communication
import Foundation
import Training

/// `nndist train`, and `nndist` by itself.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Trains a network; the same command goes on where a run stopped.",
    discussion: """
      Without a configuration it trains a small network on the bundled digits. SIGINT, SIGTERM, \
      SIGHUP, SIGUSR1 and SIGUSR2 stop a run after the step in hand, with a checkpoint and status 75; \
      a second SIGINT ends it at once.
      """)

  @Argument(help: "The configuration, YAML; 'nndist config' lists all keys.") var path: String?
  @Option(name: .customLong("set"), help: "Overrides a key of the configuration: key.path=value.")
  var overrides: [String] = []
  @Option(help: "The run directory; by default runs/<n>.") var output: String?
  @Flag(help: "Starts over where a run of this kind has begun.") var fresh = false
  @Option(
    name: .customLong("init-from"), help: "A checkpoint whose parameters a new run begins with.")
  var initialCheckpoint: String?
  @Option(
    name: .customLong("trace"),
    help: "Writes what all workers did in the first steps, JSON in the Trace Event Format.")
  var tracePath: String?
  @Option(name: .customLong("trace-steps"), help: "The number of steps that --trace looks at.")
  var tracedSteps = 20
  @Flag(name: .customLong("dry-run"), help: "Prepares everything, trains nothing, writes nothing.")
  var isDryRun = false

  /// Returns whether a command line starts training, which can stop in good order after a step.
  static func stopsOnRequest(_ arguments: [String]) -> Bool {
    guard let first = arguments.first else { return true }
    return (first == "train" || first.hasPrefix("-")) && !arguments.contains("--dry-run")
  }

  func validate() throws {
    guard tracedSteps > 0 else {
      throw ValidationError("--trace-steps: found \(tracedSteps), expected 1 or more")
    }
  }

  func run() throws {
    // Read here only for the limit on waiting; errors are reported once all ranks have started.
    let configurationPath = Result { try path ?? Installation.defaultConfiguration() }
    var limits = WaitLimits()
    if let path = try? configurationPath.get(),
      let (configuration, _) = try? readConfiguration(path, overrides: overrides)
    {
      // A duration has a smaller range than a number; thirty years count as no limit.
      limits.collective = .seconds(min(configuration.peerTimeout, 1e9))
    }
    Job.onAllRanks(self, limits: limits) { communicator in
      try train(try communicator.agreeingOnFailure { try configurationPath.get() }, communicator)
    }
  }

  private func train(
    _ configurationPath: String, _ communicator: any Communicator
  ) throws -> Int32 {
    let absolute = URL(fileURLWithPath: configurationPath).standardizedFileURL.path
    var request = TrainingRequest(
      configurationPath: configurationPath, overrides: overrides, output: output,
      kind: path == nil ? "default" : "train \(absolute)")
    request.isFresh = fresh
    request.initialCheckpoint = initialCheckpoint
    request.isDryRun = isDryRun
    request.trace = tracePath.map { TraceRequest(path: $0, stepCount: tracedSteps) }
    let printer = communicator.isRoot ? ProgressPrinter() : nil
    let session = try TrainingSession(
      request, communicator: communicator, stopIsRequested: { StopSignals.stopIsRequested },
      report: { printer?.show($0) })
    if let printer {
      RunSummary(session, communicator, path: configurationPath).printBegin(printer)
    }
    if isDryRun {
      printer?.printLine("dry run: nothing was trained or written")
      return 0
    }
    let ending = try session.run()
    if let printer {
      RunSummary(session, communicator, path: configurationPath).printEnd(ending, printer)
    }
    return ending == .stopped ? ExitStatus.stopped : 0
  }
}

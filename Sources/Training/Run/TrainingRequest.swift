public import Execution
public import Models

/// A request for a run: its configuration, its directory, and what differs from an ordinary run.
public struct TrainingRequest: Sendable {
  /// The path of the configuration.
  public var configurationPath: String
  /// Overrides of it, each `key.path=value`.
  public var overrides: [String]
  /// The run directory; nil for the newest unfinished run of this kind in ``runsFolder``, or a new one.
  public var output: String?
  /// The folder of run directories that are chosen by number.
  public var runsFolder = "runs"
  /// Tells runs of one command from those of another.
  public var kind: String
  /// Starts over in a run directory that has a run already.
  public var isFresh = false
  /// A checkpoint whose parameters a new run begins with.
  public var initialCheckpoint: String?
  /// Stops before the first step, without a run directory.
  public var isDryRun = false
  /// A trace of the first steps; nil to write none.
  public var trace: TraceRequest?
  /// The backend that computes; nil for that of the configured device.
  public var backend: (any Backend)?
  /// The configuration itself, if it is no file.
  var configurationText: String?
  /// The model and rows that a program made itself.
  var parts = ProgramParts()
  /// The layers and losses that the configuration may name.
  public var catalog = ModelCatalog.builtIn

  /// Creates a request for an ordinary run; anything else is set afterwards.
  ///
  /// - Parameters:
  ///   - configurationPath: The path of the configuration.
  ///   - overrides: Overrides of it, each `key.path=value`.
  ///   - output: The run directory; nil to choose one in ``runsFolder``.
  ///   - kind: Tells runs of one command from those of another.
  public init(
    configurationPath: String, overrides: [String] = [], output: String? = nil, kind: String
  ) {
    self.configurationPath = configurationPath
    self.overrides = overrides
    self.output = output
    self.kind = kind
  }
}

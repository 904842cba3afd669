// Runs of models made in Swift: a request with the configuration as text.
import Configuration

extension TrainingRequest {
  /// Creates a request for a model made in Swift.
  ///
  /// ```swift
  /// let request = TrainingRequest(
  ///   Model([.affine(1)], loss: .squaredNorm),
  ///   settings: "data: { train: train.h5 }\nepochs: 20\noptimizer: { adam: { learning_rate: 0.01 } }")
  /// ```
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - train: The rows to train on; nil for those of the file that `settings` name as `data.train`.
  ///   - test: The rows that show the result, if `train` is given.
  ///   - settings: Everything else as a configuration in YAML, without `model` and `loss`.
  ///   - output: The run directory, for checkpoints and records; nil to write nothing.
  ///   - isFresh: Starts over in that directory; otherwise the run there goes on.
  public init(
    _ model: Model, train: ArrayRows? = nil, test: ArrayRows? = nil, settings: String = "",
    output: String? = nil, isFresh: Bool = false
  ) {
    self.init(configurationPath: "settings", output: output, kind: "swift")
    self.isFresh = isFresh
    configurationText = settings
    parts = ProgramParts(model: model, train: train, test: test)
  }

  /// Indicates whether the run has a directory.
  var isRecorded: Bool { !isDryRun && (configurationText == nil || output != nil) }

  /// Returns remarks on the request itself.
  func notices(isResumed: Bool) -> [String] {
    guard isResumed, let initialCheckpoint else { return [] }
    return ["the run has begun, so \(initialCheckpoint) is not read again"]
  }

  /// Reads the configuration and its canonical form.
  ///
  /// - Throws: `ConfigurationError`.
  func readConfiguration() throws(ConfigurationError) -> (RunConfiguration, ResolvedConfiguration) {
    let tree =
      if let configurationText {
        try ConfigurationTree(
          text: configurationText, source: configurationPath, overrides: overrides)
      } else {
        try ConfigurationTree(path: configurationPath, overrides: overrides)
      }
    let reader = ConfigurationReader(tree)
    var configuration = try RunConfiguration(reader.root, parts: parts, catalog: catalog)
    if let backend { configuration.backend = backend }
    return (configuration, try reader.finish())
  }
}

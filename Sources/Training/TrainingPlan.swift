public import Configuration
public import Models

/// What is trained and how: the configuration, resolved for the data at hand.
public struct TrainingPlan: Sendable {
  /// The configuration.
  public let configuration: RunConfiguration
  /// Its canonical text, with the microbatches filled in.
  public let resolved: ResolvedConfiguration
  /// The model, built for the shape of the data.
  public let network: Network
  /// The parts that a step is cut into.
  public let microbatches: Int
  /// The rows of an epoch.
  public let rowCount: Int

  /// The steps of an epoch; the last one may have fewer rows.
  public var stepsPerEpoch: Int {
    (rowCount + configuration.batchSize - 1) / configuration.batchSize
  }

  /// The steps of the run.
  public var stepCount: Int { stepsPerEpoch * configuration.epochs }

  /// The numbers of rows that steps have, without 0.
  var stepRowCounts: Set<Int> {
    let rest = rowCount % configuration.batchSize
    return rest == 0 ? [configuration.batchSize] : [configuration.batchSize, rest]
  }
}

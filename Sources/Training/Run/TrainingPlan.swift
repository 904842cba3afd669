public import Configuration
import DataParallel
public import Models

/// A configuration resolved for its data: the model, the microbatches and the numbers of steps.
public struct TrainingPlan: Sendable {
  /// The configuration.
  public let configuration: RunConfiguration
  /// Its canonical text, with the microbatches filled in.
  public let resolved: ResolvedConfiguration
  /// The model, built for the shape of the data.
  public let network: Network
  /// The number of parts that a step is cut into.
  public let microbatches: Int
  /// The rows of an epoch.
  public let rowCount: Int

  /// The steps of an epoch; the last one may have fewer rows.
  public var stepsPerEpoch: Int {
    (rowCount + configuration.batchSize - 1) / configuration.batchSize
  }

  /// The steps of the run.
  public var stepCount: Int { stepsPerEpoch * configuration.epochs }

  /// Refuses microbatches of one row if a layer takes a variance over rows, and those too large for memory.
  ///
  /// - Throws: ``TrainingError/oneRow(layer:rows:microbatches:)``,
  ///   ``TrainingError/outputTooLarge(layer:rows:byteCount:memory:)``.
  func requireRows() throws(TrainingError) {
    try network.requireMemory(
      ofRows: MicrobatchCut(rowCount: configuration.batchSize, count: microbatches).sizes.max() ?? 0
    )
    for need in network.rowNeeds where need.leastRows > 1 {
      for rows in stepRowCounts.sorted(by: >) {
        if rows == 1 { throw .oneRow(layer: need.layer, rows: rows, microbatches: nil) }
        guard need.statistics == .microbatch,
          MicrobatchCut(rowCount: rows, count: microbatches).sizes.contains(1)
        else { continue }
        throw .oneRow(layer: need.layer, rows: rows, microbatches: microbatches)
      }
    }
  }

  /// The numbers of rows that steps have, without 0.
  var stepRowCounts: Set<Int> {
    let rest = rowCount % configuration.batchSize
    return rest == 0 ? [configuration.batchSize] : [configuration.batchSize, rest]
  }
}

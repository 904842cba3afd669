import Communication
import DataParallel
import Models

/// The microbatches of a step and the workers of this rank.
struct WorkCounts {
  let microbatches: Int
  let workers: Int
  /// Remarks on these numbers, one line each.
  let notices: [String]

  /// Chooses the numbers that the configuration leaves open.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - preparation: The configuration, rows and model.
  ///   - configured: The microbatches that the configuration sets or the run began with; 0 for neither.
  ///   - groups: The ranks that share memory, group by group.
  /// - Throws: `CommunicationError`.
  init(
    _ preparation: RunPreparation, configured: Int, groups: [[Int]]
  ) throws(CommunicationError) {
    let (network, configuration) = (preparation.network, preparation.configuration)
    let (batchSize, communicator) = (configuration.batchSize, preparation.communicator)
    let rowCount = preparation.splits.train.rowCount
    var notices: [String] = []
    let chosen = defaultMicrobatches(for: network, batchSize: batchSize, rowCount: rowCount)
    microbatches = configured > 0 ? configured : chosen
    if configuration.microbatches == nil, microbatches != chosen {
      notices.append(
        "microbatches: \(microbatches), as the run began, where a new one has \(chosen)")
    }
    let wanted =
      configuration.workers
      ?? defaultWorkers(
        for: network, batchSize: batchSize, size: communicator.size,
        cores: communicator.placement.ownCoreCount)
    // A worker without a microbatch only costs memory.
    let division = WorkDivision(groups: groups, microbatches: microbatches)
    let busy = min(wanted, division.microbatches(of: communicator.rank).count)
    workers = max(1, busy)
    let usage = try WorkerUsage(wanted: wanted, busy: busy, communicator)
    // A configuration that sets microbatches and leaves workers to us asks for no more than there are.
    if configuration.microbatches == nil || configuration.workers != nil,
      let notice = usage.notice(
        microbatches: microbatches, network, batchSize: batchSize, rowCount: rowCount)
    {
      notices.append(notice)
    }
    self.notices = notices
  }
}

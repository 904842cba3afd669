import Communication
package import Models
import Tensors

/// Returns a rough estimate of the time of the products of some rows on one core.
private func estimatedSeconds(of network: Network, rowCount: Int) -> Double {
  3 * Double(network.layers.reduce(0) { $0 + $1.flops }) * Double(rowCount) / 2e11
}

/// Returns the number of workers of a rank that does not set one.
///
/// One per core, or one alone if the rank's part of a step is too short to divide. The answer does not depend
/// on it.
///
/// - Parameters:
///   - network: The model.
///   - batchSize: The rows of a step, over all ranks.
///   - size: The number of ranks.
///   - cores: The cores of this rank.
/// - Returns: The number of threads, at least 1.
func defaultWorkers(for network: Network, batchSize: Int, size: Int, cores: Int) -> Int {
  // Handing work to a thread that spins takes a few microseconds.
  let seconds = estimatedSeconds(of: network, rowCount: batchSize / size)
  return seconds < 60e-6 ? 1 : cores
}

/// Returns the number of microbatches of a run that does not set one.
///
/// A function of the network and the rows alone, so that the answer depends neither on the machine nor
/// on the number of ranks and workers: work for 16 workers, or for 32 where each microbatch has eight rows, as far as
/// the rows go and statistics of microbatches have enough of them. One worker computes all of them together in
/// little more time than one: see note 7 of this module.
///
/// - Parameters:
///   - network: The model.
///   - batchSize: The rows of a step.
///   - rowCount: The rows of an epoch, whose last step may have fewer.
/// - Returns: A power of two in 1...32, at most `batchSize`.
package func defaultMicrobatches(for network: Network, batchSize: Int, rowCount: Int) -> Int {
  let wanted = batchSize >= 8 * 32 ? 32 : 16
  let most = min(
    wanted, batchSize,
    mostMicrobatchesForStatistics(of: network, batchSize: batchSize, rowCount: rowCount) ?? wanted)
  var count = 1
  while 2 * count <= most { count *= 2 }
  return count
}

/// The least rows of a microbatch of a whole batch, if statistics are taken of each.
///
/// Means and variances of fewer rows are noise: see note 7 of this module.
private let leastRowsForStatistics = 16

/// Returns the most microbatches that leave enough rows for statistics of each; nil if no layer takes any.
///
/// Those of a whole batch have 16 rows or more, those of the rest of an epoch as many as a variance needs.
private func mostMicrobatchesForStatistics(
  of network: Network, batchSize: Int, rowCount: Int
) -> Int? {
  let needs = network.rowNeeds.filter { $0.statistics == .microbatch }
  guard let leastRows = needs.map(\.leastRows).max() else { return nil }
  var most = max(1, batchSize / leastRowsForStatistics)
  let rest = rowCount % batchSize
  // A rest of one row is refused whatever its microbatches.
  if leastRows > 1, rest >= leastRows { most = min(most, rest / leastRows) }
  return most
}

/// The workers of all ranks, and the number of them that have a microbatch.
struct WorkerUsage {
  /// The workers that were asked for, or that cores allow.
  let wanted: Int
  /// The largest number of them on one rank.
  let mostOfRank: Int
  /// The workers that have a microbatch.
  let busy: Int
  /// The number of ranks.
  let rankCount: Int

  /// Adds up the workers of all ranks.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - wanted: The workers of this rank that were asked for, or that its cores allow.
  ///   - busy: The workers of this rank that have a microbatch.
  ///   - communicator: The ranks.
  /// - Throws: What the collectives throw.
  init(wanted: Int, busy: Int, _ communicator: any Communicator) throws(CommunicationError) {
    var (sums, most) = ([Int64(wanted), Int64(busy)], [Int64(wanted)])
    try communicator.allreduce(&sums, .sum)
    try communicator.allreduce(&most, .max)
    (self.wanted, self.busy, mostOfRank) = (Int(sums[0]), Int(sums[1]), Int(most[0]))
    rankCount = communicator.size
  }

  /// Names the setting that would give all workers a microbatch.
  ///
  /// - Parameters:
  ///   - microbatches: The microbatches of a step.
  ///   - network: The model.
  ///   - batchSize: The rows of a step.
  ///   - rowCount: The rows of an epoch.
  /// - Returns: One line; nil if all workers have a microbatch.
  func notice(
    microbatches: Int, _ network: Network, batchSize: Int, rowCount: Int
  ) -> String? {
    guard busy < wanted else { return nil }
    var count = 1
    while count < rankCount * mostOfRank { count *= 2 }
    while count > batchSize { count /= 2 }
    let fault =
      "\(microbatches) \(microbatches == 1 ? "microbatch keeps" : "microbatches keep") \(busy) of "
      + "\(wanted) workers busy"
    guard count > microbatches else { return "\(fault); a larger batch_size would use more" }
    let most = mostMicrobatchesForStatistics(
      of: network, batchSize: batchSize, rowCount: rowCount)
    let remedy = "--set microbatches=\(count)"
    let effect =
      count < wanted
      ? "would use \(count), which is another answer" : "would use all, which is another answer"
    guard let most, most < count else { return "\(fault); \(remedy) \(effect)" }
    return
      "\(fault), since batch_norm takes statistics of each and needs rows for them; "
      + "'statistics: batch' in these layers with \(remedy) \(effect)"
  }
}

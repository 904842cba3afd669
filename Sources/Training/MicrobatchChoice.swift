package import Models
import Tensors

/// The time that the products of some rows take on one core, roughly.
private func estimatedSeconds(of network: Network, rowCount: Int) -> Double {
  3 * Double(network.layers.reduce(0) { $0 + $1.flops }) * Double(rowCount) / 2e11
}

/// The number of threads of a rank that does not set one.
///
/// As many as it has cores, but not more than microbatches, and one where the rank's share of a step
/// is too short to be shared. It decides who works, never what the answer is.
///
/// - Parameters:
///   - network: What is trained.
///   - batchSize: The rows of a step, over all ranks.
///   - size: The number of ranks.
///   - cores: The cores of this rank.
/// - Returns: The number of threads, at least 1.
func defaultWorkers(for network: Network, batchSize: Int, size: Int, cores: Int) -> Int {
  // Handing work to a thread that spins takes a few microseconds.
  let seconds = estimatedSeconds(of: network, rowCount: batchSize / size)
  return seconds < 60e-6 ? 1 : cores
}

/// The least power of two that is at least `count`.
func powerOfTwo(atLeast count: Int) -> Int {
  var result = 1
  while result < count { result *= 2 }
  return result
}

/// The number of microbatches of a run that does not set one.
///
/// A function of the network and the batch alone, so that the answer does not depend on the machine:
/// the largest power of two up to 64 that a simple model puts at 5 % extra work or less on one worker.
///
/// The model: a row costs 6 operations per weight at 200 Gflop/s. Every further microbatch reads the
/// parameters twice, writes a gradient and adds one, 24 bytes per parameter, at the speed of the
/// caches or, past 16 MB of parameters, of memory; and it starts each kernel once more. Fitted to
/// measurements: 784-512-256-10 with 128 rows 4 % for 2 and 31 % for 8 microbatches, and
/// 4096-4096-4096-1000 with 128 rows 11 % for 2 and 123 % for 8.
///
/// - Parameters:
///   - network: What is trained.
///   - batchSize: The rows of a step.
/// - Returns: A power of two in 1...64, at most `batchSize`.
package func defaultMicrobatches(for network: Network, batchSize: Int) -> Int {
  let parameterBytes = 4 * Double(network.parameterLayout.count)
  let compute = estimatedSeconds(of: network, rowCount: batchSize)
  let bytesPerSecond = parameterBytes > 16e6 ? 3.5e10 : 1.35e11
  let secondsPerKernel = 5e-7
  let kernelCount = 4 * Double(network.layers.count) + 2
  let further = 6 * parameterBytes / bytesPerSecond + kernelCount * secondsPerKernel
  let once = compute + further
  // A microbatch of one row has no variance.
  let leastRows = network.rowNeeds.contains { $0.statistics == .microbatch } ? 2 : 1
  var count = 1
  while count < 64, 2 * count * leastRows <= batchSize,
    Double(2 * count - 1) * further <= 0.05 * once
  {
    count *= 2
  }
  return count
}

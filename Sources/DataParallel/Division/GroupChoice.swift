package import Models
import Tensors

/// The choice of how many microbatches a worker computes at once.
///
/// They go through every layer together, and activations that do not stay in the caches take longer to read and
/// write. But each further group reads the parameters once more and adds its gradient to that of another, so
/// groups are not cut below the size of the parameters. It decides how fast steps are and how much memory they
/// take, never what the answer is; note 7 of this module has the measurements.
package enum GroupChoice {
  /// The bytes of activations that stay in the caches of a core, about.
  private static let cachedByteCount = 8 << 20

  /// Returns the most microbatches of a group, however large one alone is.
  ///
  /// - Parameters:
  ///   - network: The network.
  ///   - rowCount: The rows of the largest microbatch.
  /// - Returns: At least 1.
  package static func size(for network: Network, rowCount: Int) -> Int {
    let activationCount = network.layers.reduce(network.sampleShape.count) {
      $0 + $1.activationCount
    }
    let stride = MemoryLayout<Float>.stride
    let parameterByteCount = stride * network.parameterLayout.count
    return max(
      1, max(cachedByteCount, parameterByteCount) / max(1, stride * activationCount * rowCount))
  }
}

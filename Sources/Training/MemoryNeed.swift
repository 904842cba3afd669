import Glibc
public import Models
import Tensors

extension Network {
  /// Refuses a model whose flat vectors do not fit into the memory of the host.
  ///
  /// Memory that is asked for beyond it ends a process without a word, or all of the host with it.
  ///
  /// - Parameters:
  ///   - optimizer: Says how many vectors there are besides parameters and gradient.
  ///   - isSharded: Whether the ranks of a host share parameters and state.
  ///   - rankCount: The ranks on this host.
  /// - Throws: ``TrainingError/tooLarge(parameterCount:byteCount:rankCount:memory:)``.
  public func requireMemory(
    for optimizer: OptimizerSettings, isSharded: Bool = true, rankCount: Int
  ) throws(TrainingError) {
    let vectorCount = (1 + optimizer.vectorCount) * (isSharded ? 1 : rankCount) + rankCount
    let (byteCount, isBeyondCount) = (vectorCount * MemoryLayout<Float>.stride)
      .multipliedReportingOverflow(by: layout.count)
    let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    guard isBeyondCount || byteCount > memory else { return }
    throw .tooLarge(
      parameterCount: parameterLayout.elementCount, byteCount: isBeyondCount ? .max : byteCount,
      rankCount: rankCount, memory: memory)
  }
}

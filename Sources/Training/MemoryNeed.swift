import Communication
public import Models
import Tensors

extension Network {
  /// Refuses a model whose flat vectors do not fit into the memory of the host beside the data.
  ///
  /// Memory that is asked for beyond it ends a process without a word, or all of the host with it.
  ///
  /// - Parameters:
  ///   - optimizer: Says how many vectors there are besides parameters and gradient.
  ///   - isSharded: Whether the ranks of a host share parameters and state.
  ///   - rankCount: The ranks on this host.
  ///   - dataByteCount: The bytes of rows that this host holds.
  /// - Throws: ``TrainingError/tooLarge(parameterCount:byteCount:rankCount:dataByteCount:memory:)``.
  public func requireMemory(
    for optimizer: OptimizerSettings, isSharded: Bool = true, rankCount: Int,
    dataByteCount: Int = 0
  ) throws(TrainingError) {
    let vectorCount = (1 + optimizer.vectorCount) * (isSharded ? 1 : rankCount) + rankCount
    let (byteCount, isBeyondCount) = (vectorCount * MemoryLayout<Float>.stride)
      .multipliedReportingOverflow(by: layout.count)
    let memory = HostMemory.byteCount
    guard isBeyondCount || byteCount > memory - min(dataByteCount, memory) else { return }
    throw .tooLarge(
      parameterCount: parameterLayout.elementCount, byteCount: isBeyondCount ? .max : byteCount,
      rankCount: rankCount, dataByteCount: dataByteCount, memory: memory)
  }
}

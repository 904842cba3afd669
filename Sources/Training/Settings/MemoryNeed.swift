import Communication
public import Models
public import Optimizers
import Tensors

extension Network {
  /// Refuses a model whose flat vectors do not fit into the memory of the host beside the data.
  ///
  /// Linux kills processes that use more, without a message.
  ///
  /// - Parameters:
  ///   - optimizer: The settings that decide the number of vectors besides parameters and gradient.
  ///   - isSharded: True if the ranks of a host share parameters and state.
  ///   - rankCount: The ranks on this host.
  ///   - groupSize: The ranks on it that map each other's memory; nil for all.
  ///   - dataByteCount: The bytes of rows in memory.
  ///   - copyCount: The copies of them on this host.
  /// - Throws: ``TrainingError/tooLarge(parameterCount:byteCount:rankCount:dataByteCount:memory:)``.
  public func requireMemory(
    for optimizer: OptimizerSettings, isSharded: Bool = true, rankCount: Int,
    groupSize: Int? = nil, dataByteCount: Int = 0, copyCount: Int = 1
  ) throws(TrainingError) {
    let own = 1 + optimizer.vectorCount
    try requireMemory(
      own * (isSharded ? 1 : rankCount) + rankCount, rankCount: rankCount,
      dataByteCount: dataByteCount * copyCount, HostMemory.byteCount)
    // A process maps all memory that its group shares.
    try requireMemory(
      own + min(groupSize ?? rankCount, rankCount), rankCount: nil,
      dataByteCount: dataByteCount, HostMemory.processByteCount)
  }

  private func requireMemory(
    _ vectorCount: Int, rankCount: Int?, dataByteCount: Int, _ memory: Int
  ) throws(TrainingError) {
    let (byteCount, isBeyondCount) = (vectorCount * MemoryLayout<Float>.stride)
      .multipliedReportingOverflow(by: layout.count)
    guard isBeyondCount || byteCount > memory - min(dataByteCount, memory) else { return }
    throw .tooLarge(
      parameterCount: parameterLayout.elementCount, byteCount: isBeyondCount ? .max : byteCount,
      rankCount: rankCount, dataByteCount: dataByteCount, memory: memory)
  }

  /// Refuses a model with a layer whose output alone does not fit into the memory of the host.
  ///
  /// - Parameter rows: The rows computed at once.
  /// - Throws: ``TrainingError/outputTooLarge(layer:rows:byteCount:memory:)``.
  func requireMemory(ofRows rows: Int) throws(TrainingError) {
    let memory = HostMemory.byteCount
    for layer in layers {
      let byteCount = 4 * Double(layer.activationCount) * Double(rows)
      guard byteCount > Double(memory) else { continue }
      throw .outputTooLarge(layer: layer.name, rows: rows, byteCount: byteCount, memory: memory)
    }
  }
}

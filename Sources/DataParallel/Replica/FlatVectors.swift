import Communication
import Optimizers
import Tensors

/// The flat vectors of a replica, filled with zeros.
struct FlatVectors {
  let parameters: FloatBuffer
  /// The state of the optimizer, one vector per slot of its rule.
  let slots: [FloatBuffer]
  /// The moving average of the parameters, if the settings ask for one.
  let average: FloatBuffer?
  /// The memory shared by a group; nil for vectors of one rank.
  let memory: SharedMemory?

  /// Allocates the vectors.
  ///
  /// Collective over the group.
  ///
  /// - Parameters:
  ///   - count: The number of elements of each.
  ///   - settings: The optimizer.
  ///   - group: The ranks that share them; nil for vectors of this rank alone.
  /// - Throws: `CommunicationError`, also as an agreed failure if memory is short.
  init(
    count: Int, _ settings: OptimizerSettings, sharedBy group: RankGroup?
  ) throws(CommunicationError) {
    let slotIndices = settings.rule.slotNames.indices
    guard let group else {
      memory = nil
      parameters = FloatBuffer(count: count)
      slots = slotIndices.map { _ in FloatBuffer(count: count) }
      average = settings.average.map { _ in FloatBuffer(count: count) }
      return
    }
    let size = max(count, 1) * MemoryLayout<Float>.stride
    let memory = try group.allocate(
      byteCount: group.isLeader ? size * (1 + settings.vectorCount) : 0)
    self.memory = memory
    func vector(_ index: Int) -> FloatBuffer {
      FloatBuffer(
        at: memory.segments[0].pointer(at: index * size, to: Float.self, count: count),
        count: count, owner: memory)
    }
    parameters = vector(0)
    slots = slotIndices.map { vector(1 + $0) }
    average = settings.average.map { _ in vector(1 + slotIndices.count) }
  }
}

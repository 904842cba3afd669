import Communication
import Synchronization
import Tensors

/// The memory of a step that the ranks of a group share: their records, the progress of their workers, and
/// the flat vectors that gradients are computed into and added in.
final class StepMemory {
  /// The offsets in the memory of one rank.
  private struct Segment {
    let workerCount: Int
    /// The number of slots of each worker; those of all lie one after another.
    let slotCounts: [Int]
    let recordSize: Int
    let vectorLength: Int

    /// The number of buckets that a worker has finished, on a cache line of its own.
    func progressOffset(_ worker: Int) -> Int { 64 * worker }
    var recordOffset: Int { 64 * workerCount }
    var slotsOffset: Int { (recordOffset + recordSize + 4095) / 4096 * 4096 }
    var vectorSize: Int { vectorLength * MemoryLayout<Float>.stride }
    func slotOffset(_ worker: Int, _ slot: Int) -> Int {
      slotsOffset + (slotCounts[..<worker].reduce(0, +) + slot) * vectorSize
    }
    var byteCount: Int { slotOffset(workerCount, 0) }
  }

  /// The memory of this rank, in bytes.
  let byteCount: Int
  /// The records of the group's ranks.
  let records: [StepRecord]
  /// For each rank of the group and each of its workers, the number of buckets it has finished.
  let progress: [[UnsafeMutablePointer<Atomic<Int>>]]
  private let segments: [Segment]
  private let memory: SharedMemory

  /// Allocates the memory of a group.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - group: The ranks that share it.
  ///   - layout: The microbatches and slots of each worker.
  ///   - vectorLength: The number of elements of a flat vector.
  /// - Throws: `CommunicationError`.
  init(
    _ group: RankGroup, _ layout: StepLayout, vectorLength: Int
  ) throws(CommunicationError) {
    let recordSize = StepRecord.byteCount(microbatches: layout.division.maximumPerRank)
    let segments = group.members.map { rank in
      let slotCounts = layout.slotCounts(of: rank)
      return Segment(
        workerCount: slotCounts.count, slotCounts: slotCounts, recordSize: recordSize,
        vectorLength: vectorLength)
    }
    self.segments = segments
    byteCount = segments[group.localRank].byteCount
    let memory = try group.allocate(byteCount: byteCount)
    self.memory = memory
    records = segments.indices.map { localRank in
      let offset = segments[localRank].recordOffset
      return StepRecord(
        UnsafeMutableRawBufferPointer(
          rebasing: memory.segments[localRank][offset..<offset + recordSize]))
    }
    progress = segments.indices.map { localRank in
      (0..<segments[localRank].workerCount).map { worker in
        memory.segments[localRank].pointer(
          at: segments[localRank].progressOffset(worker), to: Atomic<Int>.self, count: 1)
      }
    }
  }

  /// Returns a flat vector of a worker, named by its local rank.
  func vector(_ localRank: Int, _ worker: Int, _ slot: Int) -> UnsafeMutablePointer<Float> {
    memory.segments[localRank].pointer(
      at: segments[localRank].slotOffset(worker, slot), to: Float.self,
      count: segments[localRank].vectorLength)
  }

  /// The vector in which a group collects whole sums, where every rank updates all elements.
  var sumVector: FloatBuffer { slots(0, 0)[0] }

  /// Returns all flat vectors of a worker, as buffers that keep the memory.
  func slots(_ localRank: Int, _ worker: Int) -> [FloatBuffer] {
    (0..<segments[localRank].slotCounts[worker]).map { slot in
      FloatBuffer(
        at: vector(localRank, worker, slot), count: segments[localRank].vectorLength, owner: memory)
    }
  }
}

extension UnsafeMutableRawBufferPointer {
  /// Returns the memory from an offset on as values of a type.
  package func pointer<Element: ~Copyable>(
    at offset: Int, to type: Element.Type, count: Int
  ) -> UnsafeMutablePointer<Element> {
    guard let baseAddress, offset + count * MemoryLayout<Element>.stride <= self.count else {
      preconditionFailure("\(count) values at \(offset) of \(self.count) bytes")
    }
    return (baseAddress + offset).bindMemory(to: type, capacity: count)
  }
}

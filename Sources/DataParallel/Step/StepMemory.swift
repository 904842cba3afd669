package import Communication
package import Synchronization
package import Tensors

/// What a rank tells the others about its microbatches of a step: a header, and sums over rows.
package struct StepRecord {
  /// The first bytes.
  package struct Header {
    package var hasFailed: Int64
    package var stopWasRequested: Int64
    /// The time until the microbatches were computed.
    package var busyNanoseconds: Int64
  }

  private let bytes: UnsafeMutableRawBufferPointer

  package init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

  /// The bytes of a record of some number of microbatches.
  package static func byteCount(microbatches: Int) -> Int {
    MemoryLayout<Header>.stride + microbatches * MemoryLayout<MicrobatchSums>.stride
  }

  /// As it is sent.
  package var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(bytes) }

  package var header: Header {
    get { bytes.load(as: Header.self) }
    nonmutating set { bytes.storeBytes(of: newValue, as: Header.self) }
  }

  /// The sums over the rows of the rank's microbatches, in order.
  package var sums: UnsafeMutablePointer<MicrobatchSums> {
    bytes.pointer(at: MemoryLayout<Header>.stride, to: MicrobatchSums.self, count: 0)
  }
}

/// The memory of a step that the ranks of a group share: their records, how far their workers are, and
/// the flat vectors that gradients are computed into and added in.
package final class StepMemory {
  /// Where things lie in the memory of one rank.
  private struct Segment {
    let workerCount: Int
    /// The slots of each worker, one after another.
    let slotCounts: [Int]
    let recordSize: Int
    let vectorLength: Int

    /// How many buckets of how many steps a worker is done with, on a cache line of its own.
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
  package let byteCount: Int
  /// The records of the group's ranks.
  package let records: [StepRecord]
  /// For each rank of the group and each of its workers, the buckets it is done with.
  package let progress: [[UnsafeMutablePointer<Atomic<Int>>]]
  private let segments: [Segment]
  private let memory: SharedMemory

  /// Allocates the memory of a group.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - group: The ranks that share it.
  ///   - slotCounts: The flat vectors of each worker of each of the group's ranks.
  ///   - recordSize: The bytes of a record.
  ///   - vectorLength: The elements of a flat vector.
  /// - Throws: `CommunicationError`.
  package init(
    _ group: RankGroup, slotCounts: [[Int]], recordSize: Int, vectorLength: Int
  ) throws(CommunicationError) {
    let segments = slotCounts.map {
      Segment(
        workerCount: $0.count, slotCounts: $0, recordSize: recordSize, vectorLength: vectorLength)
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

  /// A flat vector of a worker, named by its local rank.
  package func vector(_ localRank: Int, _ worker: Int, _ slot: Int) -> UnsafeMutablePointer<Float> {
    memory.segments[localRank].pointer(
      at: segments[localRank].slotOffset(worker, slot), to: Float.self,
      count: segments[localRank].vectorLength)
  }

  /// The same as a buffer that keeps the memory.
  package func buffer(_ localRank: Int, _ worker: Int, _ slot: Int) -> FloatBuffer {
    FloatBuffer(
      at: vector(localRank, worker, slot), count: segments[localRank].vectorLength, owner: memory)
  }
}

extension UnsafeMutableRawBufferPointer {
  /// The memory from an offset on as values of a type.
  package func pointer<Element: ~Copyable>(
    at offset: Int, to type: Element.Type, count: Int
  ) -> UnsafeMutablePointer<Element> {
    guard let baseAddress, offset + count * MemoryLayout<Element>.stride <= self.count else {
      preconditionFailure("\(count) values at \(offset) of \(self.count) bytes")
    }
    return (baseAddress + offset).bindMemory(to: type, capacity: count)
  }
}

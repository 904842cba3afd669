import Communication
import Tensors

/// The record in which a rank publishes its microbatches of a step: a header, and sums over rows.
struct StepRecord {
  /// The first bytes of a record.
  struct Header {
    var hasFailed: Int64
    var stopWasRequested: Int64
    /// The time until the microbatches were computed.
    var busyNanoseconds: Int64
  }

  private let bytes: UnsafeMutableRawBufferPointer

  init(_ bytes: UnsafeMutableRawBufferPointer) { self.bytes = bytes }

  /// Returns the size of a record of some number of microbatches, in bytes.
  static func byteCount(microbatches: Int) -> Int {
    MemoryLayout<Header>.stride + microbatches * MemoryLayout<MicrobatchSums>.stride
  }

  /// The bytes as they are sent.
  var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(bytes) }

  var header: Header {
    get { bytes.load(as: Header.self) }
    nonmutating set { bytes.storeBytes(of: newValue, as: Header.self) }
  }

  /// The sums over the rows of the rank's microbatches, in order.
  var sums: UnsafeMutablePointer<MicrobatchSums> {
    bytes.pointer(at: MemoryLayout<Header>.stride, to: MicrobatchSums.self, count: 0)
  }
}

/// The records of all ranks: read in shared memory where one group is the whole job, exchanged otherwise.
final class StepRecords {
  /// The time that each rank has spent on its microbatches.
  private(set) var busyNanoseconds: [Int64]
  private let layout: StepLayout
  private let group: RankGroup
  private let communicator: any Communicator
  private let own: StepRecord
  private let all: [StepRecord]
  private let received: UnsafeMutableRawBufferPointer
  /// The sums of each microbatch of the step.
  private let terms: UnsafeMutableBufferPointer<MicrobatchSums>

  /// Allocates the records of ranks in other groups.
  ///
  /// - Parameters:
  ///   - shared: The records of the group's ranks.
  ///   - layout: The microbatches of each rank.
  ///   - group: The ranks that share memory.
  ///   - communicator: The ranks.
  init(
    shared: [StepRecord], _ layout: StepLayout, group: RankGroup, communicator: any Communicator
  ) {
    self.layout = layout
    self.group = group
    self.communicator = communicator
    own = shared[group.localRank]
    busyNanoseconds = Array(repeating: 0, count: communicator.size)
    let size = own.raw.count
    received = .allocate(
      byteCount: group.isWholeJob ? 0 : size * communicator.size, alignment: 16)
    received.initializeMemory(as: UInt8.self, repeating: 0)
    all =
      group.isWholeJob
      ? shared
      : (0..<communicator.size).map { [received] rank in
        StepRecord(
          UnsafeMutableRawBufferPointer(rebasing: received[rank * size..<(rank + 1) * size]))
      }
    terms = .allocate(capacity: layout.division.microbatchCount)
    terms.initialize(repeating: .zero)
  }

  deinit {
    received.deallocate()
    terms.deallocate()
  }

  /// Publishes this rank's header with its sums and waits for the records of all ranks.
  ///
  /// Collective.
  func exchange(_ header: StepRecord.Header) throws(CommunicationError) {
    own.header = header
    guard communicator.size > 1 else { return }
    // With one group this is all that ranks have to tell each other before the update.
    group.barrier()
    if !group.isWholeJob { try communicator.allgather(from: own.raw, into: received) }
  }

  /// Returns what the records of all ranks say together.
  func summary(
    in tree: SumTree
  ) -> (hasFailed: Bool, stopWasRequested: Bool, sums: MicrobatchSums) {
    var hasFailed = false
    var stopWasRequested = false
    for (rank, record) in all.enumerated() {
      let header = record.header
      hasFailed = hasFailed || header.hasFailed != 0
      stopWasRequested = stopWasRequested || header.stopWasRequested != 0
      busyNanoseconds[rank] += header.busyNanoseconds
      for (index, microbatch) in layout.microbatches(of: rank).enumerated() {
        terms[microbatch] = record.sums[index]
      }
    }
    return (hasFailed, stopWasRequested, tree.sum(UnsafeBufferPointer(terms)))
  }
}

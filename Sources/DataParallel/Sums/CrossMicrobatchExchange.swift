import Communication
import Execution
import Numerics
import Tensors

/// Sums short vectors over all microbatches of a step while these are being computed.
///
/// All microbatches of all ranks come to the end of a segment of their plans; each leaves its vector in
/// memory that the ranks of a group share, and every rank adds all of them in the order of the tree.
/// Between groups the vectors of all microbatches are sent to all.
final class CrossMicrobatchExchange {
  /// The number of values that are summed after each segment but the last.
  let counts: [Int]
  /// The memory of the vectors, in bytes.
  let byteCount: Int
  private let arithmetic: any SumArithmetic
  private let communicator: any Communicator
  private let group: RankGroup
  private let division: WorkDivision
  /// Two buffers of each rank of the group, used in turn.
  private let memory: SharedMemory
  /// The vectors of all ranks, where they are not all in one group.
  private let received: FloatBuffer
  /// One vector for each microbatch.
  private let vectors: FloatBuffer
  /// The buffer that is written, 0 or 1; the other may still be read by other ranks.
  private var writtenBuffer = 0

  /// Prepares the sums.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - ownCounts: The number of values after each segment; empty on a rank without microbatches.
  ///   - division: The microbatches of each rank.
  ///   - group: The ranks that share memory.
  ///   - arithmetic: The additions.
  ///   - communicator: The ranks.
  /// - Throws: `CommunicationError`.
  init(
    counts ownCounts: [Int], division: WorkDivision, group: RankGroup,
    arithmetic: any SumArithmetic, communicator: any Communicator
  ) throws(CommunicationError) {
    self.arithmetic = arithmetic
    counts = try communicator.allgather(values: ownCounts).first { !$0.isEmpty } ?? []
    precondition(
      ownCounts.isEmpty || ownCounts == counts, "segments of other lengths on another rank")
    self.communicator = communicator
    self.group = group
    self.division = division
    let longest = counts.max() ?? 0
    let bufferLength = division.maximumPerRank * longest
    let sharedByteCount = 2 * bufferLength * MemoryLayout<Float>.stride
    memory = try group.allocate(byteCount: sharedByteCount)
    received = FloatBuffer(count: group.isWholeJob ? 0 : bufferLength * communicator.size)
    vectors = FloatBuffer(count: division.microbatchCount * longest)
    byteCount = sharedByteCount + (received.count + vectors.count) * MemoryLayout<Float>.stride
  }

  /// The memory where a microbatch of this rank leaves its vector after a segment.
  func vector(of microbatch: Int, after segment: Int) -> UnsafeMutablePointer<Float> {
    let index = microbatch - division.microbatches(of: communicator.rank).lowerBound
    return buffer(of: group.localRank, after: segment) + index * counts[segment]
  }

  /// Adds the vectors of all microbatches.
  ///
  /// Collective: all ranks call it after each segment but the last, also those that failed.
  ///
  /// - Parameters:
  ///   - segment: The segment that has been run.
  ///   - sum: The additions of the vectors, slot j that of microbatch j.
  /// - Returns: The sum, until the next call.
  /// - Throws: `CommunicationError`.
  func exchange(
    after segment: Int, _ sum: (additions: [SumTree.Addition], slot: Int?)
  ) throws(CommunicationError) -> UnsafePointer<Float> {
    let count = counts[segment]
    group.barrier()
    let length = division.maximumPerRank * count
    if !group.isWholeJob {
      try communicator.allgather(
        from: UnsafeRawBufferPointer(
          UnsafeMutableBufferPointer(
            start: buffer(of: group.localRank, after: segment), count: length)),
        into: UnsafeMutableRawBufferPointer(
          UnsafeMutableBufferPointer(
            start: received.pointer, count: length * communicator.size)))
    }
    for rank in 0..<communicator.size {
      let source =
        group.isWholeJob ? buffer(of: rank, after: segment) : received.pointer + rank * length
      for (index, microbatch) in division.microbatches(of: rank).enumerated() {
        arithmetic.copy(
          source + index * count, into: vectors.pointer + microbatch * count, count: count)
      }
    }
    flushingDenormals {
      for addition in sum.additions {
        arithmetic.add(
          vectors.pointer + addition.target * count, vectors.pointer + addition.source * count,
          count: count)
      }
    }
    writtenBuffer = 1 - writtenBuffer
    return UnsafePointer(vectors.pointer + (sum.slot ?? 0) * count)
  }

  /// The vectors of a rank of this group after a segment, in the buffer that is written.
  private func buffer(of localRank: Int, after segment: Int) -> UnsafeMutablePointer<Float> {
    let length = division.maximumPerRank * (counts.max() ?? 0)
    return memory.segments[localRank].pointer(
      at: writtenBuffer * length * MemoryLayout<Float>.stride, to: Float.self,
      count: division.maximumPerRank * counts[segment])
  }
}

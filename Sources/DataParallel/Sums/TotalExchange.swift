package import Communication
package import Execution
import Numerics
import Tensors

/// Sums short vectors over all microbatches of a step while these are being computed.
///
/// All microbatches of all ranks come to the end of a segment of their plans; each leaves its vector in
/// memory that the ranks of a group share, and every rank adds all of them in the order of the tree.
/// Between groups the vectors of all microbatches are sent to all.
package final class TotalExchange {
  /// How many numbers are summed after each segment but the last.
  package let counts: [Int]
  /// The memory of the vectors, in bytes.
  package let byteCount: Int
  private let arithmetic: any FlatArithmetic
  private let communicator: any Communicator
  private let group: RankGroup
  private let division: WorkDivision
  private let memory: SharedMemory
  /// Of all ranks, where they are not all in one group.
  private let received: FloatBuffer
  /// One vector for each microbatch.
  private let vectors: FloatBuffer
  /// Which half of the memory is written; the other half may still be read by others.
  private var half = 0

  /// Prepares the sums.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - ownCounts: How many numbers are summed after each segment; empty on a rank without microbatches.
  ///   - division: Which rank computes which microbatches.
  ///   - group: The ranks that share memory.
  ///   - arithmetic: The additions.
  ///   - communicator: The ranks.
  /// - Throws: `CommunicationError`.
  package init(
    counts ownCounts: [Int], division: WorkDivision, group: RankGroup,
    arithmetic: any FlatArithmetic, communicator: any Communicator
  ) throws(CommunicationError) {
    self.arithmetic = arithmetic
    counts = try communicator.allgather(values: ownCounts).first { !$0.isEmpty } ?? []
    precondition(
      ownCounts.isEmpty || ownCounts == counts, "segments of other lengths on another rank")
    self.communicator = communicator
    self.group = group
    self.division = division
    let longest = counts.max() ?? 0
    let share = division.largestShare * longest
    let halves = 2 * share * MemoryLayout<Float>.stride
    memory = try group.allocate(byteCount: halves)
    received = FloatBuffer(count: group.isWholeJob ? 0 : share * communicator.size)
    vectors = FloatBuffer(count: division.microbatches * longest)
    byteCount = halves + (received.count + vectors.count) * MemoryLayout<Float>.stride
  }

  /// Where a microbatch of this rank leaves its vector after a segment.
  package func vector(of leaf: Int, after segment: Int) -> UnsafeMutablePointer<Float> {
    let index = leaf - division.leaves(of: communicator.rank).lowerBound
    return share(of: group.localRank, after: segment) + index * counts[segment]
  }

  /// Adds the vectors of all microbatches.
  ///
  /// Collective: all ranks call it after each segment but the last, also those that failed.
  ///
  /// - Parameters:
  ///   - segment: The segment that has been run.
  ///   - sum: How the vectors are added, slot j that of microbatch j.
  /// - Returns: The sum, until the next call.
  /// - Throws: `CommunicationError`.
  package func exchange(
    after segment: Int, _ sum: (additions: [SumTree.Addition], slot: Int?)
  ) throws(CommunicationError) -> UnsafePointer<Float> {
    let count = counts[segment]
    group.barrier()
    let share = division.largestShare * count
    if !group.isWholeJob {
      try communicator.allgather(
        from: UnsafeRawBufferPointer(
          UnsafeMutableBufferPointer(
            start: self.share(of: group.localRank, after: segment), count: share)),
        into: UnsafeMutableRawBufferPointer(
          UnsafeMutableBufferPointer(
            start: received.pointer, count: share * communicator.size)))
    }
    for rank in 0..<communicator.size {
      let source =
        group.isWholeJob
        ? self.share(of: rank, after: segment) : received.pointer + rank * share
      for (index, leaf) in division.leaves(of: rank).enumerated() {
        arithmetic.copy(
          source + index * count, into: vectors.pointer + leaf * count, count: count)
      }
    }
    flushingDenormals {
      for addition in sum.additions {
        arithmetic.add(
          vectors.pointer + addition.target * count, vectors.pointer + addition.source * count,
          count: count)
      }
    }
    half = 1 - half
    return UnsafePointer(vectors.pointer + (sum.slot ?? 0) * count)
  }

  /// The vectors of a rank of this group after a segment.
  private func share(of localRank: Int, after segment: Int) -> UnsafeMutablePointer<Float> {
    let offset = half * division.largestShare * (counts.max() ?? 0) * MemoryLayout<Float>.stride
    return memory.segments[localRank].pointer(
      at: offset, to: Float.self, count: division.largestShare * counts[segment])
  }
}

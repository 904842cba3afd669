// What every part of the trainer that talks to other ranks relies on: the collectives, and nothing
// about what is sent.

/// The ranks of one job, and the collectives among them.
///
/// A collective is called by all ranks, in the same order; it returns when all have called it. One
/// thread per rank calls them, the one that made the communicator. Errors of MPI itself are not
/// survivable: leave through ``leave(after:print:)``.
///
/// Checked collectives first agree on what is called, with which count and scalar type, because MPI
/// does not: it happily reduces 4096 floats against 2048 doubles. That costs one small MPI_Allreduce
/// more. Exchanges of the hot path are checked once, when they are prepared.
public protocol Communicator: AnyObject {
  /// The number of this process, in `0..<size`.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }
  /// Where this rank runs, and with which others.
  var placement: Placement { get }

  /// Returns when all ranks have called it.
  ///
  /// Collective, checked.
  ///
  /// - Throws: ``CommunicationError/collectivesDiffer(_:)`` if other ranks call something else;
  ///   ``CommunicationError/mpi(call:reason:)`` with MPI's own text.
  func barrier() throws(CommunicationError)

  /// Replaces `bytes` on every rank with those of `root`, whatever their count was.
  ///
  /// Collective, checked. Sent in pieces of 1 GiB, so any count will do.
  ///
  /// - Parameters:
  ///   - bytes: What root sends; what the others receive.
  ///   - root: The rank that sends, the same on all ranks.
  /// - Throws: ``CommunicationError/collectivesDiffer(_:)``; ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: O(count) bytes received per rank; one allocation.
  func broadcast(_ bytes: inout [UInt8], from root: Int) throws(CommunicationError)

  /// Returns the bytes of all ranks, in rank order; each rank may give another count.
  ///
  /// Collective, checked. Meant for set-up: it allocates.
  ///
  /// - Parameter bytes: This rank's part.
  /// - Returns: One part per rank.
  /// - Throws: ``CommunicationError/tooLarge(what:count:limit:)`` if the parts together pass 2³¹ − 1
  ///   bytes; ``CommunicationError/collectivesDiffer(_:)``; ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: O(bytes of all ranks) in memory and bytes received.
  func allgather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]]

  /// Writes the equally long records of all ranks into `all`, in rank order.
  ///
  /// Collective of the hot path: no allocation, and only the local counts are checked. All ranks must
  /// pass the same count.
  ///
  /// - Parameters:
  ///   - record: This rank's bytes, at most 2³¹ − 1.
  ///   - all: Room for `size` records, apart from `record`.
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: O(size · count) bytes received.
  func allgather(
    from record: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer
  ) throws(CommunicationError)

  /// Replaces each value, on every rank, with its sum, minimum or maximum over the ranks.
  ///
  /// Collective, checked. Exact: a sum beyond 64 bits wraps round.
  ///
  /// - Parameters:
  ///   - values: This rank's values on entry, the result on return; the same count on all ranks.
  ///   - reduction: How values are put together, the same on all ranks.
  /// - Throws: ``CommunicationError/collectivesDiffer(_:)``; ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: O(count · log size) bytes sent.
  func allreduce(_ values: inout [Int64], _ reduction: Reduction) throws(CommunicationError)

  /// Replaces `values` on every rank with the sum over all ranks.
  ///
  /// Collective, checked. Every rank gets the same bits, but other numbers of ranks give others: not
  /// for gradients. Source: MPI 3.1, section 5.9.6.
  ///
  /// - Parameter values: This rank's share on entry, the sum on return.
  /// - Throws: ``CommunicationError/collectivesDiffer(_:)``; ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: 2 · (size − 1) / size · byteCount sent per rank when MPI picks the ring.
  func allreduce(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError)

  /// Returns the lowest rank on which `condition` holds, or nil if there is none.
  ///
  /// Collective of the hot path: no allocation, nothing checked.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: one MPI_Allreduce of one integer.
  func firstRank(where condition: Bool) throws(CommunicationError) -> Int?

  /// Begins to send and receive the ranges of an exchange, and returns at once.
  ///
  /// Of the hot path: only local extents are checked. The ranges sent must not be written and those
  /// received not be touched before ``finish(_:)``; exchanges with one tag are started in the same
  /// order on all ranks.
  ///
  /// - Parameters:
  ///   - exchange: From ``prepareExchange(sending:receiving:tag:)``, not under way.
  ///   - source: Holds every range to send.
  ///   - destination: Holds every range to receive; may be the same memory.
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: the sum of the counts, in floats sent and received.
  func start(
    _ exchange: FloatExchange, from source: UnsafeMutableBufferPointer<Float>,
    into destination: UnsafeMutableBufferPointer<Float>
  ) throws(CommunicationError)

  /// Lets the library go on with an exchange and returns whether it is complete.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  func progress(_ exchange: FloatExchange) throws(CommunicationError) -> Bool

  /// Returns when all that was started of an exchange has been sent and received; at once if nothing
  /// was.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  func finish(_ exchange: FloatExchange) throws(CommunicationError)

  /// Replaces `values` on every rank with the sum over all ranks, in the library's own order.
  ///
  /// Collective, not checked: the other side of a measurement.
  ///
  /// - Parameter values: This rank's share on entry, the sum on return; fewer than 2³¹.
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  func sumInFreeOrder(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError)

  /// Runs `wait`, in which this rank waits for others by other means than a collective; if one of them
  /// is lost meanwhile, the job ends.
  ///
  /// - Parameter wait: Returns when the others have come.
  func watchWait(_ wait: () -> Void)

  /// Ends the whole job at once with this status; nothing after it runs, on any rank.
  ///
  /// Not collective, and from any thread. Buffered output of this rank is flushed.
  ///
  /// - Parameter status: The exit status of the job, in `1...255`.
  func abort(status: Int32) -> Never

  /// Ends communication in good order; after it only `rank`, `size` and `placement` may be used.
  ///
  /// Collective; a second call does nothing. It also happens when the last reference goes away.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  func finish() throws(CommunicationError)
}

/// How integers of all ranks are put together.
public enum Reduction: Int64, Sendable, CaseIterable {
  /// The sum over the ranks.
  case sum
  /// The smallest over the ranks.
  case min
  /// The largest over the ranks.
  case max
}

extension Communicator {
  /// The rank that sends in a broadcast, writes files and prints.
  public var root: Int { 0 }

  /// Whether this rank is ``root``.
  public var isRoot: Bool { rank == root }

  /// Replaces `values` on every rank with the sum over all ranks; not for gradients.
  ///
  /// Collective, checked; see the form that takes a buffer.
  ///
  /// - Parameter values: This rank's share on entry, the sum on return.
  /// - Throws: What the form that takes a buffer throws.
  public func allreduce(_ values: inout [Float]) throws(CommunicationError) {
    var failure: CommunicationError?
    values.withUnsafeMutableBufferPointer { buffer in
      do throws(CommunicationError) { try allreduce(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

// The interface through which every other module reaches the other ranks: the collectives, with no
// knowledge of the data they carry.

/// The ranks of one job, and the collectives among them.
///
/// All ranks call a collective, in the same order; it returns when all have called it. On each rank only
/// the thread that made the communicator calls them. Errors of MPI itself are not survivable: leave
/// through ``leave(after:print:)``.
///
/// Checked collectives first agree on the call, its count and its scalar type, because MPI does not
/// check: it happily reduces 4096 floats against 2048 doubles. This costs one more small MPI_Allreduce.
/// Exchanges on the hot path are checked once, when they are prepared.
public protocol Communicator: AnyObject {
  /// The number of this process, in `0..<size`.
  var rank: Int { get }
  /// The number of processes.
  var size: Int { get }
  /// The host and cores of this rank, and the ranks it shares them with.
  var placement: Placement { get }

  /// Returns when all ranks have called it.
  ///
  /// Collective, checked.
  ///
  /// - Throws: ``CommunicationError/collectivesDiffer(_:)`` if other ranks call something else;
  ///   ``CommunicationError/mpi(call:reason:)`` with MPI's own text.
  func barrier() throws(CommunicationError)

  /// Replaces `bytes` on every rank with those of `root`; counts may differ before the call.
  ///
  /// Collective, checked. Sent in pieces of 1 GiB, so any count will do.
  ///
  /// - Parameters:
  ///   - bytes: The bytes to send on root; the received bytes on the others.
  ///   - root: The rank that sends, the same on all ranks.
  /// - Throws: ``CommunicationError/collectivesDiffer(_:)``; ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: O(count) bytes received per rank; one allocation.
  func broadcast(_ bytes: inout [UInt8], from root: Int) throws(CommunicationError)

  /// Returns the bytes of all ranks, in rank order; counts may differ between ranks.
  ///
  /// Collective, checked. Meant for set-up: it allocates.
  ///
  /// - Parameter bytes: This rank's part.
  /// - Returns: One part per rank.
  /// - Throws: ``CommunicationError/tooLarge(what:count:limit:)`` if the parts together pass 2³¹ − 1
  ///   bytes; ``CommunicationError/collectivesDiffer(_:)``; ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: O(bytes of all ranks) in memory and bytes received.
  func allgather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]]

  /// Writes the records of all ranks, equal in length, into `all`, in rank order.
  ///
  /// Collective on the hot path: allocates nothing and checks only the local counts. All ranks must
  /// pass the same count.
  ///
  /// - Parameters:
  ///   - record: This rank's bytes, at most 2³¹ − 1.
  ///   - all: Room for `size` records; must not overlap `record`.
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
  ///   - reduction: The operation, the same on all ranks.
  /// - Throws: ``CommunicationError/collectivesDiffer(_:)``; ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: O(count · log size) bytes sent.
  func allreduce(_ values: inout [Int64], _ reduction: Reduction) throws(CommunicationError)

  /// Replaces `values` on every rank with the sum over all ranks.
  ///
  /// Collective, checked. Every rank gets the same bits, but they depend on the number of ranks: do not
  /// use it for gradients. Source: MPI 3.1, section 5.9.6.
  ///
  /// - Parameter values: This rank's addend on entry, the sum on return.
  /// - Throws: ``CommunicationError/collectivesDiffer(_:)``; ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: 2 · (size − 1) / size · byteCount sent per rank when MPI picks the ring.
  func allreduce(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError)

  /// Returns the lowest rank on which `condition` holds, or nil if it holds nowhere.
  ///
  /// Collective on the hot path: allocates and checks nothing.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: one MPI_Allreduce of one integer.
  func firstRank(where condition: Bool) throws(CommunicationError) -> Int?

  /// Begins to send and receive the ranges of an exchange, and returns at once.
  ///
  /// On the hot path: only local extents are checked. Until ``finish(_:)`` returns, the ranges sent must
  /// not be written and the ranges received must not be touched; exchanges with the same tag are started
  /// in the same order on all ranks.
  ///
  /// - Parameters:
  ///   - exchange: From ``prepareExchange(sending:receiving:tag:)``, not in progress.
  ///   - source: Holds every range to send.
  ///   - destination: Holds every range to receive; may be the same memory.
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  /// - Complexity: the sum of the counts, in floats sent and received.
  func start(
    _ exchange: FloatExchange, from source: UnsafeMutableBufferPointer<Float>,
    into destination: UnsafeMutableBufferPointer<Float>
  ) throws(CommunicationError)

  /// Advances an exchange and returns whether it is complete.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  func progress(_ exchange: FloatExchange) throws(CommunicationError) -> Bool

  /// Returns when all messages of an exchange have been sent and received; at once if it was not started.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  func finish(_ exchange: FloatExchange) throws(CommunicationError)

  /// Runs `wait`, which waits for other ranks without a collective, under the watchdog: losing one of
  /// them meanwhile ends the job.
  ///
  /// - Parameter wait: Returns when the other ranks have arrived.
  func watchWait(_ wait: () -> Void)

  /// Ends the whole job at once with this status; nothing after it runs, on any rank.
  ///
  /// Not collective; any thread may call it. Flushes buffered output of this rank.
  ///
  /// - Parameter status: The exit status of the job, in `1...255`.
  func abort(status: Int32) -> Never

  /// Ends communication in good order; afterwards only `rank`, `size` and `placement` may be used.
  ///
  /// Collective; a second call does nothing. Releasing the last reference does the same.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  func finish() throws(CommunicationError)
}

/// The operation that combines the integers of all ranks.
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

  /// Indicates whether this rank is ``root``.
  public var isRoot: Bool { rank == root }

  /// Replaces `values` on every rank with the sum over all ranks; not for gradients.
  ///
  /// Collective, checked; see the form that takes a buffer.
  ///
  /// - Parameter values: This rank's addend on entry, the sum on return.
  /// - Throws: The errors of the form that takes a buffer.
  public func allreduce(_ values: inout [Float]) throws(CommunicationError) {
    var failure: CommunicationError?
    values.withUnsafeMutableBufferPointer { buffer in
      do throws(CommunicationError) { try allreduce(buffer) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}

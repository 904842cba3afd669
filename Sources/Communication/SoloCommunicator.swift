// One process, no MPI: MPI_Init takes 250 ms, which a run without a launcher need not pay.

/// The communicator of a job of one process; it never touches MPI.
public final class SoloCommunicator: Communicator {
  /// Always 0.
  public var rank: Int { 0 }
  /// Always 1.
  public var size: Int { 1 }
  /// This host, with this process as its only rank.
  public let placement: Placement

  /// Makes the communicator.
  public init() {
    placement = Placement(
      rank: 0, hostName: currentHostName(), coresOfRanks: [0: availableCores()], hostCount: 1,
      quota: coreQuota())
  }

  /// Returns at once.
  public func barrier() throws(CommunicationError) {}

  /// Leaves `bytes` as they are.
  public func broadcast(_ bytes: inout [UInt8], from root: Int) throws(CommunicationError) {
    precondition(root == 0, "root \(root) of 1 rank")
  }

  /// Returns `bytes` as the only part.
  public func allgather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]] { [bytes] }

  /// Copies `record` to `all`.
  public func allgather(
    from record: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer
  ) throws(CommunicationError) {
    precondition(all.count == record.count, "room for \(all.count) bytes, not \(record.count)")
    all.copyMemory(from: record)
  }

  /// Leaves `values` as they are.
  public func allreduce(_ values: inout [Int64], _ reduction: Reduction) throws(CommunicationError)
  {
  }

  /// Leaves `values` as they are.
  public func allreduce(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError) {}

  /// Returns 0 if `condition` holds.
  public func firstRank(where condition: Bool) throws(CommunicationError) -> Int? {
    condition ? 0 : nil
  }

  /// Does nothing: one rank has no partner.
  public func start(
    _ exchange: FloatExchange, from source: UnsafeMutableBufferPointer<Float>,
    into destination: UnsafeMutableBufferPointer<Float>
  ) throws(CommunicationError) {}

  /// Returns true.
  public func progress(_ exchange: FloatExchange) throws(CommunicationError) -> Bool { true }

  /// Does nothing.
  public func finish(_ exchange: FloatExchange) throws(CommunicationError) {}

  /// Runs `wait`.
  public func watchWait(_ wait: () -> Void) { wait() }

  /// Flushes output and ends the process.
  public func abort(status: Int32) -> Never { endProcess(status: status) }

  /// Does nothing.
  public func finish() throws(CommunicationError) {}
}

// Ranks as threads of one process: whole jobs in a test, without MPI.

public import Communication
import Foundation

/// Runs `body` as every rank of a job, each on a thread of its own, and returns when all are done.
///
/// - Parameters:
///   - hosts: The ranks by the hosts that they are on: together 0 ..< size.
///   - coresOfHost: The cores of each host; with fewer than ranks these do not spin while they wait.
///   - body: The work of one rank.
/// - Throws: ``RankFailure`` of the rank that failed first.
public func onThreads(
  hosts: [[Int]], coresOfHost: Int = 64,
  _ body: @escaping @Sendable (any Communicator) throws -> Void
) throws {
  let job = ThreadJob(hosts: hosts, coresOfHost: coresOfHost)
  let ended = DispatchGroup()
  for rank in 0..<job.size {
    ended.enter()
    let thread = Thread {
      defer { ended.leave() }
      do { try body(ThreadCommunicator(job, rank: rank)) } catch { job.fail(rank, error) }
    }
    // As a process has it: the kernels of oneDNN use much.
    thread.stackSize = 8 << 20
    thread.start()
  }
  ended.wait()
  if let failure = job.failure { throw failure }
}

/// Runs `body` as every rank of a job on one host.
public func onThreads(
  ranks: Int, coresOfHost: Int = 64, _ body: @escaping @Sendable (any Communicator) throws -> Void
) throws {
  try onThreads(hosts: [Array(0..<ranks)], coresOfHost: coresOfHost, body)
}

/// Throws unless `condition` holds: on the thread of a rank an expectation would belong to no test.
public func require(_ condition: Bool, _ text: @autoclosure () -> String) throws {
  if !condition { throw Unmet(description: text()) }
}

private struct Unmet: Error, CustomStringConvertible {
  let description: String
}

/// An error of a rank that is a thread.
public struct RankFailure: Error, CustomStringConvertible {
  /// The rank.
  public let rank: Int
  /// The error it ended with.
  public let error: any Error

  /// One line.
  public var description: String { "rank \(rank): \(error)" }
}

/// The ranks of a job as they meet in collectives, and the messages under way between them.
private final class ThreadJob: @unchecked Sendable {
  struct Route: Hashable {
    let sender: Int
    let receiver: Int
    let tag: Int32
  }

  let hosts: [[Int]]
  let coresOfHost: Int
  let size: Int
  private let condition = NSCondition()
  private var parts: [(call: String, bytes: [UInt8])?]
  private var met: Result<[[UInt8]], CommunicationError> = .success([])
  private var generation = 0
  private var mail: [Route: [[Float]]] = [:]
  private var failures: [RankFailure] = []

  init(hosts: [[Int]], coresOfHost: Int) {
    self.hosts = hosts
    self.coresOfHost = coresOfHost
    size = hosts.joined().count
    precondition(hosts.joined().sorted() == Array(0..<size), "hosts \(hosts)")
    parts = Array(repeating: nil, count: size)
  }

  /// The failure that came first: those after it may be of ranks that waited for that one.
  var failure: RankFailure? { failures.first }

  func fail(_ rank: Int, _ error: any Error) {
    condition.withLock {
      failures.append(RankFailure(rank: rank, error: error))
      condition.broadcast()
    }
  }

  /// Waits until all ranks have come with their parts, and returns these.
  func meet(_ call: String, _ rank: Int, _ part: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
    condition.lock()
    defer { condition.unlock() }
    parts[rank] = (call, part)
    let own = generation
    let all = parts.compactMap { $0 }
    if all.count == size {
      met =
        Set(all.map(\.call)).count == 1
        ? .success(all.map(\.bytes)) : .failure(.collectivesDiffer(all.map(\.call)))
      parts = Array(repeating: nil, count: size)
      generation += 1
      condition.broadcast()
    }
    while generation == own { try wait() }
    return try met.get()
  }

  func send(_ floats: [Float], _ route: Route) {
    condition.withLock {
      mail[route, default: []].append(floats)
      condition.broadcast()
    }
  }

  /// Takes the oldest message of each route if all are there.
  func receive(_ routes: [Route], mustWait: Bool) throws(CommunicationError) -> [[Float]]? {
    condition.lock()
    defer { condition.unlock() }
    while !routes.allSatisfy({ mail[$0]?.isEmpty == false }) {
      guard mustWait else { return nil }
      try wait()
    }
    return routes.map { mail[$0]?.removeFirst() ?? [] }
  }

  private func wait() throws(CommunicationError) {
    guard failures.isEmpty else { throw .mpi(call: "a collective", reason: "a rank was lost") }
    condition.wait()
  }
}

/// The communicator of one rank that is a thread; `onThreads` makes it.
private final class ThreadCommunicator: Communicator {
  let rank: Int
  let placement: Placement
  private let job: ThreadJob
  private var destinations: [ObjectIdentifier: UnsafeMutableBufferPointer<Float>] = [:]

  var size: Int { job.size }

  init(_ job: ThreadJob, rank: Int) {
    self.job = job
    self.rank = rank
    let host = job.hosts.firstIndex { $0.contains(rank) } ?? 0
    let cores = Array(0..<job.coresOfHost)
    placement = Placement(
      rank: rank, hostName: "host\(host)",
      coresOfRanks: Dictionary(uniqueKeysWithValues: job.hosts[host].map { ($0, cores) }),
      hostCount: job.hosts.count, quota: nil)
  }

  func barrier() throws(CommunicationError) { _ = try job.meet("barrier", rank, []) }

  func broadcast(_ bytes: inout [UInt8], from root: Int) throws(CommunicationError) {
    bytes = try job.meet("broadcast from \(root)", rank, bytes)[root]
  }

  func allgather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
    try job.meet("allgather", rank, bytes)
  }

  func allgather(
    from record: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer
  ) throws(CommunicationError) {
    precondition(all.count == size * record.count, "room for \(all.count) bytes")
    all.copyBytes(from: try job.meet("allgather of records", rank, Array(record)).joined())
  }

  func allreduce(_ values: inout [Int64], _ reduction: Reduction) throws(CommunicationError) {
    let all = try numbers("allreduce \(reduction) of \(values.count) integers", values)
    for i in values.indices {
      let column = all.map { $0[i] }
      values[i] =
        switch reduction {
        case .sum: column.reduce(0, &+)
        case .min: column.min() ?? 0
        case .max: column.max() ?? 0
        }
    }
  }

  func allreduce(_ values: UnsafeMutableBufferPointer<Float>) throws(CommunicationError) {
    let all = try numbers("allreduce of \(values.count) floats", Array(values))
    for i in values.indices { values[i] = all.reduce(0) { $0 + $1[i] } }
  }

  func firstRank(where condition: Bool) throws(CommunicationError) -> Int? {
    try job.meet("firstRank", rank, [condition ? 1 : 0]).firstIndex(of: [1])
  }

  func start(
    _ exchange: FloatExchange, from source: UnsafeMutableBufferPointer<Float>,
    into destination: UnsafeMutableBufferPointer<Float>
  ) throws(CommunicationError) {
    precondition(!exchange.isUnderWay, "an exchange was started twice")
    exchange.isUnderWay = true
    destinations[ObjectIdentifier(exchange)] = destination
    for message in exchange.sends {
      job.send(
        Array(source[message.range]),
        .init(sender: rank, receiver: Int(message.rank), tag: exchange.tag))
    }
  }

  func progress(_ exchange: FloatExchange) throws(CommunicationError) -> Bool {
    try receive(exchange, mustWait: false)
  }

  func finish(_ exchange: FloatExchange) throws(CommunicationError) {
    _ = try receive(exchange, mustWait: true)
  }

  func watchWait(_ wait: () -> Void) { wait() }

  func abort(status: Int32) -> Never { fatalError("rank \(rank) aborts with status \(status)") }

  func finish() throws(CommunicationError) {}

  private func receive(_ exchange: FloatExchange, mustWait: Bool) throws(CommunicationError) -> Bool
  {
    guard exchange.isUnderWay else { return true }
    let routes = exchange.receipts.map {
      ThreadJob.Route(sender: Int($0.rank), receiver: rank, tag: exchange.tag)
    }
    guard let received = try job.receive(routes, mustWait: mustWait) else { return false }
    let destination = destinations.removeValue(forKey: ObjectIdentifier(exchange))
    for (message, floats) in zip(exchange.receipts, received) {
      precondition(floats.count == message.range.count, "\(floats.count) floats received")
      for (i, value) in zip(message.range, floats) { destination?[i] = value }
    }
    exchange.isUnderWay = false
    return true
  }

  private func numbers<Number: BitwiseCopyable>(
    _ call: String, _ values: [Number]
  ) throws(CommunicationError) -> [[Number]] {
    try job.meet(call, rank, values.withUnsafeBytes { Array($0) }).map { bytes in
      bytes.withUnsafeBytes { raw in
        (0..<values.count).map {
          raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Number>.stride, as: Number.self)
        }
      }
    }
  }
}

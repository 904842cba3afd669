// The ranks of an Open MPI job: its start, its end, and the state its collectives share.

import CMPI
import Glibc

/// The communicator of a job started by Open MPI's mpirun, or by another launcher that serves PMIx.
///
/// A process makes at most one, and only the thread that made it may use it. Do not keep it in a global:
/// Swift does not destroy globals, so MPI would not be finalised and mpirun would report failure. After an
/// error call ``Communicator/leave(after:print:)``: merely releasing it waits for all ranks.
public final class MPICommunicator: Communicator {
  /// The number of this process.
  public let rank: Int
  /// The number of processes.
  public let size: Int
  /// The host and cores of this rank, and the ranks it shares them with.
  public let placement: Placement

  let world: MPI_Comm
  /// Nil for a job of one rank, which waits for no other.
  private var watchdog: Watchdog?
  private var callNumber: UInt64 = 0
  private var isFinished = false
  private let endsWithAnyProcess: Bool
  /// Eight integers used by agreements, so that these allocate nothing.
  let scratch = UnsafeMutablePointer<Int64>.allocate(capacity: 8)

  /// Starts MPI; on return the ranks know each other.
  ///
  /// Collective. Takes about 250 ms. Sets Open MPI's yield-when-idle in the environment of this process
  /// if the host has more ranks than cores and the variable is not set.
  ///
  /// - Parameters:
  ///   - job: The launcher's description of the job, from ``Launcher/detect(environment:)``.
  ///   - limits: The limits on waiting for other ranks.
  /// - Throws: ``CommunicationError/libraryDiffers(found:expected:)`` before MPI is started;
  ///   ``CommunicationError/sizeDiffers(launcher:mpi:)`` if the launcher and MPI disagree;
  ///   ``CommunicationError/mpi(call:reason:)``.
  public init(
    job: Launcher.Job, limits: WaitLimits = WaitLimits()
  ) throws(CommunicationError) {
    try MPICommunicator.checkLibrary()
    MPICommunicator.yieldIfOversubscribed(job)
    let startWatch = job.processCount == 1 ? nil : StartWatch(job: job, limits: limits)
    defer { startWatch?.end() }

    var provided: Int32 = 0
    try check(MPI_Init_thread(nil, nil, Int32(MPI_THREAD_FUNNELED), &provided), "MPI_Init_thread")
    guard provided >= Int32(MPI_THREAD_FUNNELED) else {
      throw .mpi(call: "MPI_Init_thread", reason: "no support for several threads")
    }
    world = cmpi_comm_world()
    try check(MPI_Comm_set_errhandler(world, cmpi_errors_return()), "MPI_Comm_set_errhandler")

    var rank: Int32 = 0
    var size: Int32 = 0
    try check(MPI_Comm_rank(world, &rank), "MPI_Comm_rank")
    try check(MPI_Comm_size(world, &size), "MPI_Comm_size")
    if let count = job.processCount, count != Int(size) {
      MPI_Finalize()
      throw .sizeDiffers(launcher: count, mpi: Int(size))
    }
    self.rank = Int(rank)
    self.size = Int(size)
    endsWithAnyProcess = job.endsWithAnyProcess

    let own = Introduction.ofThisProcess()
    let all = try MPICommunicator.gather(own.bytes, size: Int(size), over: world)
      .map { Introduction(bytes: $0) ?? own }
    let ranksOnHost = try MPICommunicator.ranksOnHost(rank: rank, size: size, of: world)
    var coresOfRanks: [Int: [Int]] = [:]
    for other in ranksOnHost { coresOfRanks[other] = all[other].cores }
    placement = Placement(
      rank: Int(rank), hostName: own.hostName, coresOfRanks: coresOfRanks,
      hostCount: Set(all.map(\.hostName)).count, quota: coreQuota())

    if size > 1 {
      let peers = all.indices.compactMap { other in
        other == Int(rank) ? nil : all[other].peer(rank: other, seenFrom: own)
      }
      let endsWithAnyProcess = job.endsWithAnyProcess
      watchdog = Watchdog(
        rank: self.rank, size: self.size, peers: peers, limits: limits,
        ending: { MPICommunicator.endJob(status: $0, endsWithAnyProcess) })
    }
  }

  deinit {
    // An error here cannot be handled; mpirun reports it.
    do throws(CommunicationError) { try finish() } catch {}
    scratch.deallocate()
  }

  /// Finalises MPI.
  ///
  /// Collective; a second call does nothing.
  ///
  /// - Throws: ``CommunicationError/mpi(call:reason:)``.
  public func finish() throws(CommunicationError) {
    guard !isFinished else { return }
    isFinished = true
    defer { watchdog?.end() }
    // Write buffered output before the first rank can exit and mpirun can end the others.
    fflush(nil)
    try watched(.finish, "MPI_Finalize") { MPI_Finalize() }
  }

  /// Flushes output and ends the whole job.
  public func abort(status: Int32) -> Never {
    MPICommunicator.endJob(status: status, endsWithAnyProcess)
  }

  /// Ends the whole job.
  ///
  /// mpirun ends a job with the status of the first process that ends badly, so ending this process is
  /// enough, from any thread. Under Slurm the others would go on: MPI_Abort is needed there, although MPI
  /// forbids calling it while another thread is inside MPI; if it hangs, this process ends after two
  /// seconds.
  private static func endJob(status: Int32, _ endsWithAnyProcess: Bool) -> Never {
    let status = (1...255).contains(status) ? status : ExitStatus.bug
    guard !endsWithAnyProcess else { endProcess(status: status) }
    flushOutput()
    spawnThread {
      sleep(2)
      _exit(status)
    }
    MPI_Abort(cmpi_comm_world(), status)
    _exit(status)
  }

  /// Makes an MPI call under the watchdog.
  @inline(__always)
  func watched(
    _ collective: Collective, _ name: StaticString, _ call: () -> Int32
  ) throws(CommunicationError) {
    callNumber &+= 1
    watchdog?.enter(collective, number: callNumber)
    let status = call()
    watchdog?.leave()
    guard status == MPI_SUCCESS else { throw mpiError(status, "\(name)") }
  }

  /// Waits without MPI, under the watchdog.
  func watchedWait(_ wait: () -> Void) {
    callNumber &+= 1
    watchdog?.enter(.sharedMemory, number: callNumber)
    wait()
    watchdog?.leave()
  }

  /// Makes several MPI calls that the watchdog counts as one.
  func watching<T>(
    _ collective: Collective, _ calls: () throws(CommunicationError) -> T
  ) throws(CommunicationError) -> T {
    callNumber &+= 1
    watchdog?.enter(collective, number: callNumber)
    defer { watchdog?.leave() }
    return try calls()
  }
}

extension MPICommunicator {
  /// Returns the MPI library in use, such as `Open MPI v4.1.4`; works before MPI is started.
  public static func libraryVersion() throws(CommunicationError) -> String {
    var buffer = [CChar](repeating: 0, count: Int(MPI_MAX_LIBRARY_VERSION_STRING))
    var count: Int32 = 0
    try check(MPI_Get_library_version(&buffer, &count), "MPI_Get_library_version")
    let text = String(
      decoding: buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return String(text.prefix { $0 != "," && $0 != "\n" })
  }

  /// Refuses a library of another version, which would share names but not structures.
  private static func checkLibrary() throws(CommunicationError) {
    let found = try libraryVersion()
    let expected = "Open MPI v\(cmpi_header_major_version()).\(cmpi_header_minor_version())."
    guard found.hasPrefix(expected) else {
      throw .libraryDiffers(found: found, expected: String(expected.dropLast()) + ".x")
    }
  }

  /// Makes waiting ranks yield if they outnumber the cores: spinning ones take the core from working ones.
  ///
  /// Without this, 8 ranks on 2 cores took 46 ms for 1 KB; with enough cores for all, yielding makes
  /// the smallest collectives slower (0.5 to 1.0 µs on two ranks). If the launcher does not name the
  /// cores of the job, those of the parent process, its daemon, count, because this process may already
  /// be bound to its own cores.
  private static func yieldIfOversubscribed(_ job: Launcher.Job) {
    guard let ranks = job.countOnHost else { return }
    let own = availableCores().count
    let allowed =
      job.coreCountOnHost ?? max(own, cores(ofProcess: "\(getppid())")?.count ?? own)
    guard ranks > min(allowed, coreQuota() ?? allowed) else { return }
    setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0)
  }

  private static func ranksOnHost(
    rank: Int32, size: Int32, of world: MPI_Comm
  ) throws(CommunicationError) -> [Int] {
    var host: MPI_Comm? = cmpi_comm_null()
    try check(
      MPI_Comm_split_type(
        world, Int32(MPI_COMM_TYPE_SHARED), rank, cmpi_info_null(), &host), "MPI_Comm_split_type")
    guard let host else { return [Int(rank)] }
    var count: Int32 = 0
    try check(MPI_Comm_size(host, &count), "MPI_Comm_size")
    var own = rank
    var ranks = [Int32](repeating: 0, count: Int(count))
    try check(
      MPI_Allgather(&own, 1, cmpi_int32(), &ranks, 1, cmpi_int32(), host), "MPI_Allgather")
    var released: MPI_Comm? = host
    try check(MPI_Comm_free(&released), "MPI_Comm_free")
    return ranks.map { Int($0) }
  }

  /// Gathers bytes of any count; also used before the watchdog starts.
  static func gather(
    _ bytes: [UInt8], size: Int, over world: MPI_Comm
  ) throws(CommunicationError) -> [[UInt8]] {
    var own = Int64(bytes.count)
    var counts = [Int64](repeating: 0, count: size)
    try check(
      MPI_Allgather(&own, 1, cmpi_int64(), &counts, 1, cmpi_int64(), world), "MPI_Allgather")
    let total = counts.reduce(0, +)
    guard total <= Int64(Int32.max) else {
      throw .tooLarge(what: "gathered bytes", count: Int(total), limit: Int(Int32.max))
    }
    let counts32 = counts.map { Int32($0) }
    var offsets: [Int32] = []
    var end: Int32 = 0
    for count in counts32 {
      offsets.append(end)
      end += count
    }
    var joined = [UInt8](repeating: 0, count: Int(total))
    try check(
      MPI_Allgatherv(
        bytes, Int32(bytes.count), cmpi_byte(), &joined, counts32, offsets, cmpi_byte(), world),
      "MPI_Allgatherv of \(total) bytes")
    return zip(offsets, counts32).map { Array(joined[Int($0)..<Int($0 + $1)]) }
  }
}

/// Throws the error in MPI's own words if `status` is not success.
func check(_ status: Int32, _ call: @autoclosure () -> String) throws(CommunicationError) {
  guard status == MPI_SUCCESS else { throw mpiError(status, call()) }
}

/// Returns the error of a failed MPI call, in MPI's own words.
func mpiError(_ status: Int32, _ call: String) -> CommunicationError {
  var buffer = [CChar](repeating: 0, count: Int(MPI_MAX_ERROR_STRING))
  var count: Int32 = 0
  guard MPI_Error_string(status, &buffer, &count) == MPI_SUCCESS else {
    return .mpi(call: call, reason: "error \(status)")
  }
  let text = buffer.prefix(Int(count)).map { UInt8(bitPattern: $0) }
  return .mpi(call: call, reason: String(decoding: text, as: UTF8.self))
}

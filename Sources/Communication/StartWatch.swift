// Detects that MPI does not start because a rank of this host is stopped or gone: MPI_Init waits for
// ever for it. One thread per rank watches until the ranks know each other.

import Glibc

/// The thread that watches the other ranks of the host while MPI starts.
///
/// It cannot ask the ranks for their numbers, so it finds them through the kernel: the processes below
/// the one that started this one, told apart by the variables that launchers set for ranks.
final class StartWatch: Sendable {
  private let job: Launcher.Job
  private let limits: WaitLimits
  private let ranks: LocalRanks?
  private let tick: Duration
  private let isEnded = Flag()

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - job: The launcher's description of the job.
  ///   - limits: The limits on waiting for other ranks.
  init(job: Launcher.Job, limits: WaitLimits) {
    self.job = job
    self.limits = limits
    ranks = LocalRanks()
    // Every rank of a host looks at all of them: the more ranks, the longer the interval.
    let least = Duration.milliseconds(20) * (job.countOnHost ?? 1)
    tick = max(least, .milliseconds(50), min(.seconds(1), limits.stopped / 4))
    spawnThread { [self] in look() }
  }

  /// Ends the thread at its next tick.
  func end() { isEnded.raise() }

  /// The loop of the thread, which counts time in its own wake-ups as ``Watchdog`` does.
  private func look() {
    var ticks = 0
    var lostTicks: [Int: Int] = [:]
    while true {
      usleep(UInt32(tick / .microseconds(1)))
      guard !isEnded.isRaised else { return }
      ticks += 1
      let seen = ranks?.look() ?? LocalRanks.View()
      var lost: [Int: Int] = [:]
      for (rank, process) in seen.processes where process.state == .stopped {
        lost[rank] = (lostTicks[rank] ?? 0) + 1
      }
      for rank in missing(from: seen) { lost[rank] = (lostTicks[rank] ?? 0) + 1 }
      lostTicks = lost
      check(ticks, lostTicks, seen)
    }
  }

  /// Returns the ranks of this host that have ended, as far as they can be named.
  ///
  /// A rank that is still starting has a process without the variables; it counts as present.
  private func missing(from seen: LocalRanks.View) -> [Int] {
    guard let count = job.countOnHost, count == job.processCount, seen.childCount > 0,
      seen.childCount < count
    else { return [] }
    return (0..<count).filter { seen.processes[$0] == nil }
  }

  private func check(_ ticks: Int, _ lostTicks: [Int: Int], _ seen: LocalRanks.View) {
    guard let rank = job.processNumber else { return }
    // One line is enough: the lowest healthy rank prints, the next one only if that one does not.
    let turn = seen.processes.count { $0.key < rank && lostTicks[$0.key] == nil }
    let patience = limits.stopped + min(.milliseconds(1500) * turn, .seconds(6))
    let late = lostTicks.filter { tick * $0.value >= patience }.map(\.key).min()
    if let late {
      let process = seen.processes[late].map { " (pid \($0.pid) on \(currentHostName()))" } ?? ""
      end(
        "rank \(late)\(process) \(process.isEmpty ? "has ended" : "is stopped")", ticks)
    }
    let isHeld = seen.processes.values.contains { $0.state == .held }
    if limits.collective > .zero, !isHeld,
      tick * ticks >= limits.collective + .milliseconds(1500) * min(turn, 4)
    {
      end("not all ranks have come", ticks)
    }
  }

  private func end(_ cause: String, _ ticks: Int) -> Never {
    let size = job.processCount.map { " of \($0)" } ?? ""
    flushOutput()
    writeError(
      "rank \(job.processNumber ?? 0)\(size): \(cause); waited "
        + "\((tick * ticks).components.seconds) s for MPI to start\n")
    // MPI_Abort may not be called before MPI is up.
    _exit(ExitStatus.peerLost)
  }
}

/// The ranks of this host, as the processes below the launcher's own.
struct LocalRanks: Sendable {
  /// A rank: its first process, and the combined state of that process and its descendants.
  struct Process {
    var pid: Int32
    var state: Peer.State
  }

  /// The ranks at one moment.
  struct View {
    var processes: [Int: Process] = [:]
    /// The number of processes that the launcher runs here, including those that are not ranks yet.
    var childCount = 0
  }

  private let namespace: String
  /// The launcher's process on this host.
  private let daemon: Int32

  /// Finds the launcher's process; nil if that process or the job's name is not visible.
  init?() {
    guard let namespace = environmentValue("PMIX_NAMESPACE", of: getpid()) else { return nil }
    self.namespace = namespace
    var parent = getppid()
    // Shells and debuggers of the same rank may stand between it and this process.
    while parent > 1, environmentValue("PMIX_NAMESPACE", of: parent) == namespace {
      guard let next = ProcessStat(ofProcess: parent)?.parent else { return nil }
      parent = next
    }
    guard parent > 1 else { return nil }
    daemon = parent
  }

  /// Returns the current state of all ranks.
  ///
  /// - Complexity: three small files of /proc per process.
  func look() -> View {
    var view = View()
    for child in children(of: daemon) {
      guard let stat = ProcessStat(ofProcess: child), stat.peerState != .ended else { continue }
      view.childCount += 1
      guard environmentValue("PMIX_NAMESPACE", of: child) == namespace,
        let rank = environmentValue("PMIX_RANK", of: child).flatMap({ Int($0) })
      else { continue }
      view.processes[rank] = Process(pid: child, state: state(of: child, depth: 0))
    }
    return view
  }

  /// Returns `held` if any process of the tree is held, else `stopped` if any is stopped.
  private func state(of pid: Int32, depth: Int) -> Peer.State {
    let own = ProcessStat(ofProcess: pid)?.peerState ?? .running
    guard depth < 8, own != .held else { return own }
    let below = children(of: pid).map { state(of: $0, depth: depth + 1) }
    if below.contains(.held) { return .held }
    return own == .stopped || below.contains(.stopped) ? .stopped : .running
  }
}

/// Returns the children of a process that it has not yet waited for.
private func children(of pid: Int32) -> [Int32] {
  let text = contents(ofFile: "/proc/\(pid)/task/\(pid)/children") ?? ""
  return text.split(separator: " ").compactMap { Int32($0) }
}

/// Returns the value of a variable in the environment that a process was started with.
private func environmentValue(_ name: String, of pid: Int32) -> String? {
  let prefix = name + "="
  let entries = contents(ofFile: "/proc/\(pid)/environ")?.utf8.split(separator: 0) ?? []
  guard let entry = entries.first(where: { $0.starts(with: prefix.utf8) }) else { return nil }
  return String(Substring(entry).dropFirst(prefix.count))
}

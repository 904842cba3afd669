// Detects that this rank waits for one that will never come: MPI waits for ever for a stopped rank. One
// thread per rank watches while the main thread is inside a collective.

import Glibc
import Synchronization

/// The limits on the time that ranks wait for each other.
public struct WaitLimits: Sendable {
  /// The time a rank of the same host may stay stopped or ended while others wait for it.
  public var stopped: Duration
  /// The time one collective may take if some ranks cannot be observed, such as those of other hosts;
  /// zero for no limit.
  public var collective: Duration

  /// Makes limits.
  public init(stopped: Duration = .seconds(10), collective: Duration = .seconds(600)) {
    self.stopped = stopped
    self.collective = collective
  }
}

/// The kind of call in which the main thread waits.
enum Collective: UInt64 {
  case barrier = 1
  case broadcast, allgather, allreduce, exchange, agreement, sharedMemory, finish

  var name: String { self == .sharedMemory ? "shared memory" : "\(self)" }
}

/// The watching thread, and the state it shares with the main thread.
final class Watchdog: Sendable {
  /// The number of the current collective times 256 plus its kind, or 0 outside of one.
  ///
  /// Written only by the main thread, twice per collective: the whole cost on the hot path.
  private let current = Atomic<UInt64>(0)
  private let isEnded = Flag()

  private let rank: Int
  private let size: Int
  private let peers: [Peer]
  private let limits: WaitLimits
  private let tick: Duration
  private let endJob: @Sendable (Int32) -> Never

  /// Starts the thread.
  ///
  /// - Parameters:
  ///   - rank: This rank.
  ///   - size: The number of ranks.
  ///   - peers: The other ranks that this rank can observe, ascending.
  ///   - limits: The limits on waiting.
  ///   - end: Ends the job with a status.
  init(
    rank: Int, size: Int, peers: [Peer], limits: WaitLimits,
    ending end: @escaping @Sendable (Int32) -> Never
  ) {
    self.rank = rank
    self.size = size
    self.peers = peers
    self.limits = limits
    endJob = end
    tick = max(.milliseconds(50), min(.seconds(1), limits.stopped / 4))
    spawnThread { [self] in look() }
  }

  /// Records that the main thread enters a collective.
  ///
  /// - Parameters:
  ///   - collective: Its kind.
  ///   - number: A number unique among the collectives of this rank.
  @inline(__always)
  func enter(_ collective: Collective, number: UInt64) {
    current.store(number << 8 | collective.rawValue, ordering: .relaxed)
  }

  /// Records that the main thread has left the collective.
  @inline(__always)
  func leave() { current.store(0, ordering: .relaxed) }

  /// Ends the thread at its next tick.
  func end() { isEnded.raise() }

  /// The loop of the thread.
  ///
  /// Counts time in its own wake-ups, not by the clock: when the whole job is suspended and continued,
  /// as by Ctrl-Z, this thread is suspended too and no rank counts as late.
  private func look() {
    var last: UInt64 = 0
    var waitedTicks = 0
    var lostTicks = [Int](repeating: 0, count: peers.count)
    while !isEnded.isRaised {
      usleep(UInt32(tick / .microseconds(1)))
      let now = current.load(ordering: .relaxed)
      guard now != 0, now == last else {
        last = now
        waitedTicks = 0
        for i in lostTicks.indices { lostTicks[i] = 0 }
        continue
      }
      waitedTicks += 1
      guard let collective = Collective(rawValue: now & 0xff) else { continue }
      let states = peers.map { $0.state() }
      for (i, state) in states.enumerated() {
        lostTicks[i] = isLost(state, in: collective) ? lostTicks[i] + 1 : 0
      }
      check(collective, waitedTicks, lostTicks, states)
    }
  }

  /// Indicates whether a rank is lost; one that has ended is not if the job is finishing anyway.
  private func isLost(_ state: Peer.State, in collective: Collective) -> Bool {
    switch state {
    case .running, .held: false
    case .stopped: true
    case .ended: collective != .finish
    }
  }

  private func check(
    _ collective: Collective, _ waitedTicks: Int, _ lostTicks: [Int], _ states: [Peer.State]
  ) {
    // One line is enough: the lowest healthy rank prints, the next one only if that one does not.
    let turn = zip(peers, lostTicks).count { $0.rank < rank && $1 == 0 }
    let patience = limits.stopped + min(.milliseconds(1500) * turn, .seconds(6))
    if let i = lostTicks.firstIndex(where: { $0 > 0 && tick * $0 >= patience }) {
      let peer = peers[i]
      end(
        "rank \(peer.rank) (pid \(peer.pid) on \(peer.hostName)) "
          + (states[i] == .ended ? "has ended" : "is stopped")
          + "; waited \((tick * waitedTicks).components.seconds) s for it in \(collective.name)")
    }
    let hasUnseen = peers.count < size - 1
    if hasUnseen, limits.collective > .zero, !states.contains(.held),
      tick * waitedTicks >= limits.collective + .milliseconds(1500) * min(turn, 4)
    {
      end(
        "waited \((tick * waitedTicks).components.seconds) s in \(collective.name) for ranks "
          + "outside this host or container")
    }
  }

  private func end(_ message: String) -> Never {
    // Flush earlier output first, so that this line comes last.
    flushOutput()
    writeError("rank \(rank) of \(size): \(message)\n")
    endJob(ExitStatus.peerLost)
  }
}

/// A Boolean that goes from false to true once, from any thread.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)
  var isRaised: Bool { value.load(ordering: .acquiring) }
  func raise() { value.store(true, ordering: .releasing) }
}

/// Writes to standard error without the C library's buffers and locks.
func writeError(_ text: String) {
  let bytes = Array(text.utf8)
  var written = 0
  while written < bytes.count {
    let count = bytes.withUnsafeBytes { raw -> Int in
      write(STDERR_FILENO, raw.baseAddress.map { $0 + written }, bytes.count - written)
    }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { return }
    written += count
  }
}

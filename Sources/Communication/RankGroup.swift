// The ranks of a job in groups that share memory, and the barrier among the ranks of one.

import CLinux
import Glibc
import Synchronization

/// The partition of the ranks into groups that share memory, and this rank's own group.
///
/// A group consists of ranks of one host that can map each other's memory. A rank by itself is a group
/// too, so code above needs no special case.
public final class RankGroup {
  /// All groups of the job, each ascending, by their first rank; the same on all ranks.
  public let groups: [[Int]]
  /// The number of this rank's group.
  public let index: Int
  /// The number of this rank within its group, in `0..<members.count`.
  public let localRank: Int
  /// The ranks of this rank's group, ascending.
  public var members: [Int] { groups[index] }
  /// Indicates whether this rank is the first of its group.
  public var isLeader: Bool { localRank == 0 }
  /// Indicates whether all ranks of the job are in one group.
  public var isWholeJob: Bool { groups.count == 1 }

  private let communicator: any Communicator
  private let memory: SharedMemory
  private let gate: UnsafeMutablePointer<Gate>
  private let spins: Int

  /// The state of the barrier, in the memory of the group's first rank.
  private struct Gate: ~Copyable {
    /// The number of barriers passed.
    let generation = Atomic<UInt32>(0)
    let arrived = Atomic<UInt32>(0)
    let sleeping = Atomic<UInt32>(0)
  }

  /// Finds the groups of a job.
  ///
  /// Collective. Ranks of one host that cannot map each other's memory, as in containers of their own,
  /// become groups of one rank each.
  ///
  /// - Parameters:
  ///   - communicator: All ranks of the job.
  ///   - limit: The maximum number of ranks in a group; nil for all of a host.
  /// - Throws: ``CommunicationError``.
  public init(
    _ communicator: any Communicator, limit: Int? = nil
  ) throws(CommunicationError) {
    self.communicator = communicator
    let rank = communicator.rank
    var own = communicator.ranksSharingMemory(limit: limit)
    var memory = try SharedMemory.ifPossible(
      byteCount: MemoryLayout<Gate>.size, members: own, communicator: communicator)
    let canShare = try communicator.allgather([memory == nil ? 0 : 1])
    if canShare.contains([0]) {
      // Repeated on all ranks, because it is collective.
      if memory == nil { own = [rank] }
      memory = try SharedMemory(
        byteCount: MemoryLayout<Gate>.size, members: own, communicator: communicator)
    }
    guard let memory, let base = memory.segments[0].baseAddress else {
      throw .mpi(call: "shared memory", reason: "nothing was mapped")
    }
    self.memory = memory
    gate = base.bindMemory(to: Gate.self, capacity: 1)
    let all = try communicator.allgather(values: own)
    groups = all.enumerated().filter { $0.element.first == $0.offset }.map(\.element)
    index = groups.firstIndex { $0.contains(rank) } ?? 0
    localRank = own.firstIndex(of: rank) ?? 0
    // A rank without a core of its own would take it from ranks that work.
    spins = communicator.placement.isOversubscribed ? 0 : 20_000
  }

  /// Returns memory to which every rank of the group contributes a segment of zeros.
  ///
  /// Collective over all ranks of the job.
  ///
  /// - Parameter byteCount: The size of this rank's segment; ranks may differ.
  /// - Returns: The memory, mapped on this rank.
  /// - Throws: ``CommunicationError/failed(_:)`` if a rank cannot get the memory.
  public func allocate(byteCount: Int) throws(CommunicationError) -> SharedMemory {
    try SharedMemory(byteCount: byteCount, members: members, communicator: communicator)
  }

  /// Returns when all ranks of the group have called it; their earlier writes are visible then.
  ///
  /// - Complexity: below a microsecond, plus the waiting, if no rank sleeps; no allocation.
  public func barrier() {
    guard members.count > 1 else { return }
    let generation = gate.pointee.generation.load(ordering: .acquiring)
    let arrived = gate.pointee.arrived.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
    if arrived == UInt32(members.count) {
      gate.pointee.arrived.store(0, ordering: .relaxed)
      gate.pointee.generation.store(generation &+ 1, ordering: .sequentiallyConsistent)
      // A rank announces that it sleeps before it checks the generation for the last time.
      if gate.pointee.sleeping.load(ordering: .sequentiallyConsistent) > 0 {
        clinux_futex_wake_all(gate)
      }
      return
    }
    for _ in 0..<spins {
      if gate.pointee.generation.load(ordering: .acquiring) != generation { return }
      clinux_spin_hint()
    }
    communicator.watchWait {
      gate.pointee.sleeping.wrappingAdd(1, ordering: .sequentiallyConsistent)
      while gate.pointee.generation.load(ordering: .sequentiallyConsistent) == generation {
        clinux_futex_wait(gate, generation)
      }
      gate.pointee.sleeping.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
  }

  /// Waits until another rank of the group makes `condition` true.
  ///
  /// - Parameter condition: Reads memory of the group; called repeatedly.
  public func wait(until condition: () -> Bool) {
    for _ in 0..<spins {
      if condition() { return }
      clinux_spin_hint()
    }
    communicator.watchWait {
      while !condition() { sched_yield() }
    }
  }
}

extension Communicator {
  /// Returns the ranks of this host that should share memory with this rank, itself among them.
  ///
  /// - Parameter limit: The maximum number of ranks that share; nil for all of the host.
  /// - Returns: The ranks, ascending.
  public func ranksSharingMemory(limit: Int?) -> [Int] {
    let onHost = placement.ranksOnHost
    let limit = max(limit ?? onHost.count, 1)
    let start = (onHost.firstIndex(of: rank) ?? 0) / limit * limit
    return Array(onHost[start..<min(start + limit, onHost.count)])
  }
}

// Memory that all ranks of a group read and write in place.

import CLinux
import Glibc

/// Memory to which every rank of a group contributes a segment; each rank maps all segments.
///
/// A segment is an anonymous file in memory: the system frees it with the last process that maps it,
/// however that process ends, and the limit of /dev/shm, often 64 MB in containers, does not apply. It
/// starts as zeros and takes memory only where it was written. Only ``RankGroup/barrier()`` synchronises.
public final class SharedMemory {
  /// The segment of each rank of the group, by local rank.
  public let segments: [UnsafeMutableRawBufferPointer]

  /// Maps the segments of all ranks of a group.
  ///
  /// Collective over all ranks of the job, also those of other groups.
  ///
  /// - Parameters:
  ///   - byteCount: The size of this rank's segment; ranks may differ.
  ///   - members: The ranks of the group, this one among them.
  ///   - communicator: All ranks of the job.
  /// - Throws: ``CommunicationError/failed(_:)`` if a segment cannot be made or mapped on some rank.
  convenience init(
    byteCount: Int, members: [Int], communicator: any Communicator
  ) throws(CommunicationError) {
    try self.init(
      byteCount: byteCount, members: members, communicator: communicator, agreeing: true)
  }

  /// Maps the segments; returns nil on all ranks of a group if one of them cannot map them.
  static func ifPossible(
    byteCount: Int, members: [Int], communicator: any Communicator
  ) throws(CommunicationError) -> SharedMemory? {
    let memory = try SharedMemory(
      byteCount: byteCount, members: members, communicator: communicator, agreeing: false)
    return memory.isWhole ? memory : nil
  }

  /// Indicates whether every rank of the group has mapped all segments.
  private let isWhole: Bool

  private init(
    byteCount: Int, members: [Int], communicator: any Communicator, agreeing: Bool
  ) throws(CommunicationError) {
    let isAlone = members.count == 1
    var file: SharedFile?
    var failure: (any Error)?
    if !isAlone {
      do { file = try SharedFile(byteCount: byteCount, in: .memory) } catch { failure = error }
    }
    // The file stays open until all ranks have opened it.
    defer { withExtendedLifetime(file) {} }
    let all = try communicator.allgather(file?.introduction.sent ?? [])
    var segments: [UnsafeMutableRawBufferPointer] = []
    for member in members where failure == nil {
      do {
        if isAlone {
          segments.append(try SharedFile.mapPrivately(byteCount: byteCount))
        } else if member == communicator.rank, let file {
          segments.append(try file.map())
        } else if let introduction = SharedRegion.Introduction(sent: all[member]) {
          segments.append(try SharedFile(opening: introduction).map())
        } else {
          throw SharedFile.Failure("memfd_create of rank \(member)", ENOMEM)
        }
      } catch {
        failure = error
      }
    }
    self.segments = segments
    if agreeing {
      isWhole = true
      let failure = failure
      try communicator.agreeingOnFailure { if let failure { throw failure } }
    } else {
      let failed = try communicator.allgather([failure == nil ? 0 : 1])
      isWhole = members.allSatisfy { failed[$0] == [0] }
    }
  }

  deinit {
    for segment in segments { munmap(segment.baseAddress, segment.count) }
  }

  /// Returns the memory of the whole pages within a part of a segment to the system; they read as zeros then.
  ///
  /// - Parameter part: A part of a segment that no rank uses.
  public func release(_ part: UnsafeMutableRawBufferPointer) {
    guard let start = part.baseAddress else { return }
    let pageSize = sysconf(Int32(_SC_PAGESIZE))
    let first = SharedFile.roundedUpToPages(Int(bitPattern: start))
    let end = (Int(bitPattern: start) + part.count) / pageSize * pageSize
    guard first < end, let address = UnsafeMutableRawPointer(bitPattern: first) else { return }
    // A private segment has no file to remove pages from; discarding them has the same effect.
    if madvise(address, end - first, MADV_REMOVE) != 0 {
      madvise(address, end - first, MADV_DONTNEED)
    }
  }
}

// Memory of one rank that the other ranks of its group read and write in place.

import CLinux
import Glibc

/// Memory to which every rank of a group has contributed a segment; all of it is mapped on each of them.
///
/// A segment is a file in memory alone: it ends with the last process that maps it, however that ends,
/// and the limit of /dev/shm, often 64 MB in containers, does not apply. It starts as zeros and takes
/// memory only where it was written. Nothing is synchronised but by ``RankGroup/barrier()``.
public final class SharedMemory {
  /// Why a segment could not be shared.
  struct Failure: Error, CustomStringConvertible, ExitStatusProviding {
    let call: String
    let code: Int32

    var description: String { "shared memory: \(call): \(String(cString: strerror(code)))" }
    var exitStatus: Int32 { ExitStatus.inputOutput }
  }

  /// The segment of each rank of the group, by its place there.
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

  /// Maps the segments, or returns nil on all ranks of a group where one of them cannot.
  static func ifPossible(
    byteCount: Int, members: [Int], communicator: any Communicator
  ) throws(CommunicationError) -> SharedMemory? {
    let memory = try SharedMemory(
      byteCount: byteCount, members: members, communicator: communicator, agreeing: false)
    return memory.isWhole ? memory : nil
  }

  /// Whether every rank of the group has mapped all segments.
  private let isWhole: Bool

  private init(
    byteCount: Int, members: [Int], communicator: any Communicator, agreeing: Bool
  ) throws(CommunicationError) {
    // Of nothing no map can be made.
    let pageSize = sysconf(Int32(_SC_PAGESIZE))
    let ownCount = (max(byteCount, 1) + pageSize - 1) / pageSize * pageSize
    var ownFile: Int32 = -1
    var failure: (any Error)?
    if members.count > 1 {
      do { ownFile = try SharedMemory.makeFile(byteCount: ownCount) } catch { failure = error }
    }
    defer { if ownFile >= 0 { close(ownFile) } }
    let own = [Int64(getpid()), Int64(ownFile), Int64(ownCount)]
    let all = try communicator.allgather(own.withUnsafeBytes { Array($0) })
    var segments: [UnsafeMutableRawBufferPointer] = []
    for member in members where failure == nil {
      let introduction = all[member].withUnsafeBytes { raw in
        (0..<3).map { raw.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self) }
      }
      do {
        segments.append(
          try SharedMemory.map(
            process: introduction[0], file: introduction[1], byteCount: Int(introduction[2]),
            isPrivate: members.count == 1, isOwn: member == communicator.rank, ownFile: ownFile))
      } catch {
        failure = error
      }
    }
    self.segments = segments
    // Also makes every rank keep its file open until all have mapped it.
    if agreeing {
      isWhole = true
      let failure = failure
      try communicator.together { if let failure { throw failure } }
    } else {
      let failed = try communicator.allgather([failure == nil ? 0 : 1])
      isWhole = members.allSatisfy { failed[$0] == [0] }
    }
  }

  deinit {
    for segment in segments { munmap(segment.baseAddress, segment.count) }
  }

  /// Lets go of the memory behind whole pages of a part of a segment, which is zeros then.
  ///
  /// - Parameter part: Within a segment; no rank uses it.
  public func release(_ part: UnsafeMutableRawBufferPointer) {
    guard let start = part.baseAddress else { return }
    let pageSize = sysconf(Int32(_SC_PAGESIZE))
    let first = (Int(bitPattern: start) + pageSize - 1) / pageSize * pageSize
    let end = (Int(bitPattern: start) + part.count) / pageSize * pageSize
    guard first < end, let address = UnsafeMutableRawPointer(bitPattern: first) else { return }
    // A private segment has no file to remove pages from; it forgets them as well.
    if madvise(address, end - first, MADV_REMOVE) != 0 {
      madvise(address, end - first, MADV_DONTNEED)
    }
  }

  private static func makeFile(byteCount: Int) throws -> Int32 {
    let file = clinux_memory_file("nndist")
    guard file >= 0 else { throw Failure(call: "memfd_create", code: errno) }
    guard ftruncate(file, byteCount) == 0 else {
      let code = errno
      close(file)
      throw Failure(call: "ftruncate to \(byteCount) bytes", code: code)
    }
    return file
  }

  private static func map(
    process: Int64, file: Int64, byteCount: Int, isPrivate: Bool, isOwn: Bool, ownFile: Int32
  ) throws -> UnsafeMutableRawBufferPointer {
    var descriptor = ownFile
    if !isOwn {
      guard file >= 0 else { throw Failure(call: "memfd_create of a peer", code: ENOMEM) }
      let path = "/proc/\(process)/fd/\(file)"
      descriptor = open(path, O_RDWR | O_CLOEXEC)
      guard descriptor >= 0 else { throw Failure(call: "open \(path)", code: errno) }
    }
    defer { if !isOwn { close(descriptor) } }
    let kind = isPrivate ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED
    let address = mmap(
      nil, byteCount, PROT_READ | PROT_WRITE, kind, isPrivate ? -1 : descriptor, 0)
    guard let address, address != MAP_FAILED else {
      throw Failure(call: "mmap of \(byteCount) bytes", code: errno)
    }
    // Large vectors in small pages cost address translation; where this is refused nothing is lost.
    let hugePage = 1 << 21
    if byteCount >= hugePage { madvise(address, byteCount, MADV_HUGEPAGE) }
    return UnsafeMutableRawBufferPointer(start: address, count: byteCount)
  }
}

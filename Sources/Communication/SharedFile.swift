// Files that several processes map, and how the others find them.

import CLinux
import Glibc

/// A file whose bytes several processes map.
///
/// A file in memory alone is found through the process that holds it open; a file in a folder by its name,
/// which is removed once all have opened it. Either ends with the last process that maps it. Behind the
/// shared bytes stands a token: the same path may lead a process of another container to another file.
final class SharedFile {
  /// Why a file could not be shared.
  struct Failure: Error, CustomStringConvertible, ExitStatusProviding {
    let call: String
    let code: Int32

    init(_ call: String, _ code: Int32 = errno) { (self.call, self.code) = (call, code) }

    var description: String { "shared memory: \(call): \(String(cString: strerror(code)))" }
    var exitStatus: Int32 { ExitStatus.inputOutput }
  }

  /// For the processes that are to open it.
  let introduction: SharedRegion.Introduction
  private let descriptor: Int32
  private let isNamed: Bool

  /// Makes a file of zeros, a whole number of pages.
  ///
  /// - Parameters:
  ///   - byteCount: The least number of bytes to share.
  ///   - place: Where it lies.
  /// - Throws: ``Failure``.
  init(byteCount: Int, in place: SharedRegion.Place) throws(Failure) {
    let token = [UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max)]
    let byteCount = SharedFile.wholePages(byteCount)
    let path: String
    switch place {
    case .memory:
      descriptor = clinux_memory_file("nndist")
      guard descriptor >= 0 else { throw Failure("memfd_create") }
      path = "/proc/\(getpid())/fd/\(descriptor)"
      isNamed = false
    case .folder(let folder):
      var name = "\(folder)/nndist-XXXXXX".utf8CString.map { $0 }
      descriptor = mkstemp(&name)
      guard descriptor >= 0 else { throw Failure("a file in \(folder)") }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      isNamed = true
    }
    introduction = SharedRegion.Introduction(path: path, byteCount: byteCount, token: token)
    let written = token.withUnsafeBytes {
      pwrite(descriptor, $0.baseAddress, $0.count, off_t(byteCount))
    }
    guard written == 8 * token.count else {
      throw Failure("a file of \(byteCount) bytes", written < 0 ? errno : ENOSPC)
    }
  }

  /// Opens the file of another process.
  ///
  /// - Parameters:
  ///   - introduction: From the process that made it.
  ///   - isReadOnly: Whether its bytes are only read.
  /// - Throws: ``Failure``, also if the path leads to another file here.
  init(opening introduction: SharedRegion.Introduction, isReadOnly: Bool = false) throws(Failure) {
    isNamed = false
    self.introduction = introduction
    // Another file of that path may be anything, such as a pipe that nobody writes to.
    let mode = (isReadOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    descriptor = open(introduction.path, mode)
    guard descriptor >= 0 else { throw Failure("open \(introduction.path)") }
    var token = [UInt64](repeating: 0, count: introduction.token.count)
    let count = token.withUnsafeMutableBytes {
      pread(descriptor, $0.baseAddress, $0.count, off_t(introduction.byteCount))
    }
    guard count == 8 * token.count, token == introduction.token else {
      throw Failure("\(introduction.path) is another file here", ENOENT)
    }
  }

  deinit {
    if isNamed { unlink(introduction.path) }
    close(descriptor)
  }

  /// Takes the memory or the space of all bytes now; without it a process ends by a signal where it first
  /// writes to bytes for which there is none.
  ///
  /// - Throws: ``Failure`` where there is not enough.
  /// - Complexity: O(pages).
  func reserve() throws(Failure) {
    var code: Int32
    repeat {
      code = posix_fallocate(descriptor, 0, off_t(introduction.byteCount))
    } while code == EINTR
    guard code == 0 else { throw Failure("\(introduction.byteCount) bytes", code) }
  }

  /// Maps the bytes.
  ///
  /// - Parameter isReadOnly: Whether they are only read.
  /// - Returns: The mapping, which the caller ends.
  /// - Throws: ``Failure``.
  func map(isReadOnly: Bool = false) throws(Failure) -> UnsafeMutableRawBufferPointer {
    let protection = isReadOnly ? PROT_READ : PROT_READ | PROT_WRITE
    return try SharedFile.map(introduction.byteCount, protection, MAP_SHARED, descriptor)
  }

  /// Maps memory of this process alone, of zeros.
  static func mapPrivately(
    byteCount: Int
  ) throws(Failure) -> UnsafeMutableRawBufferPointer {
    try map(wholePages(byteCount), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1)
  }

  private static func map(
    _ byteCount: Int, _ protection: Int32, _ kind: Int32, _ descriptor: Int32
  ) throws(Failure) -> UnsafeMutableRawBufferPointer {
    let address = mmap(nil, byteCount, protection, kind, descriptor, 0)
    guard let address, address != MAP_FAILED else { throw Failure("mmap of \(byteCount) bytes") }
    // Large vectors in small pages cost address translation; where this is refused nothing is lost.
    let hugePage = 1 << 21
    if byteCount >= hugePage { madvise(address, byteCount, MADV_HUGEPAGE) }
    return UnsafeMutableRawBufferPointer(start: address, count: byteCount)
  }

  /// Of nothing no map can be made.
  private static func wholePages(_ byteCount: Int) -> Int {
    let pageSize = sysconf(Int32(_SC_PAGESIZE))
    return (max(byteCount, 1) + pageSize - 1) / pageSize * pageSize
  }
}

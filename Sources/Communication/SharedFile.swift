// Files that several processes map, and the paths by which they find them.

import CLinux
import Glibc

/// A file whose bytes several processes map.
///
/// A file in memory is found through the process that holds it open; a file in a folder by its name, which
/// is removed once all have opened it. The system frees either with the last process that maps it. A token
/// follows the shared bytes: in another container, the same path may lead to another file.
final class SharedFile {
  /// The reason why a file could not be shared.
  struct Failure: Error, CustomStringConvertible, ExitStatusProviding {
    let call: String
    let code: Int32

    init(_ call: String, _ code: Int32 = errno) { (self.call, self.code) = (call, code) }

    var description: String { "shared memory: \(call): \(String(cString: strerror(code)))" }
    var exitStatus: Int32 { ExitStatus.inputOutput }
  }

  /// The data with which other processes open the file.
  let introduction: SharedRegion.Introduction
  private let descriptor: Int32
  private let isNamed: Bool

  /// Makes a file of zeros, a whole number of pages.
  ///
  /// - Parameters:
  ///   - byteCount: The minimum number of bytes to share.
  ///   - storage: The storage.
  /// - Throws: ``Failure``.
  init(byteCount: Int, in storage: SharedRegion.Storage) throws(Failure) {
    let token = [UInt64.random(in: 0...UInt64.max), UInt64.random(in: 0...UInt64.max)]
    let byteCount = SharedFile.roundedUpToPages(max(byteCount, 1))
    let path: String
    switch storage {
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
  ///   - isReadOnly: True to open it for reading only.
  /// - Throws: ``Failure``, also if the path leads to another file here.
  init(opening introduction: SharedRegion.Introduction, isReadOnly: Bool = false) throws(Failure) {
    isNamed = false
    self.introduction = introduction
    // A foreign file at that path may be anything, such as a pipe without a writer.
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

  /// Reserves the memory or disk space of all bytes now; otherwise a signal ends the process at the first
  /// write for which no space is left.
  ///
  /// - Throws: ``Failure`` if space is short.
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
  /// - Parameter isReadOnly: True to map them for reading only.
  /// - Returns: The mapping, which the caller unmaps.
  /// - Throws: ``Failure``.
  func map(isReadOnly: Bool = false) throws(Failure) -> UnsafeMutableRawBufferPointer {
    let protection = isReadOnly ? PROT_READ : PROT_READ | PROT_WRITE
    return try SharedFile.map(introduction.byteCount, protection, MAP_SHARED, descriptor)
  }

  /// Maps private memory of zeros.
  static func mapPrivately(
    byteCount: Int
  ) throws(Failure) -> UnsafeMutableRawBufferPointer {
    try map(
      roundedUpToPages(max(byteCount, 1)), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1)
  }

  private static func map(
    _ byteCount: Int, _ protection: Int32, _ kind: Int32, _ descriptor: Int32
  ) throws(Failure) -> UnsafeMutableRawBufferPointer {
    let address = mmap(nil, byteCount, protection, kind, descriptor, 0)
    guard let address, address != MAP_FAILED else { throw Failure("mmap of \(byteCount) bytes") }
    // Small pages make address translation expensive for large vectors; a refusal does no harm.
    let hugePage = 1 << 21
    if byteCount >= hugePage { madvise(address, byteCount, MADV_HUGEPAGE) }
    return UnsafeMutableRawBufferPointer(start: address, count: byteCount)
  }

  /// Rounds a byte count or address up to whole pages.
  static func roundedUpToPages(_ number: Int) -> Int {
    let pageSize = sysconf(Int32(_SC_PAGESIZE))
    return (number + pageSize - 1) / pageSize * pageSize
  }
}

// One open file: every return of the system is checked, calls cut short are gone on with.

import Glibc

/// An open file that is closed when the last reference to it goes.
public final class Descriptor {
  /// The path it was opened by, for errors.
  public let path: String
  private let number: Int32

  /// How a file is opened.
  public enum Mode: Sendable {
    /// An existing file, to read.
    case read
    /// A new or emptied file, to write.
    case replace
    /// An existing or new file, to write at its end; it may be cut and locked too.
    case append
  }

  /// Opens a file; it is not handed to child processes.
  ///
  /// - Throws: ``FileError`` with the system's reason.
  public init(_ path: String, _ mode: Mode) throws(FileError) {
    let flags =
      switch mode {
      case .read: O_RDONLY
      case .replace: O_WRONLY | O_CREAT | O_TRUNC
      case .append: O_RDWR | O_CREAT | O_APPEND
      }
    let number = retried { open(path, flags | O_CLOEXEC, 0o666) }
    guard number >= 0 else {
      let use = mode == .read ? "read" : "written to"
      throw FileError(path, expected: "a file that can be \(use)")
    }
    self.path = path
    self.number = number
  }

  deinit { close(number) }

  /// Writes all bytes, however many calls that takes.
  ///
  /// - Throws: ``FileError``, such as on a full disk; some of the bytes may then be in the file.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest)
      let count = retried { Glibc.write(number, piece.baseAddress, piece.count) }
      // A call that writes nothing and reports nothing would be repeated for ever.
      guard count > 0 else {
        let code = count < 0 ? errno : EIO
        throw FileError(path, expected: "to write \(bytes.count) bytes", code: code)
      }
      rest = rest.dropFirst(count)
    }
  }

  /// Reads up to `bytes.count` bytes, fewer only at the end of the file.
  ///
  /// - Parameter bytes: Where to put them.
  /// - Returns: How many were read.
  /// - Throws: ``FileError`` with the system's reason, such as that it is a folder.
  public func read(into bytes: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
    var filled = 0
    while filled < bytes.count {
      let start = bytes.baseAddress.map { $0 + filled }
      let count = retried { Glibc.read(number, start, bytes.count - filled) }
      guard count >= 0 else { throw FileError(path, expected: "a file that can be read") }
      if count == 0 { break }
      filled += count
    }
    return filled
  }

  /// The length of the file in bytes.
  public func byteCount() throws(FileError) -> Int {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw FileError(path, expected: "to tell its size") }
    return Int(status.st_size)
  }

  /// Cuts the file to a length.
  public func truncate(toByteCount count: Int) throws(FileError) {
    guard retried({ ftruncate(number, count) }) == 0 else {
      throw FileError(path, expected: "to be cut to \(count) bytes")
    }
  }

  /// Returns when what was written is on the disk.
  public func sync() throws(FileError) {
    guard retried({ fsync(number) }) == 0 else {
      throw FileError(path, expected: "to reach the disk")
    }
  }

  /// Takes the exclusive lock of the file without waiting; the system frees it when the process ends,
  /// however it ends.
  ///
  /// - Returns: Whether the lock was free.
  /// - Throws: ``FileError`` if the file system has no locks.
  public func lock() throws(FileError) -> Bool {
    if retried({ flock(number, LOCK_EX | LOCK_NB) }) == 0 { return true }
    guard errno == EWOULDBLOCK else { throw FileError(path, expected: "a file that can be locked") }
    return false
  }
}

/// Repeats a call that a signal cut short.
private func retried<Number: SignedInteger>(_ call: () -> Number) -> Number {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}

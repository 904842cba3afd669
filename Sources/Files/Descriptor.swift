// One open file: every system call is checked, and interrupted calls are continued.

import Glibc

/// An open regular file, closed when the last reference to it is released.
///
/// FIFOs, devices, sockets and folders are refused at once, by name: opening or reading them may wait for ever.
public final class Descriptor {
  /// The path that it was opened by, for errors.
  public let path: String
  /// The system's number of the open file; -1 once it is closed.
  private var number: Int32
  private var isLocked = false

  /// The mode in which a file is opened.
  public enum Mode: Sendable {
    /// Opens an existing file for reading; links are followed.
    case read
    /// Creates a file for writing; it must not exist yet.
    case create
    /// Opens or creates a file for writing at its end, also for reading, cutting and locking; links are refused.
    case append
  }

  /// Opens a file; child processes do not inherit it.
  ///
  /// - Throws: ``FileError`` with the system's reason, or with the kind of file if it is not a regular one.
  public convenience init(_ path: String, _ mode: Mode) throws(FileError) {
    try self.init(path, in: AT_FDCWD, path: path, mode)
  }

  /// Opens `name` in the folder with the given number.
  init(_ name: String, in folder: Int32, path: String, _ mode: Mode) throws(FileError) {
    let flags =
      switch mode {
      case .read: O_RDONLY
      case .create: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
      case .append: O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW
      }
    let expected = mode == .read ? "a file that can be read" : "a file that can be written to"
    // Without O_NONBLOCK, opening a FIFO waits for its other end; on regular files it has no effect.
    let number = retried { openat(folder, name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0o666) }
    guard number >= 0 else {
      let isLink = errno == ELOOP && mode != .read
      throw isLink
        ? FileError(path, found: "is a symbolic link", expected: expected)
        : FileError(path, expected: expected)
    }
    self.path = path
    self.number = number
    let status = try self.status()
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw FileError(path, expected: expected, code: EISDIR)
    case S_IFIFO: throw FileError(path, found: "is a FIFO", expected: expected)
    default: throw FileError(path, found: "is not a regular file", expected: expected)
    }
  }

  deinit {
    guard number >= 0 else { return }
    // A child that has been forked but does not run its program yet also holds the file, and with it the lock.
    if isLocked { flock(number, LOCK_UN) }
    Glibc.close(number)
  }

  /// Writes all bytes, in as many calls as needed.
  ///
  /// - Throws: ``FileError``, such as on a full disk; some of the bytes may then be in the file.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest)
      let count = retried { Glibc.write(number, piece.baseAddress, piece.count) }
      // A call that writes nothing and reports no error would be repeated for ever.
      guard count > 0 else {
        let code = count < 0 ? errno : EIO
        throw FileError(path, expected: "to write \(bytes.count) bytes", code: code)
      }
      rest = rest.dropFirst(count)
    }
  }

  /// Writes a text.
  ///
  /// - Throws: ``FileError``, such as on a full disk.
  public func write(_ text: String) throws(FileError) {
    let bytes = Array(text.utf8)
    try bytes.withUnsafeBufferPointer { (bytes) throws(FileError) in
      try write(UnsafeRawBufferPointer(bytes))
    }
  }

  /// Reads up to `bytes.count` bytes, fewer only at the end of the file.
  ///
  /// - Parameter bytes: The memory to fill.
  /// - Returns: The number of bytes read.
  /// - Throws: ``FileError`` with the system's reason.
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

  /// Reads the rest of the file.
  ///
  /// - Parameter limit: The maximum size of the file in bytes.
  /// - Returns: Its bytes.
  /// - Throws: ``FileError``, with `EFBIG` if the file is larger.
  /// - Complexity: O(bytes), one copy.
  public func readAll(limit: Int = Int.max) throws(FileError) -> [UInt8] {
    let byteCount = try byteCount()
    guard byteCount <= limit else {
      throw FileError(path, expected: "at most \(limit) bytes", code: EFBIG)
    }
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      do throws(FileError) {
        count = try read(into: UnsafeMutableRawBufferPointer(buffer))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Returns the length of the file in bytes.
  public func byteCount() throws(FileError) -> Int { Int(try status().st_size) }

  /// Returns the number of names that the file has: several with hard links, none once it is removed.
  public func nameCount() throws(FileError) -> Int { Int(try status().st_nlink) }

  /// Cuts the file to a length.
  public func truncate(toByteCount count: Int) throws(FileError) {
    guard retried({ ftruncate(number, count) }) == 0 else {
      throw FileError(path, expected: "to be cut to \(count) bytes")
    }
  }

  /// Returns when all written bytes are on the disk.
  public func sync() throws(FileError) {
    guard retried({ fsync(number) }) == 0 else {
      throw FileError(path, expected: "to reach the disk")
    }
  }

  /// Closes the file; some file systems report only here that written bytes are lost.
  ///
  /// Nothing else may be called afterwards.
  public func close() throws(FileError) {
    let number = number
    self.number = -1
    // An interrupted close has closed the file all the same; by now its number may belong to another file.
    guard Glibc.close(number) == 0 || errno == EINTR else {
      throw FileError(path, expected: "to keep what was written to it")
    }
  }

  /// Takes the exclusive lock of the file without waiting; the system frees it when the process ends,
  /// however it ends.
  ///
  /// - Returns: True if the lock was free.
  /// - Throws: ``FileError`` if the file system has no locks.
  public func lock() throws(FileError) -> Bool {
    isLocked = retried { flock(number, LOCK_EX | LOCK_NB) } == 0
    guard isLocked || errno == EWOULDBLOCK else {
      throw FileError(path, expected: "a file that can be locked")
    }
    return isLocked
  }

  func status() throws(FileError) -> stat {
    var status = stat()
    guard fstat(number, &status) == 0 else { throw FileError(path, expected: "to tell its size") }
    return status
  }
}

/// Repeats a call as long as signals interrupt it.
func retried<Number: SignedInteger>(_ call: () -> Number) -> Number {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}

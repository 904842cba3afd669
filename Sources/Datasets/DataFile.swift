// The file that rows are read from, and the detection of changes to it.

internal import Glibc

/// The identity and state of a file: it changes when the file is written to.
public struct FileIdentity: Hashable, Sendable, Codable {
  let device: UInt64
  let inode: UInt64
  let byteCount: Int
  /// The time of the last change of its bytes.
  let seconds: Int
  let nanoseconds: Int

  fileprivate init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    byteCount = Int(status.st_size)
    seconds = Int(status.st_mtim.tv_sec)
    nanoseconds = Int(status.st_mtim.tv_nsec)
  }

  /// Reads the identity of the file at a path; nil if it does not exist.
  init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }
}

extension FileIdentity: CustomStringConvertible {
  /// The size and the time, such as `8304 bytes of 2026-01-31 08:09:10.000000000 UTC`.
  public var description: String {
    var (time, fields) = (time_t(seconds), tm())
    gmtime_r(&time, &fields)
    func digits(_ number: Int, _ count: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    let date = [Int(fields.tm_year) + 1900, Int(fields.tm_mon) + 1, Int(fields.tm_mday)]
    let clock = [Int(fields.tm_hour), Int(fields.tm_min), Int(fields.tm_sec)]
    return "\(byteCount) bytes of " + date.map { digits($0, 2) }.joined(separator: "-") + " "
      + clock.map { digits($0, 2) }.joined(separator: ":") + ".\(digits(nanoseconds, 9)) UTC"
  }
}

/// An open data file; any number of threads may read at once, because reading uses no position and no lock.
final class DataFile: Sendable {
  let path: String
  /// The state of the file when it was opened.
  let identity: FileIdentity
  private let descriptor: Int32

  /// Opens a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - before: The state of the file before libhdf5 opened it.
  /// - Throws: ``DatasetError/unreadable(path:message:)``; ``DatasetError/changed(path:found:expected:)``
  ///   if the file has changed since.
  init(_ path: String, as before: FileIdentity?) throws(DatasetError) {
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
      let reason = String(cString: strerror(errno))
      if descriptor >= 0 { close(descriptor) }
      throw .unreadable(path: path, message: "\(path): \(reason)")
    }
    self.path = path
    identity = FileIdentity(status)
    guard let before, before != identity else { return }
    throw .changed(path: path, found: "\(identity)", expected: "\(before)")
  }

  deinit { close(descriptor) }

  /// Throws if the file was written to, cut or extended since it was opened.
  ///
  /// The system updates the time before it changes bytes, so if this call succeeds, all bytes read before it are
  /// those of the file as it was opened. Replacing or removing the file at its path has no effect.
  ///
  /// - Complexity: one system call.
  func requireUnchanged() throws(DatasetError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return }
    let found = FileIdentity(status)
    guard found != identity else { return }
    throw .changed(path: path, found: "\(found)", expected: "\(identity)")
  }

  /// Fills a buffer with the bytes from an offset on.
  ///
  /// - Returns: Nil, or the reason why it could not be filled.
  func read(from offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> String? {
    var done = 0
    while done < buffer.count {
      let count = pread(
        descriptor, buffer.baseAddress.map { $0 + done }, buffer.count - done,
        off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return count == 0 ? "file ends" : String(cString: strerror(errno)) }
      done += count
    }
    return nil
  }
}

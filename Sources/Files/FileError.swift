// What the system refused to do with a file, and its wording.

import Glibc

/// Something the system refused to do with a file or folder, or that we refuse for what it is.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file or folder.
  public let path: String
  /// What was expected of it, such as `a folder that can be written to`.
  public let expected: String
  /// The system's number of the reason, such as `ENOSPC`; 0 if the system had no objection.
  public let code: Int32
  /// The reason, such as `No space left on device` or `is a FIFO`.
  public let reason: String

  /// Creates an error; the reason defaults to that of the last call that failed.
  public init(_ path: String, expected: String, code: Int32? = nil) {
    self.path = path
    self.expected = expected
    self.code = code ?? errno
    reason = String(cString: strerror(self.code))
  }

  /// Creates an error about what a file or folder is, which no call of the system fails for.
  public init(_ path: String, found: String, expected: String) {
    self.path = path
    self.expected = expected
    code = 0
    reason = found
  }

  /// Such as `runs/3/status.json: No space left on device, expected to write 120 bytes`.
  public var description: String { "\(path): \(reason), expected \(expected)" }
}

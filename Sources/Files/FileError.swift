// What the system refused to do with a file, and its wording.

import Glibc

/// Something the system refused to do with a file or folder.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file or folder.
  public let path: String
  /// What was expected of it, such as `a folder that can be written to`.
  public let expected: String
  /// The system's number of the reason, such as `ENOSPC`.
  public let code: Int32

  /// Creates an error; the reason defaults to that of the last call that failed.
  public init(_ path: String, expected: String, code: Int32? = nil) {
    self.path = path
    self.expected = expected
    self.code = code ?? errno
  }

  /// The system's reason, such as `No space left on device`.
  public var reason: String { String(cString: strerror(code)) }

  /// Such as `runs/3/status.json: No space left on device, expected to write 120 bytes`.
  public var description: String { "\(path): \(reason), expected \(expected)" }
}

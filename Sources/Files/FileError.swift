// The errors of files and folders and their wording.

import Glibc

/// A refusal of the system to do something with a file or folder, or our refusal of its kind.
public struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file or folder.
  public let path: String
  /// The expectation, such as `a folder that can be written to`.
  public let expected: String
  /// The system's error number, such as `ENOSPC`; 0 if the refusal is ours.
  public let code: Int32
  /// The reason, such as `No space left on device` or `is a FIFO`.
  public let reason: String

  /// Creates an error; the reason defaults to that of the last failed call.
  public init(_ path: String, expected: String, code: Int32? = nil) {
    self.path = path
    self.expected = expected
    self.code = code ?? errno
    reason = String(cString: strerror(self.code))
  }

  /// Creates an error about the state of a file or folder that no system call reports.
  public init(_ path: String, found: String, expected: String) {
    self.path = path
    self.expected = expected
    code = 0
    reason = found
  }

  /// One line such as `runs/3/status.json: No space left on device, expected to write 120 bytes`.
  public var description: String { "\(path): \(reason), expected \(expected)" }
}

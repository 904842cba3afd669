// A sparse file without a name, in which files too large to build in memory are laid out.

import CHDF5
import Glibc

/// A file in memory that no folder lists; the system frees it when it is closed.
///
/// Holes take no memory: a dataset that is created but not written costs nothing at any extents.
public struct AnonymousFile: ~Copyable {
  private let descriptor: Int32

  /// Creates an empty file.
  ///
  /// - Throws: ``HDF5Error/unreadable(file:reason:)`` with the system's reason.
  public init() throws(HDF5Error) {
    descriptor = chdf5_anonymous_file()
    guard descriptor >= 0 else {
      throw .unreadable(file: "anonymous file", reason: systemReason())
    }
  }

  deinit { close(descriptor) }

  /// A path by which this process can open the file.
  var path: String { "/proc/self/fd/\(descriptor)" }

  /// The file's length.
  public var byteCount: Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? status.st_size : 0
  }

  /// Returns a range of its bytes.
  ///
  /// - Parameter range: Offsets within the file.
  /// - Returns: The bytes, zeros where nothing was written.
  /// - Throws: ``HDF5Error/unreadable(file:reason:)`` with the system's reason.
  public func bytes(_ range: Range<Int>) throws(HDF5Error) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    let count = pread(descriptor, &bytes, range.count, range.lowerBound)
    guard count == range.count else {
      throw .unreadable(
        file: "anonymous file", reason: count < 0 ? systemReason() : "\(count) bytes of \(range)")
    }
    return bytes
  }
}

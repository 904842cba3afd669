// What can go wrong with an HDF5 file, and the wording of it.

/// What libhdf5 reported, or what this module refused before asking it.
///
/// `file` is the name the file was opened by, `object` the path of a group or dataset inside it.
public enum HDF5Error: Error, Hashable, Sendable {
  /// The operating system refused the file.
  case unreadable(file: String, reason: String)
  /// The file does not start with the signature of HDF5.
  case notHDF5(file: String)
  /// A call of libhdf5 failed: the outermost and the innermost message of its error stack.
  case library(file: String, action: String, top: String, bottom: String)
  /// There is no object of that path.
  case missing(file: String, object: String)
  /// The object is of another kind than asked for.
  case wrongKind(file: String, object: String, found: String, expected: String)
  /// The elements are not integers or IEEE floats of up to 64 bits.
  case unsupportedType(file: String, object: String, found: String)
  /// The bytes lie outside the file: external storage, an external link or a virtual dataset.
  case outsideFile(file: String, object: String, through: String)
  /// The number of elements or bytes exceeds what this machine can count.
  case tooLarge(file: String, object: String, extents: [UInt64])
  /// The dataset has extents but nothing was ever written to it.
  case neverWritten(file: String, object: String)
  /// A buffer or range does not fit the dataset.
  case wrongCount(file: String, object: String, found: Int, expected: Int)
}

extension HDF5Error: CustomStringConvertible {
  /// One line: the file, the object, what was found, what was expected.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      "\(file): \(reason)"
    case .notHDF5(let file):
      "\(file): not an HDF5 file"
    case .library(let file, let action, let top, let bottom):
      top == bottom
        ? "\(file): cannot \(action): \(top)" : "\(file): cannot \(action): \(top): \(bottom)"
    case .missing(let file, let object):
      "\(file): has no '\(object)'"
    case .wrongKind(let file, let object, let found, let expected):
      "\(file): '\(object)' is \(found), expected \(expected)"
    case .unsupportedType(let file, let object, let found):
      "\(file): '\(object)' holds \(found), expected integers or IEEE floats of up to 64 bits"
    case .outsideFile(let file, let object, let through):
      "\(file): '\(object)' is stored outside the file by \(through), which is not read"
    case .tooLarge(let file, let object, let extents):
      "\(file): '\(object)' has extents \(extents), more than can be addressed"
    case .neverWritten(let file, let object):
      "\(file): '\(object)' was created but never written"
    case .wrongCount(let file, let object, let found, let expected):
      "\(file): \(found) bytes for '\(object)', expected \(expected)"
    }
  }
}

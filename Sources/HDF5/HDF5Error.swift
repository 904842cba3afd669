// The errors of HDF5 files and their wording.

/// An error that libhdf5 reported, or that this module found before calling it.
///
/// `file` is the name that the file was opened by, `object` the path of a group or dataset inside it.
public enum HDF5Error: Error, Hashable, Sendable {
  /// The operating system refused the file.
  case unreadable(file: String, reason: String)
  /// The file has no signature of HDF5.
  case notHDF5(file: String)
  /// A call of libhdf5 failed: the outermost and the innermost message of its error stack.
  case library(file: String, action: String, top: String, bottom: String)
  /// The path leads to no object.
  case missing(file: String, object: String)
  /// The object is of another kind than expected.
  case wrongKind(file: String, object: String, found: String, expected: String)
  /// The elements are not integers or IEEE floats of up to 64 bits.
  case unsupportedType(file: String, object: String, found: String)
  /// The bytes lie outside the file: external storage, an external link or a virtual dataset.
  case outsideFile(file: String, object: String, through: String)
  /// The number of elements or bytes exceeds what this machine can count.
  case tooLarge(file: String, object: String, extents: [UInt64])
  /// The dataset has extents but was never written to.
  case neverWritten(file: String, object: String)
  /// The extents claim more than the file holds.
  case incomplete(file: String, object: String, extents: [Int], claimed: String, held: String)
  /// The elements went through a filter that is not part of libhdf5.
  case missingFilter(file: String, object: String, number: Int, name: String?)
  /// Groups are nested deeper than the limit.
  case tooDeep(file: String, limit: Int)
  /// The file holds more objects than the limit.
  case tooMany(file: String, limit: Int)
  /// A buffer or range does not fit the dataset.
  case wrongCount(file: String, object: String, found: Int, expected: Int)
}

extension HDF5Error: CustomStringConvertible {
  /// The number of LZF, which only h5py contains.
  private static let filterOfH5py = 32000

  /// One line with the file, the object, the value found and the value expected.
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
    case .incomplete(let file, let object, let extents, let claimed, let held):
      "\(file): '\(object)' has extents \(extents), which are \(claimed), but the file holds \(held); "
        + "the rest was never written"
    case .missingFilter(let file, let object, let number, let name):
      "\(file): '\(object)' is stored by filter \(number)\(name.map { " (\($0))" } ?? ""), a plug-in, and "
        + "plug-ins of HDF5_PLUGIN_PATH are never loaded; "
        + (number == HDF5Error.filterOfH5py
          ? "h5py, which alone has it, can write the file again with compression='gzip'"
          : "'h5repack -f NONE \(file) NEW.h5', where the plug-in is installed, makes a file without it")
    case .tooDeep(let file, let limit):
      "\(file): found groups in each other more than \(limit) levels deep, expected fewer"
    case .tooMany(let file, let limit):
      "\(file): found more than \(limit) objects, expected fewer"
    case .wrongCount(let file, let object, let found, let expected):
      "\(file): \(found) bytes for '\(object)', expected \(expected)"
    }
  }
}

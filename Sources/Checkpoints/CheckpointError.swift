// The errors of checkpoints and their wording.

public import Files
import Glibc
public import HDF5

/// The reason why a checkpoint cannot be written or read.
public enum CheckpointError: Error, Hashable, Sendable {
  /// A system call on a file failed; exit status 74.
  case file(FileError)
  /// A call of libhdf5 failed; exit status 65.
  case hdf5(HDF5Error)
  /// The bytes are not as they were written, or not those of a checkpoint; exit status 65.
  case damaged(path: String, found: String, expected: String)
  /// The arrays are not those of the model; exit status 78.
  case otherModel(path: String, found: String, expected: String)
}

extension CheckpointError: CustomStringConvertible {
  /// One line with the path, the contents found and those expected.
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .hdf5(let error): error.description
    case .damaged(let path, let found, let expected):
      "\(path): damaged checkpoint: found \(found), expected \(expected)"
    case .otherModel(let path, let found, let expected):
      "\(path): checkpoint of another model: found \(found), expected \(expected)"
    }
  }
}

extension CheckpointError {
  /// Indicates whether the process or the machine ran out of a resource; the file may be good then.
  var isShortage: Bool {
    if case .file(let error) = self {
      [EMFILE, ENFILE, ENOMEM].contains(error.code)
    } else {
      false
    }
  }
}

/// Runs a body and converts its file errors to errors of the checkpoint.
func files<Value>(_ body: () throws(FileError) -> Value) throws(CheckpointError) -> Value {
  do throws(FileError) { return try body() } catch { throw .file(error) }
}

/// Runs a body and converts libhdf5's errors to errors of the checkpoint.
func hdf5<Value>(_ body: () throws(HDF5Error) -> Value) throws(CheckpointError) -> Value {
  do throws(HDF5Error) { return try body() } catch { throw .hdf5(error) }
}

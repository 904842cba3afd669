// The errors of run directories and their wording.

public import Files

/// The reason why a run directory cannot be used.
public enum RunError: Error, Hashable, Sendable {
  /// Another live process is using the run; exit status 73.
  case inUse(path: String, holder: String)
  /// The folder holds a file with one of our names that no run of ours left; exit status 73.
  case foreign(path: String, found: String)
  /// A system call on a file failed; exit status 74.
  case file(FileError)
  /// A file of the run has foreign or damaged contents; exit status 74.
  case damaged(path: String, found: String, expected: String)
}

extension RunError: CustomStringConvertible {
  /// One line with the path, the state found and the state expected.
  public var description: String {
    switch self {
    case .inUse(let path, let holder):
      "\(path): in use by \(holder), expected a run that no process is working on"
    case .foreign(let path, let found):
      "\(path): found '\(found)' but no 'status.json', expected an empty folder or a run of ours"
    case .file(let error): error.description
    case .damaged(let path, let found, let expected):
      "\(path): found \(found), expected \(expected)"
    }
  }
}

/// Runs a body and converts its file errors to errors of the run.
func converted<Value>(
  _ body: () throws(FileError) -> Value
) throws(RunError) -> Value {
  do throws(FileError) {
    return try body()
  } catch {
    throw .file(error)
  }
}

// What can be wrong with a run directory, and its wording.

public import Files

/// Why a run directory cannot be used.
public enum RunError: Error, Hashable, Sendable {
  /// Another process that lives is using the run; exit status 73.
  case inUse(path: String, holder: String)
  /// The folder holds a file by one of our names that no run of ours left; exit status 73.
  case foreign(path: String, found: String)
  /// The system refused something; exit status 74.
  case file(FileError)
  /// A file of the run does not hold what we write; exit status 74.
  case damaged(path: String, found: String, expected: String)
}

extension RunError: CustomStringConvertible {
  /// One line: the path, what was found, what was expected.
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

/// Runs a body and makes its file errors errors of the run.
func converted<Value>(
  _ body: () throws(FileError) -> Value
) throws(RunError) -> Value {
  do throws(FileError) {
    return try body()
  } catch {
    throw .file(error)
  }
}

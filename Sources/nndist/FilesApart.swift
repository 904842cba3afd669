// The check that a command does not overwrite a file that it reads.

import ArgumentParser
import Glibc

/// Refuses an output file that is one of the files that a command reads.
///
/// - Parameters:
///   - output: The file to write; nil for none.
///   - option: The option that names it.
///   - sources: The files to read, with a description of each.
/// - Throws: `ValidationError` that names the option and the file.
func requireApart(
  _ output: String?, option: String, from sources: [(what: String, path: String?)]
) throws {
  guard let output else { return }
  guard !output.isEmpty else {
    throw ValidationError("\(option): found an empty name, expected the path of a file")
  }
  for (what, path) in sources {
    guard let path, isSameFile(path, output) else { continue }
    throw ValidationError("\(option): found \(what), \(path), expected another file")
  }
}

/// Returns whether two paths lead to the same file.
private func isSameFile(_ path: String, _ other: String) -> Bool {
  var (one, two) = (stat(), stat())
  guard stat(path, &one) == 0, stat(other, &two) == 0 else { return false }
  return one.st_dev == two.st_dev && one.st_ino == two.st_ino
}

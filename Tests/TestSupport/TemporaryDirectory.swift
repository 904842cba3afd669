// A place for the files of one test.

public import Foundation

/// Calls `body` with a new, empty directory and removes it afterwards, whatever happens.
///
/// - Parameter body: Gets the directory, an absolute path without symbolic links.
/// - Returns: What `body` returns.
/// - Throws: What `body` throws, or an error of the file system.
public func temporaryDirectory<T>(_ body: (URL) throws -> T) throws -> T {
  let url = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
    .appendingPathComponent("nndist-test-\(UUID().uuidString)", isDirectory: true)
  try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: url) }
  return try body(url)
}

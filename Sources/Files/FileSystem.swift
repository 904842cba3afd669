// Operations on files and folders by path.

import Glibc

/// Replaces a file atomically, in any folder.
///
/// The bytes are first written under a temporary name with the number of this process, so several processes
/// may write the same file. A symbolic link stays; the file it leads to is replaced. A pipe or device, such
/// as `/dev/stdout`, is written to directly.
///
/// - Parameters:
///   - path: The file.
///   - bytes: Its new bytes.
///   - isDurable: True to return only when the bytes and the name are on the disk.
/// - Throws: ``FileError`` with the system's reason, such as a full disk; a regular file is then unchanged.
public func replaceFile(
  at path: String, with bytes: [UInt8], isDurable: Bool = true
) throws(FileError) {
  try bytes.withUnsafeBufferPointer { (bytes) throws(FileError) in
    let bytes = UnsafeRawBufferPointer(bytes)
    if isSpecial(path) { return try writeSpecialFile(path, bytes) }
    let target = try linkTarget(path) ?? path
    let name =
      target.lastIndex(of: "/").map { String(target[target.index(after: $0)...]) } ?? target
    // Errors name the path that the user gave.
    let parent: Folder
    do throws(FileError) {
      parent = try Folder(folder(of: target))
    } catch {
      throw FileError(path, expected: "a file that can be written to", code: error.code)
    }
    do throws(FileError) {
      try parent.replace(name, by: ".\(name).\(getpid())", with: [bytes], isDurable: isDurable)
    } catch {
      throw FileError(path, expected: error.expected, code: error.code)
    }
  }
}

/// Returns whether a path leads to a pipe, a device or a socket.
private func isSpecial(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG && !isFolder(status)
}

/// Returns the path that a link finally leads to, or nil if the path is no link.
private func linkTarget(_ path: String) throws(FileError) -> String? {
  var status = stat()
  guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK else { return nil }
  guard let target = realpath(path, nil) else {
    throw FileError(path, expected: "a link to a file")
  }
  defer { free(target) }
  return String(cString: target)
}

/// Writes to a pipe or a device; a FIFO without a reader is refused.
private func writeSpecialFile(
  _ path: String, _ bytes: UnsafeRawBufferPointer
) throws(FileError) {
  let number = retried { open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
  guard number >= 0 else { throw FileError(path, expected: "a file that can be written to") }
  defer { close(number) }
  // Only opening it had to return at once.
  _ = fcntl(number, F_SETFL, O_WRONLY)
  var rest = bytes[...]
  while !rest.isEmpty {
    let piece = UnsafeRawBufferPointer(rebasing: rest)
    let count = retried { write(number, piece.baseAddress, piece.count) }
    guard count > 0 else { throw FileError(path, expected: "to write \(bytes.count) bytes") }
    rest = rest.dropFirst(count)
  }
}

/// Reads a whole file.
///
/// - Parameters:
///   - path: The file.
///   - limit: The maximum size in bytes.
/// - Returns: Its bytes.
/// - Throws: ``FileError``, with `EFBIG` if the file is larger.
/// - Complexity: O(bytes), one copy.
public func readFile(_ path: String, limit: Int = Int.max) throws(FileError) -> [UInt8] {
  try Descriptor(path, .read).readAll(limit: limit)
}

/// Makes a folder and its missing parents; all are on the disk on return.
///
/// - Parameter path: The folder.
/// - Returns: True if it was missing.
/// - Throws: ``FileError``, for example if one of the names is a file.
@discardableResult
public func makeFolder(_ path: String) throws(FileError) -> Bool {
  if isFolder(path) { return false }
  let parent = folder(of: path)
  if parent != path, parent != ".", !isFolder(parent) { try makeFolder(parent) }
  if mkdir(path, 0o777) == 0 {
    try Folder(parent).sync()
    return true
  }
  guard errno == EEXIST && isFolder(path) else {
    let expected = errno == EEXIST || errno == ENOTDIR ? "a folder" : "a folder that can be made"
    throw FileError(path, expected: expected, code: errno == EEXIST ? ENOTDIR : errno)
  }
  return false
}

/// Makes one folder that must not exist yet.
///
/// - Parameter path: The folder.
/// - Returns: True if it was made, false if the name is taken.
/// - Throws: ``FileError`` for any other reason.
public func makeNewFolder(_ path: String) throws(FileError) -> Bool {
  if mkdir(path, 0o777) == 0 {
    try Folder(folder(of: path)).sync()
    return true
  }
  guard errno == EEXIST else { throw FileError(path, expected: "a folder that can be made") }
  return false
}

/// Returns whether the path leads to a folder.
public func isFolder(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && isFolder(status)
}

/// Returns the folder part of a path; `.` if it has none.
public func folder(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

// Whole files and folders: replaced at once or not at all.

import Glibc

/// Replaces a file at once or not at all: whoever reads the path finds the old bytes or all new ones.
///
/// Writes a temporary file in the same folder, syncs it, renames it over the path and syncs the
/// folder. The temporary name is `.<name>.partial`: one writer at a time, and what a killed one left
/// is overwritten by the next. After an error the temporary file is gone and the path is as it was.
///
/// - Parameters:
///   - path: The file.
///   - pieces: Its new bytes, piece after piece.
///   - isDurable: Whether to return only when the bytes and the name are on the disk.
/// - Throws: ``FileError`` with the system's reason, such as a full disk.
public func replaceFile(
  at path: String, with pieces: [UnsafeRawBufferPointer], isDurable: Bool = true
) throws(FileError) {
  let temporary = temporaryPath(for: path)
  do {
    let file = try Descriptor(temporary, .replace)
    for piece in pieces { try file.write(piece) }
    if isDurable { try file.sync() }
  } catch {
    unlink(temporary)
    // The temporary name means nothing to whoever reads the error.
    throw FileError(path, expected: error.expected, code: error.code)
  }
  guard rename(temporary, path) == 0 else {
    let failure = FileError(path, expected: "a file that can be replaced")
    unlink(temporary)
    throw failure
  }
  if isDurable { try syncFolder(folder(of: path)) }
}

/// Replaces a file by a text, at once or not at all.
public func replaceFile(
  at path: String, with text: String, isDurable: Bool = true
) throws(FileError) {
  let bytes = Array(text.utf8)
  try bytes.withUnsafeBufferPointer { (buffer) throws(FileError) in
    try replaceFile(at: path, with: [UnsafeRawBufferPointer(buffer)], isDurable: isDurable)
  }
}

/// The name under which a file is written before it takes its own.
public func temporaryPath(for path: String) -> String {
  folder(of: path) + "/." + (path.split(separator: "/").last.map(String.init) ?? "") + ".partial"
}

/// The folder a path is in; `.` if it names none.
public func folder(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Returns when the names in a folder are on the disk.
///
/// - Parameter path: The folder.
/// - Throws: ``FileError`` with the system's reason.
public func syncFolder(_ path: String) throws(FileError) {
  do {
    try Descriptor(path, .read).sync()
  } catch {
    // Some network file systems cannot sync folders, and say so like this.
    if error.code != EINVAL && error.code != ENOTSUP { throw error }
  }
}

/// Reads a whole file.
///
/// - Parameters:
///   - path: The file.
///   - limit: The most bytes it may have.
/// - Returns: Its bytes.
/// - Throws: ``FileError``, with `EFBIG` if it has more.
/// - Complexity: O(bytes), one copy.
public func readFile(_ path: String, limit: Int = Int.max) throws(FileError) -> [UInt8] {
  let file = try Descriptor(path, .read)
  let byteCount = try file.byteCount()
  guard byteCount <= limit else {
    throw FileError(path, expected: "at most \(limit) bytes", code: EFBIG)
  }
  var failure: FileError?
  let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
    do throws(FileError) {
      count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
    } catch {
      failure = error
    }
  }
  if let failure { throw failure }
  return bytes
}

/// Makes a folder and those it is in, as far as they are missing.
///
/// - Parameter path: The folder.
/// - Throws: ``FileError``, such as if one of the names is a file.
public func makeFolder(_ path: String) throws(FileError) {
  if isFolder(path) { return }
  let parent = folder(of: path)
  if parent != path, parent != ".", !isFolder(parent) { try makeFolder(parent) }
  guard mkdir(path, 0o777) == 0 || (errno == EEXIST && isFolder(path)) else {
    let expected = errno == EEXIST || errno == ENOTDIR ? "a folder" : "a folder that can be made"
    throw FileError(path, expected: expected, code: errno == EEXIST ? ENOTDIR : errno)
  }
}

/// Makes one folder that must not exist yet.
///
/// - Parameter path: The folder.
/// - Returns: Whether it was made; not if the name is taken.
/// - Throws: ``FileError`` for any other reason.
public func makeNewFolder(_ path: String) throws(FileError) -> Bool {
  if mkdir(path, 0o777) == 0 { return true }
  guard errno == EEXIST else { throw FileError(path, expected: "a folder that can be made") }
  return false
}

/// Whether there is a folder at the path.
public func isFolder(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Whether there is anything at the path.
public func exists(_ path: String) -> Bool {
  var status = stat()
  return lstat(path, &status) == 0
}

/// The names in a folder, in alphabetical order of their bytes.
///
/// - Parameter path: The folder.
/// - Returns: Names without the path; none if there is no such folder.
/// - Throws: ``FileError`` if there is one but it cannot be read.
public func names(in path: String) throws(FileError) -> [String] {
  guard let directory = opendir(path) else {
    if errno == ENOENT { return [] }
    throw FileError(path, expected: "a folder that can be read")
  }
  defer { closedir(directory) }
  var names: [String] = []
  while true {
    errno = 0
    guard let entry = readdir(directory) else { break }
    let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != "." && name != ".." { names.append(name) }
  }
  guard errno == 0 else { throw FileError(path, expected: "a folder that can be read") }
  return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// Removes a file; that there is none is no error.
///
/// - Parameter path: The file.
/// - Throws: ``FileError`` with the system's reason.
public func removeFile(_ path: String) throws(FileError) {
  guard unlink(path) == 0 || errno == ENOENT else {
    throw FileError(path, expected: "a file that can be removed")
  }
}

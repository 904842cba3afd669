// A folder held open, so that operations in it reach it even if its path changes.

import Glibc

/// An open folder; files in it are opened, replaced and removed relative to it.
///
/// If the folder is moved, operations follow it; a folder that takes over its path is not written to.
/// Links to folders are followed, links to files only for reading.
public final class Folder {
  /// The path that it was opened by.
  public let path: String
  private let number: Int32
  private let identity: Identity
  private var isLocked = false

  /// The identity of a file or folder, independent of its name.
  private struct Identity: Equatable {
    let device: dev_t
    let node: ino_t

    init(_ status: stat) {
      device = status.st_dev
      node = status.st_ino
    }
  }

  /// Opens a folder; child processes do not inherit it.
  ///
  /// - Throws: ``FileError`` with the system's reason.
  public init(_ path: String) throws(FileError) {
    var (named, opened) = (stat(), stat())
    // Check the kind first: opening anything but a folder may wait for ever.
    guard stat(path, &named) == 0 else {
      throw FileError(path, expected: "a folder that can be read")
    }
    guard isFolder(named) else { throw FileError(path, expected: "a folder", code: ENOTDIR) }
    var number = retried { Glibc.open(path, O_RDONLY | O_CLOEXEC) }
    if number < 0, errno == EACCES {
      // Files can be made in a folder without read permission; it just cannot be listed or synced.
      number = retried { Glibc.open(path, openPathOnly | O_DIRECTORY | O_CLOEXEC) }
    }
    guard number >= 0 else { throw FileError(path, expected: "a folder that can be read") }
    guard fstat(number, &opened) == 0, isFolder(opened) else {
      close(number)
      throw FileError(path, expected: "a folder", code: ENOTDIR)
    }
    self.path = path
    self.number = number
    identity = Identity(opened)
  }

  /// Opens the folder at a path, or returns nil if it does not exist.
  ///
  /// - Throws: ``FileError`` with the system's reason for any other failure.
  public static func existing(at path: String) throws(FileError) -> Folder? {
    do {
      return try Folder(path)
    } catch {
      if error.code == ENOENT || error.code == ENOTDIR { return nil }
      throw error
    }
  }

  deinit {
    if isLocked { flock(number, LOCK_UN) }
    close(number)
  }

  /// Opens a folder in this one; links are followed.
  ///
  /// - Parameter name: Its name.
  /// - Returns: The folder, or nil if the name does not exist.
  /// - Throws: ``FileError``, for example if the name is a file, or this folder is no longer at its path.
  public func folder(_ name: String) throws(FileError) -> Folder? {
    guard try contains(name) else { return nil }
    // It is opened by its path, which must lead to the same folder as its name in this one.
    let folder = try Folder(path(of: name))
    var status = stat()
    guard fstatat(number, name, &status, 0) == 0, Identity(status) == folder.identity else {
      throw FileError.displaced(path)
    }
    return folder
  }

  /// Opens a folder in this one, making it if it is missing.
  ///
  /// - Parameter name: Its name.
  /// - Returns: The folder.
  /// - Throws: ``FileError`` as ``folder(_:)``, or if it cannot be made.
  public func madeFolder(_ name: String) throws(FileError) -> Folder {
    if mkdirat(number, name, 0o777) == 0 {
      try sync()
    } else if errno != EEXIST {
      throw FileError(path(of: name), expected: "a folder that can be made")
    }
    guard let folder = try folder(name) else { throw FileError.displaced(path) }
    return folder
  }

  /// Opens a file in the folder.
  ///
  /// - Throws: ``FileError`` as ``Descriptor/init(_:_:)``.
  public func open(_ name: String, _ mode: Descriptor.Mode) throws(FileError) -> Descriptor {
    try Descriptor(name, in: number, path: path(of: name), mode)
  }

  /// Reads a whole file in the folder.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - limit: The maximum size in bytes.
  /// - Returns: Its bytes, or nil if the file does not exist.
  /// - Throws: ``FileError``, with `EFBIG` if the file is larger.
  public func read(_ name: String, limit: Int = Int.max) throws(FileError) -> [UInt8]? {
    do {
      return try open(name, .read).readAll(limit: limit)
    } catch {
      if error.code == ENOENT { return nil }
      throw error
    }
  }

  /// Replaces a file atomically: readers find all old bytes or all new ones.
  ///
  /// Writes ``temporaryName(for:)``, syncs and closes it, renames it and syncs the folder. Only one process
  /// may write at a time; the next one replaces a temporary file that a killed one left. After an error the
  /// temporary file is gone. A link of that name is replaced itself, not the file it leads to.
  ///
  /// - Parameters:
  ///   - name: The name of the file.
  ///   - pieces: Its new bytes, piece by piece.
  ///   - isDurable: True to return only when the bytes and the name are on the disk.
  /// - Throws: ``FileError`` with the system's reason, such as a full disk.
  public func replace(
    _ name: String, with pieces: [UnsafeRawBufferPointer], isDurable: Bool = true
  ) throws(FileError) {
    try replace(name, by: temporaryName(for: name), with: pieces, isDurable: isDurable)
  }

  /// Replaces a file with a text, atomically.
  ///
  /// - Throws: ``FileError`` as ``replace(_:with:isDurable:)``.
  public func replace(
    _ name: String, with text: String, isDurable: Bool = true
  ) throws(FileError) {
    let bytes = Array(text.utf8)
    try bytes.withUnsafeBufferPointer { (buffer) throws(FileError) in
      try replace(name, with: [UnsafeRawBufferPointer(buffer)], isDurable: isDurable)
    }
  }

  func replace(
    _ name: String, by temporary: String, with pieces: [UnsafeRawBufferPointer], isDurable: Bool
  ) throws(FileError) {
    let file = try create(temporary, for: name)
    do {
      for piece in pieces { try file.write(piece) }
      if isDurable { try file.sync() }
      try file.close()
    } catch {
      unlinkat(number, temporary, 0)
      throw error
    }
    guard renameat(number, temporary, number, name) == 0 else {
      let failure = FileError(path(of: name), expected: "a file that can be replaced")
      unlinkat(number, temporary, 0)
      throw failure
    }
    if isDurable { try sync() }
  }

  /// Creates a temporary file, replacing a leftover one; errors name the file that it will become.
  private func create(_ temporary: String, for name: String) throws(FileError) -> Descriptor {
    let path = path(of: name)
    do {
      return try Descriptor(temporary, in: number, path: path, .create)
    } catch {
      if error.code == EEXIST { try remove(temporary) }
    }
    do {
      return try Descriptor(temporary, in: number, path: path, .create)
    } catch {
      unlinkat(number, temporary, 0)
      throw error
    }
  }

  /// Removes a file or link, if it exists.
  ///
  /// - Throws: ``FileError`` with the system's reason.
  public func remove(_ name: String) throws(FileError) {
    guard unlinkat(number, name, 0) == 0 || errno == ENOENT else {
      throw FileError(path(of: name), expected: "a file that can be removed")
    }
  }

  /// Returns whether the name exists, even as a link that leads nowhere.
  ///
  /// - Throws: ``FileError`` if the system cannot tell.
  public func contains(_ name: String) throws(FileError) -> Bool {
    var status = stat()
    if fstatat(number, name, &status, AT_SYMLINK_NOFOLLOW) == 0 { return true }
    guard errno == ENOENT else { throw FileError(path(of: name), expected: "to tell what it is") }
    return false
  }

  /// Returns the names in the folder, in the order of their UTF-8 bytes.
  ///
  /// - Throws: ``FileError`` if they cannot be read.
  public func names() throws(FileError) -> [String] {
    func failure() -> FileError { FileError(path, expected: "a folder that can be read") }
    // A descriptor of its own: the place in the list belongs to what was opened.
    let own = retried { openat(number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard own >= 0 else { throw failure() }
    guard let directory = fdopendir(own) else {
      let failure = failure()
      close(own)
      throw failure
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
    guard errno == 0 else { throw failure() }
    return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Returns when the names in the folder are on the disk.
  ///
  /// - Throws: ``FileError`` with the system's reason.
  public func sync() throws(FileError) {
    guard retried({ fsync(number) }) != 0 else { return }
    // Some network file systems cannot sync folders and report one of the first two; the third means a
    // folder without read permission.
    guard [EINVAL, ENOTSUP, EBADF].contains(errno) else {
      throw FileError(path, expected: "to reach the disk")
    }
  }

  /// Takes the exclusive lock of the folder without waiting, if the file system can lock folders.
  ///
  /// - Returns: False if another process holds it.
  public func lock() -> Bool {
    isLocked = retried { flock(number, LOCK_EX | LOCK_NB) } == 0
    return isLocked || errno != EWOULDBLOCK
  }

  /// Returns whether the path still leads to this folder: false once the folder is removed, moved or replaced.
  ///
  /// - Throws: ``FileError`` if the system cannot tell.
  public func isInPlace() throws(FileError) -> Bool {
    var status = stat()
    guard fstat(number, &status) == 0 else {
      throw FileError(path, expected: "a folder that can be read")
    }
    if status.st_nlink == 0 { return false }
    if stat(path, &status) == 0 { return Identity(status) == identity }
    guard [ENOENT, ENOTDIR, ESTALE, ELOOP].contains(errno) else {
      throw FileError(path, expected: "a folder that can be read")
    }
    return false
  }

  /// Throws if the path no longer leads to this folder.
  ///
  /// - Throws: ``FileError`` that names the folder.
  public func requireInPlace() throws(FileError) {
    guard try isInPlace() else { throw FileError.displaced(path) }
  }

  /// Throws if the name of an open file in this folder no longer leads to it, or if the file was cut.
  ///
  /// - Parameters:
  ///   - file: The file, from ``open(_:_:)``.
  ///   - name: Its name.
  ///   - byteCount: The number of bytes that it must still hold.
  /// - Throws: ``FileError`` that names the file.
  public func require(
    _ file: Descriptor, at name: String, byteCount: Int
  ) throws(FileError) {
    var named = stat()
    let opened = try file.status()
    guard fstatat(number, name, &named, AT_SYMLINK_NOFOLLOW) == 0,
      Identity(named) == Identity(opened), opened.st_size >= byteCount
    else {
      throw FileError(
        path(of: name), expected: "the file that this run writes, as long as it was", code: ESTALE)
    }
  }

  private func path(of name: String) -> String { "\(path)/\(name)" }
}

/// Returns the name under which a file is written before it gets its final name.
public func temporaryName(for name: String) -> String { ".\(name).partial" }

extension FileError {
  /// Returns the error for a folder whose path no longer leads to it.
  fileprivate static func displaced(_ path: String) -> FileError {
    FileError(
      path, found: "removed, moved or replaced while in use",
      expected: "the folder to stay in its place")
  }
}

/// `O_PATH` of Linux, which the C library's headers hide from Swift.
private let openPathOnly: Int32 = 0o10000000

func isFolder(_ status: stat) -> Bool { status.st_mode & S_IFMT == S_IFDIR }

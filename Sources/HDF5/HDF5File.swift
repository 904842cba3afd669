// An open HDF5 file, on disk or in memory.

import CHDF5
import Glibc

/// An open HDF5 file, closed when the last reference to it or to one of its datasets is released.
///
/// Objects are named by their path from the root, with or without a leading slash. Links that leave
/// the file, external storage and virtual datasets are refused: they could read any file of the
/// machine. Calls may come from any thread; one lock orders them. Nothing written depends on the
/// time, so equal calls make equal bytes.
public final class HDF5File: @unchecked Sendable {
  /// The path of the file, or the name given to an image.
  public let name: String
  private let file: hid_t
  private var isClosed = false
  let scope: Scope

  private init(name: String, open: (Scope) throws(HDF5Error) -> hid_t) throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    self.name = name
    scope = Scope(file: name)
    file = try open(scope)
  }

  deinit {
    guard !isClosed else { return }
    Library.enter()
    defer { Library.leave() }
    H5Fclose(file)
  }

  /// The id to pass to libhdf5; the caller holds the lock.
  var raw: hid_t { file }

  /// Opens a file for reading.
  ///
  /// Takes no file lock: many ranks read one file, and some file systems support no locks.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``HDF5Error/unreadable(file:reason:)`` with the system's reason,
  ///   ``HDF5Error/notHDF5(file:)``, or libhdf5's reason, such as a truncated file.
  public convenience init(reading path: String) throws(HDF5Error) {
    try Self.checkReadable(path)
    try self.init(name: path) { (scope) throws(HDF5Error) in
      let access = try scope.identifier(
        H5Pcreate(chdf5_file_access_class()), "make a property list")
      try scope.check(H5Pset_file_locking(access.raw, false, true), "switch off file locks")
      let file = H5Fopen(path, chdf5_read_only(), access.raw)
      guard file >= 0 else {
        let error = scope.failure("open it")
        throw H5Fis_hdf5(path) > 0 ? error : .notHDF5(file: path)
      }
      return file
    }
  }

  /// Creates a file on disk, replacing one of that name.
  ///
  /// libhdf5 never syncs and may report success on a full disk: build files that matter in memory instead,
  /// or verify them.
  ///
  /// - Parameter path: The file's path.
  /// - Throws: ``HDF5Error`` if the system or libhdf5 refuses.
  public convenience init(creating path: String) throws(HDF5Error) {
    try self.init(name: path) { (scope) throws(HDF5Error) in
      let access = try scope.identifier(
        H5Pcreate(chdf5_file_access_class()), "make a property list")
      try scope.check(H5Pset_file_locking(access.raw, false, true), "switch off file locks")
      let creation = try scope.timelessCreation(chdf5_file_create_class())
      return try scope.check(
        H5Fcreate(path, chdf5_truncate(), creation.raw, access.raw), "create it")
    }
  }

  /// Creates a file in anonymous memory, where unwritten datasets stay holes.
  ///
  /// - Parameter anonymous: The memory, which the caller keeps.
  /// - Throws: ``HDF5Error`` if libhdf5 refuses.
  public convenience init(creatingIn anonymous: borrowing AnonymousFile) throws(HDF5Error) {
    let path = anonymous.path
    try self.init(name: path) { (scope) throws(HDF5Error) in
      let access = try scope.identifier(
        H5Pcreate(chdf5_file_access_class()), "make a property list")
      // The usual driver asks for the real path behind the link that names the file; it does not exist.
      try scope.check(H5Pset_fapl_stdio(access.raw), "choose a driver")
      let creation = try scope.timelessCreation(chdf5_file_create_class())
      return try scope.check(
        H5Fcreate(path, chdf5_truncate(), creation.raw, access.raw), "create it")
    }
  }

  /// Creates a file in memory, which never reaches a disk.
  ///
  /// - Parameters:
  ///   - name: The name of the file in errors.
  ///   - growth: The bytes by which its memory grows; a value near its final size saves copies.
  /// - Throws: ``HDF5Error`` if libhdf5 refuses.
  public convenience init(inMemory name: String, growth: Int = 1 << 20) throws(HDF5Error) {
    try self.init(name: name) { (scope) throws(HDF5Error) in
      let access = try scope.memoryAccess(growth: growth)
      let creation = try scope.timelessCreation(chdf5_file_create_class())
      return try scope.check(
        H5Fcreate(Library.uniqueName(), chdf5_truncate(), creation.raw, access.raw), "create it")
    }
  }

  /// Opens the bytes of a file for reading; they are copied.
  ///
  /// - Parameters:
  ///   - image: The bytes, starting with the signature or the user block.
  ///   - name: The name of the file in errors.
  /// - Throws: ``HDF5Error/notHDF5(file:)`` for no bytes, or libhdf5's reason.
  /// - Complexity: O(bytes), two copies, one of them freed on return.
  public convenience init(image: UnsafeRawBufferPointer, name: String) throws(HDF5Error) {
    guard image.count > 0 else { throw .notHDF5(file: name) }
    try self.init(name: name) { (scope) throws(HDF5Error) in
      let access = try scope.memoryAccess(growth: 1 << 20)
      let start = UnsafeMutableRawPointer(mutating: image.baseAddress)
      try scope.check(H5Pset_file_image(access.raw, start, image.count), "take the image")
      return try scope.check(
        H5Fopen(Library.uniqueName(), chdf5_read_only(), access.raw), "open it")
    }
  }

  /// Flushes pending data and closes the file, reporting libhdf5's errors.
  ///
  /// Release all datasets first; nothing else may be called afterwards.
  ///
  /// - Throws: ``HDF5Error`` if libhdf5 could not write.
  public func close() throws(HDF5Error) {
    Library.enter()
    defer { Library.leave() }
    guard !isClosed else { return }
    isClosed = true
    try scope.check(H5Fclose(file), "close it")
  }

  /// Tries to open `path` by a system call, to get the system's reason if that fails.
  private static func checkReadable(_ path: String) throws(HDF5Error) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw .unreadable(file: path, reason: systemReason())
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let isFolder = status.st_mode & S_IFMT == S_IFDIR
      throw .unreadable(
        file: path, reason: isFolder ? "is a folder, expected a file" : "not a regular file")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .unreadable(file: path, reason: systemReason()) }
    Glibc.close(descriptor)
  }
}

extension Scope {
  /// Returns access properties of a file that exists only in memory.
  fileprivate func memoryAccess(growth: Int) throws(HDF5Error) -> Identifier {
    let access = try identifier(H5Pcreate(chdf5_file_access_class()), "make a property list")
    try check(H5Pset_fapl_core(access.raw, max(growth, 4096), false), "keep it in memory")
    return access
  }
}

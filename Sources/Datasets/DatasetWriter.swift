// Writing data files, which appear under their names only when they are complete.

internal import Glibc
internal import HDF5

/// A writer of a data file, piece by piece, which gets its name only once all of it is on the disk.
///
/// libhdf5 never syncs, and on a full disk it may report success for a file that reads back wrong. So
/// it only makes the skeleton, the file without its elements, in memory; this type writes skeleton
/// and elements by system calls and checks each of them. The file grows under a temporary name in the
/// same folder, is synced and renamed, and the folder is synced. If the writer is released before
/// ``finish()``, no file is left.
///
/// One thread writes. Equal calls make equal bytes.
public final class DatasetWriter {
  /// The type of the elements in the file, little-endian.
  public enum ElementType: String, Hashable, Sendable, CaseIterable {
    /// Unsigned, 8 bits.
    case uint8
    /// Signed, 8 bits.
    case int8
    /// Signed, 16 bits.
    case int16
    /// Signed, 32 bits.
    case int32
    /// Signed, 64 bits.
    case int64
    /// `Float`.
    case float32
    /// `Double`.
    case float64

    /// The bytes of one element.
    public var byteCount: Int { scalarType.byteCount }

    var scalarType: HDF5ScalarType {
      switch self {
      case .uint8: .uint8
      case .int8: .int8
      case .int16: .int16
      case .int32: .int32
      case .int64: .int64
      case .float32: .float32
      case .float64: .float64
      }
    }
  }

  /// The value of an attribute.
  public enum Attribute: Hashable, Sendable {
    /// One string.
    case text(String)
    /// A list of strings.
    case texts([String])
    /// One number.
    case number(Double)
    /// A list of numbers.
    case numbers([Double])

    var value: HDF5Attribute {
      switch self {
      case .text(let text): .string(text)
      case .texts(let texts): .strings(texts)
      case .number(let number): .double(number)
      case .numbers(let numbers): .doubles(numbers)
      }
    }
  }

  /// One array to write.
  public struct Array: Sendable {
    /// Its path in the file, such as `samples`.
    public let name: String
    /// The type of its elements.
    public let type: ElementType
    /// The lengths of its axes, rows first.
    public let shape: [Int]
    /// Its attributes.
    public let attributes: [String: Attribute]

    /// Describes an array.
    public init(
      name: String, type: ElementType, shape: [Int], attributes: [String: Attribute] = [:]
    ) {
      self.name = name
      self.type = type
      self.shape = shape
      self.attributes = attributes
    }

    var byteCount: Int { shape.reduce(type.byteCount, *) }
  }

  /// The file's path.
  public let path: String
  private let temporaryPath: String
  private let replacing: Bool
  private var descriptor: Int32
  private var regions: [String: Region] = [:]

  /// The region of an array's elements in the file, and the number of bytes written to it.
  private struct Region {
    let offset: Int
    let byteCount: Int
    var written = 0
  }

  /// Starts a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - arrays: Its arrays.
  ///   - replacing: True if a file of that name may be replaced.
  /// - Throws: ``DatasetError/exists(path:)`` or ``DatasetError/unwritable(path:action:reason:)``.
  public init(
    path: String, arrays: [Array], replacing: Bool = false
  ) throws(DatasetError) {
    self.path = path
    self.replacing = replacing
    temporaryPath = DatasetWriter.folder(of: path) + "/.\(DatasetWriter.name(of: path)).\(getpid())"
    descriptor = -1
    guard replacing || access(path, F_OK) != 0 else { throw .exists(path: path) }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw .unwritable(path: path, action: "replace it", reason: "not a regular file")
    }
    let skeleton = try DatasetWriter.makeSkeleton(path: path, arrays: arrays)
    regions = skeleton.regions
    // Remove a leftover of a killed process with the same number.
    unlink(temporaryPath)
    descriptor = Glibc.open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw failure("create it") }
    for (offset, bytes) in skeleton.pieces {
      try bytes.withUnsafeBufferPointer { (bytes) throws(DatasetError) in
        try write(UnsafeRawBufferPointer(bytes), at: offset)
      }
    }
    guard ftruncate(descriptor, skeleton.byteCount) == 0 else { throw failure("write it") }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporaryPath)
  }

  /// Writes the next elements of an array.
  ///
  /// - Parameters:
  ///   - bytes: Whole elements, in row-major order and in the byte order of this machine.
  ///   - array: The array's name.
  /// - Throws: ``DatasetError/wrongCount(path:dataset:found:expected:)`` beyond its extents,
  ///   ``DatasetError/unwritable(path:action:reason:)``.
  public func append(_ bytes: UnsafeRawBufferPointer, to array: String) throws(DatasetError) {
    guard let region = regions[array] else { preconditionFailure("no array '\(array)'") }
    guard bytes.count <= region.byteCount - region.written else {
      throw .wrongCount(
        path: path, dataset: array, found: region.written + bytes.count, expected: region.byteCount)
    }
    try write(bytes, at: region.offset + region.written)
    regions[array]?.written += bytes.count
  }

  /// Writes the next elements of an array.
  ///
  /// - Parameters:
  ///   - values: Elements of the array's type, in row-major order.
  ///   - array: The array's name.
  /// - Throws: The errors of the call with bytes.
  public func append<Element: BitwiseCopyable>(
    _ values: [Element], to array: String
  ) throws(DatasetError) {
    try values.withUnsafeBufferPointer { (values) throws(DatasetError) in
      try append(UnsafeRawBufferPointer(values), to: array)
    }
  }

  /// Gives the file its name, after checking that every array is complete.
  ///
  /// - Throws: ``DatasetError/wrongCount(path:dataset:found:expected:)`` if elements are missing,
  ///   ``DatasetError/exists(path:)``, ``DatasetError/unwritable(path:action:reason:)``; unless only the sync
  ///   of the folder fails, the path is then as it was.
  public func finish() throws(DatasetError) {
    for (name, region) in regions.sorted(by: { $0.key < $1.key })
    where region.written != region.byteCount {
      throw .wrongCount(
        path: path, dataset: name, found: region.written, expected: region.byteCount)
    }
    guard fsync(descriptor) == 0 else { throw failure("write it") }
    guard close(descriptor) == 0 else {
      descriptor = -1
      let error = failure("write it")
      unlink(temporaryPath)
      throw error
    }
    descriptor = -1
    defer { unlink(temporaryPath) }
    // A link fails if the name has been taken meanwhile; a rename would replace the file.
    let status = replacing ? rename(temporaryPath, path) : link(temporaryPath, path)
    guard status == 0 else {
      throw errno == EEXIST ? .exists(path: path) : failure("give it its name")
    }
    let folder = Glibc.open(DatasetWriter.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw failure("sync its folder") }
    defer { close(folder) }
    // Some network file systems cannot sync folders and report one of these.
    guard fsync(folder) == 0 || errno == EINVAL || errno == ENOTSUP else {
      throw failure("sync its folder")
    }
  }
}

extension DatasetWriter {
  private func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(DatasetError) {
    var done = 0
    while done < bytes.count {
      let count = pwrite(
        descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, offset + done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write it") }
      done += count
    }
  }

  private func failure(_ action: String) -> DatasetError {
    .unwritable(path: path, action: action, reason: String(cString: strerror(errno)))
  }

  private static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  private static func name(of path: String) -> Substring {
    path.lastIndex(of: "/").map { path[path.index(after: $0)...] } ?? path[...]
  }

  private struct Skeleton {
    var regions: [String: Region] = [:]
    /// The bytes between the arrays' elements.
    var pieces: [(offset: Int, bytes: [UInt8])] = []
    var byteCount = 0
  }

  /// Lays out the file in memory by libhdf5, with holes in place of the elements.
  private static func makeSkeleton(
    path: String, arrays: [Array]
  ) throws(DatasetError) -> Skeleton {
    var skeleton = Skeleton()
    do throws(HDF5Error) {
      let memory = try AnonymousFile()
      let file = try HDF5File(creatingIn: memory)
      for array in arrays {
        let dataset = try file.createDataset(
          array.name, type: array.type.scalarType, shape: array.shape)
        for (name, value) in array.attributes.sorted(by: { $0.key < $1.key }) {
          try file.setAttribute(name, of: array.name, to: value.value)
        }
        skeleton.regions[array.name] = Region(
          offset: dataset.fileOffset ?? 0, byteCount: array.byteCount)
      }
      try file.close()
      skeleton.byteCount = memory.byteCount
      var start = 0
      for hole in skeleton.regions.values.sorted(by: { $0.offset < $1.offset })
      where hole.byteCount > 0 {
        skeleton.pieces.append((start, try memory.bytes(start..<hole.offset)))
        start = hole.offset + hole.byteCount
      }
      skeleton.pieces.append((start, try memory.bytes(start..<skeleton.byteCount)))
    } catch {
      // The name of the file in memory would confuse users.
      let reason = "\(error)".split(separator: ": ", maxSplits: 1).last ?? ""
      throw .unwritable(path: path, action: "lay it out in memory", reason: String(reason))
    }
    return skeleton
  }
}

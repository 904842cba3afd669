// Reading the IDX format of MNIST and its successors, plain or compressed by gzip.

internal import CZlib
internal import Glibc

/// A file in the IDX format: one array of numbers, big-endian, outermost axis first.
///
/// Source: Y. LeCun, *The MNIST Database*, "the IDX file format".
public final class IDXFile {
  /// The type of the elements.
  public enum ElementType: UInt8, Hashable, Sendable, CaseIterable {
    /// Unsigned, 8 bits.
    case uint8 = 0x08
    /// Signed, 8 bits.
    case int8 = 0x09
    /// Signed, 16 bits.
    case int16 = 0x0B
    /// Signed, 32 bits.
    case int32 = 0x0C
    /// IEEE 754 binary32.
    case float32 = 0x0D
    /// IEEE 754 binary64.
    case float64 = 0x0E

    /// The bytes of one element.
    public var byteCount: Int {
      switch self {
      case .uint8, .int8: 1
      case .int16: 2
      case .int32, .float32: 4
      case .float64: 8
      }
    }
  }

  /// The file's path.
  public let path: String
  /// The type of the elements.
  public private(set) var type = ElementType.uint8
  /// The lengths of the axes.
  public private(set) var shape: [Int] = []
  /// The size of all elements in bytes.
  public private(set) var byteCount = 0
  private let stream: gzFile
  private var position = 0

  /// Opens a file and reads its header.
  ///
  /// - Parameter path: The file, compressed or not.
  /// - Throws: ``DatasetError/unreadable(path:message:)``, or
  ///   ``DatasetError/badIDX(path:found:expected:)`` for another format or a file whose length does not fit
  ///   its extents.
  public init(_ path: String) throws(DatasetError) {
    self.path = path
    var status = stat()
    // Without O_NONBLOCK, opening a FIFO waits for its other end.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0, fstat(descriptor, &status) == 0 else {
      throw .unreadable(path: path, message: "\(path): \(String(cString: strerror(errno)))")
    }
    let isRegular = status.st_mode & S_IFMT == S_IFREG
    guard isRegular || IDXFile.isPipe(descriptor) else {
      close(descriptor)
      throw .unreadable(path: path, message: "\(path): not a regular file or a pipe")
    }
    // The pipe that a shell makes for <(COMMAND) may deliver its bytes later.
    if !isRegular { _ = fcntl(descriptor, F_SETFL, O_RDONLY) }
    guard let stream = gzdopen(descriptor, "rb") else {
      close(descriptor)
      throw .unreadable(path: path, message: "\(path): \(String(cString: strerror(ENOMEM)))")
    }
    self.stream = stream
    gzbuffer(stream, 1 << 18)
    let magic = try header(4)
    guard magic[0] == 0, magic[1] == 0, let type = ElementType(rawValue: magic[2]), magic[3] > 0
    else {
      throw .badIDX(
        path: path, found: "starts with \(magic)", expected: "the IDX format: 0, 0, type, axes")
    }
    self.type = type
    var shape: [Int] = []
    var byteCount = type.byteCount
    for _ in 0..<magic[3] {
      let extent = try header(4).reduce(0) { $0 << 8 | Int($1) }
      let (product, overflows) = byteCount.multipliedReportingOverflow(by: extent)
      shape.append(extent)
      guard !overflows else {
        throw .badIDX(path: path, found: "extents \(shape)", expected: "a file that can exist")
      }
      byteCount = product
    }
    self.shape = shape
    self.byteCount = byteCount
    let (length, isBeyondCount) = byteCount.addingReportingOverflow(4 + 4 * shape.count)
    // Deflate compresses at most 1032 bytes to one; the length of a pipe is unknown.
    let isCompressed = gzdirect(stream) == 0
    guard !isBeyondCount, !isRegular || !isCompressed || length / 1032 <= status.st_size else {
      throw .badIDX(
        path: path, found: "extents \(shape)",
        expected: "as many elements as \(status.st_size) bytes can hold")
    }
    guard !isRegular || isCompressed || status.st_size == length else {
      throw .badIDX(
        path: path, found: "\(status.st_size) bytes",
        expected: "\(length) for \(type) of extents \(shape)")
    }
  }

  deinit { gzclose(stream) }

  /// Returns whether an open file is an unnamed pipe; a named one may lack a process at its other end.
  private static func isPipe(_ descriptor: Int32) -> Bool {
    var target = [CChar](repeating: 0, count: 5)
    let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count)
    return target.prefix(max(count, 0)).map(UInt8.init(bitPattern:)) == Array("pipe:".utf8)
  }

  /// Reads the next elements, converted to this machine's byte order.
  ///
  /// - Parameter buffer: Memory for whole elements, no more than remain.
  /// - Throws: ``DatasetError/badIDX(path:found:expected:)`` if the file ends early, or continues after its last
  ///   element.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(DatasetError) {
    let count = type.byteCount
    precondition(buffer.count % count == 0 && position + buffer.count <= byteCount)
    try fill(buffer)
    position += buffer.count
    if count > 1 {
      for start in stride(from: 0, to: buffer.count, by: count) {
        buffer[start..<start + count].reverse()
      }
    }
    if position == byteCount { try checkEnd() }
  }

  /// Throws if the file continues after its last element, or its checksum is missing or wrong.
  private func checkEnd() throws(DatasetError) {
    guard gzgetc(stream) < 0 else {
      throw .badIDX(
        path: path, found: "more than \(byteCount) bytes of elements",
        expected: "\(byteCount) for \(type) of extents \(shape)")
    }
    var code: Int32 = 0
    _ = gzerror(stream, &code)
    guard code == Z_OK else { throw damage() }
  }

  /// Returns the error for zlib's finding.
  private func damage() -> DatasetError {
    var code: Int32 = 0
    let message = gzerror(stream, &code).map { String(cString: $0) } ?? ""
    return .badIDX(
      path: path,
      found: code == Z_OK || code == Z_BUF_ERROR ? "ends too early" : "damaged: \(message)",
      expected: shape.isEmpty
        ? "the IDX format" : "\(byteCount) bytes for \(type) of extents \(shape)")
  }

  private func header(_ count: Int) throws(DatasetError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBufferPointer { (bytes) throws(DatasetError) in
      try fill(UnsafeMutableRawBufferPointer(bytes))
    }
    return bytes
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer) throws(DatasetError) {
    var done = 0
    while done < buffer.count {
      let wanted = min(buffer.count - done, 1 << 30)
      let count = gzread(stream, buffer.baseAddress.map { $0 + done }, UInt32(wanted))
      guard count > 0 else { throw damage() }
      done += Int(count)
    }
  }
}

// `metrics.jsonl`: one JSON object per record, continued when a run is resumed.

public import Files

/// Appends records to `metrics.jsonl`.
///
/// Records are collected in memory and written at most once a second, and on request. The writer has one
/// owner and is not shared between threads; records not yet written when it is released are lost.
public final class MetricsWriter {
  private let folder: Folder
  private let name: String
  private let file: Descriptor
  private var pending: [UInt8] = []
  /// The length of the file up to the last whole record.
  private var byteCount: Int
  private var lastFlush: ContinuousClock.Instant
  private let interval: Duration

  /// Opens or makes the file and cuts off the records after a step.
  ///
  /// It cuts off the first record of a later step and everything after it, and an unfinished last line. A file
  /// with other names, by hard links, is copied first, so that its contents under those names stay as they are.
  ///
  /// - Parameters:
  ///   - folder: The folder of the file.
  ///   - name: Its name.
  ///   - step: The last step whose records are kept.
  ///   - interval: The minimum time between two writes.
  /// - Throws: ``RunError/file(_:)``; a link is refused.
  public init(
    in folder: Folder, _ name: String = "metrics.jsonl", after step: Int,
    interval: Duration = .seconds(1)
  ) throws(RunError) {
    self.interval = interval
    self.folder = folder
    self.name = name
    lastFlush = .now
    do throws(FileError) {
      let opened = try folder.open(name, .append)
      let bytes = try opened.readAll()
      byteCount = keptByteCount(of: bytes, upTo: step)
      if try opened.nameCount() > 1 {
        let kept = Array(bytes.prefix(byteCount))
        try kept.withUnsafeBufferPointer { (kept) throws(FileError) in
          try folder.replace(name, with: [UnsafeRawBufferPointer(kept)])
        }
        file = try folder.open(name, .append)
      } else {
        file = opened
        if byteCount < bytes.count { try file.truncate(toByteCount: byteCount) }
      }
    } catch {
      throw .file(error)
    }
  }

  /// Appends one record.
  ///
  /// - Parameters:
  ///   - kind: Its kind, the first field; kinds other than `timing` hold nothing that depends on
  ///     time, ranks or workers.
  ///   - fields: The other fields in the order of writing; one of them is `step`, an integer that never
  ///     decreases from one record to the next.
  /// - Throws: ``RunError/file(_:)``; the file then still ends with a whole record.
  public func append(
    _ kind: String, _ fields: [(key: String, value: JSONValue)]
  ) throws(RunError) {
    precondition(
      fields.contains { field in
        if case .integer = field.value { return field.key == "step" }
        return false
      }, "a record of kind '\(kind)' without its step")
    pending += jsonObject([("kind", .string(kind))] + fields).utf8
    pending.append(0x0A)
    if ContinuousClock.now - lastFlush >= interval { try flush() }
  }

  /// Writes pending records.
  ///
  /// - Throws: ``RunError/file(_:)``; the records then stay pending.
  public func flush() throws(RunError) {
    lastFlush = .now
    guard !pending.isEmpty else { return }
    do throws(FileError) {
      // Records in a file that no path leads to would be lost.
      try folder.require(file, at: name, byteCount: byteCount)
      try pending.withUnsafeBufferPointer { (bytes) throws(FileError) in
        try file.write(UnsafeRawBufferPointer(bytes))
      }
    } catch {
      // Part of a record may have been written; the next attempt starts after the last whole one.
      try? file.truncate(toByteCount: byteCount)
      throw .file(error)
    }
    byteCount += pending.count
    pending.removeAll(keepingCapacity: true)
  }

  /// Writes pending records and returns when they are on the disk.
  ///
  /// Call it before each checkpoint, so that records never fall behind, and at the end.
  ///
  /// - Throws: ``RunError/file(_:)``.
  public func sync() throws(RunError) {
    try flush()
    try converted { () throws(FileError) in try file.sync() }
  }

  /// Writes pending records and closes the file; nothing else may be called afterwards.
  ///
  /// - Throws: ``RunError/file(_:)``.
  public func close() throws(RunError) {
    try sync()
    try converted { () throws(FileError) in try file.close() }
  }
}

/// Returns the number of bytes that hold the records up to a step.
///
/// Other lines are kept if a record follows them, and dropped at the end of the file.
private func keptByteCount(of bytes: [UInt8], upTo step: Int) -> Int {
  var kept = 0
  var start = 0
  while let end = bytes[start...].firstIndex(of: 0x0A) {
    if let recorded = recordedStep(bytes[start..<end]) {
      if recorded > step { return kept }
      kept = end + 1
    }
    start = end + 1
  }
  return kept
}

/// Returns the step of a record; quotes inside texts are escaped, so the bytes of the key identify it.
private func recordedStep(_ line: ArraySlice<UInt8>) -> Int? {
  let key = Array("\"step\":".utf8)
  guard line.first == UInt8(ascii: "{"), line.last == UInt8(ascii: "}") else { return nil }
  var index = line.startIndex
  while index + key.count < line.endIndex {
    if line[index] == key[0], line[index..<index + key.count].elementsEqual(key) {
      let digits = line[(index + key.count)...].prefix { (0x30...0x39).contains($0) }
      return Int(String(decoding: digits, as: UTF8.self))
    }
    index += 1
  }
  return nil
}

// The conversion of a pair of IDX files to a data file.

/// Writes a data file from samples and labels in the IDX format.
///
/// Numbers keep their type. Bytes are assumed to be images of 0 to 255 and get the scale 1/255; images of
/// `[row, height, width]` become `[row, 1, height, width]`.
///
/// - Parameters:
///   - samples: The IDX file of the samples, of two axes or more.
///   - labels: The IDX file of the labels, of one axis.
///   - path: The data file to write.
///   - scale: The factor from stored numbers to values, instead of the usual one.
///   - classNames: The names of the classes; labels must be below their count.
///   - replacing: True if a file of that name may be replaced.
/// - Throws: ``DatasetError`` if an IDX file is damaged, if the two disagree, or if the file cannot be
///   written; no file is left then.
/// - Complexity: O(bytes), a few MiB of memory.
public func importIDX(
  samples: String, labels: String, to path: String, scale: Double? = nil,
  classNames: [String]? = nil, replacing: Bool = false
) throws(DatasetError) {
  let samplesFile = try IDXFile(samples)
  let labelsFile = try IDXFile(labels)
  guard samplesFile.shape.count >= 2 else {
    throw .badIDX(
      path: samples, found: "extents \(samplesFile.shape)",
      expected: "[row, ...] of two axes or more")
  }
  guard labelsFile.shape.count == 1, labelsFile.type.isInteger else {
    throw .badIDX(
      path: labels, found: "\(labelsFile.type) of extents \(labelsFile.shape)",
      expected: "integers of extents [row]")
  }
  guard samplesFile.shape[0] > 0, !samplesFile.shape.contains(0) else {
    throw .noRows(path: samples, dataset: "samples")
  }
  guard samplesFile.shape[0] == labelsFile.shape[0] else {
    throw .lengthsDiffer(
      path: path, dataset: labels, rows: labelsFile.shape[0], other: samples,
      otherRows: samplesFile.shape[0])
  }
  var shape = samplesFile.shape
  if shape.count == 3 { shape.insert(1, at: 1) }
  var attributes: [String: DatasetWriter.Attribute] = [:]
  if shape.count == 4 { attributes["layout"] = .text("chw") }
  if let scale = scale ?? (samplesFile.type == .uint8 ? 1.0 / 255 : nil) {
    attributes["scale"] = .number(scale)
    attributes["bias"] = .number(0)
  }
  let writer = try DatasetWriter(
    path: path,
    arrays: [
      DatasetWriter.Array(
        name: "samples", type: samplesFile.type.stored, shape: shape, attributes: attributes),
      DatasetWriter.Array(
        name: "labels", type: labelsFile.type.stored, shape: labelsFile.shape,
        attributes: classNames.map { ["class_names": .texts($0)] } ?? [:]),
    ], replacing: replacing)
  try copy(labelsFile, to: writer, as: "labels") { (row, value) throws(DatasetError) in
    guard value >= 0, value < classNames?.count ?? Int.max else {
      throw .badLabel(
        path: labels, dataset: "labels", row: row, found: "\(value)",
        expected: classNames.map { "one of \($0.count) classes" } ?? "0 or more")
    }
  }
  try copy(samplesFile, to: writer, as: "samples")
  try writer.finish()
}

/// Copies all elements of an IDX file, passing integers to `check` if given.
private func copy(
  _ file: IDXFile, to writer: DatasetWriter, as name: String,
  check: ((_ row: Int, _ value: Int) throws(DatasetError) -> Void)? = nil
) throws(DatasetError) {
  let block = UnsafeMutableRawBufferPointer.allocate(
    byteCount: min(file.byteCount, 1 << 22), alignment: 64)
  defer { block.deallocate() }
  var done = 0
  while done < file.byteCount {
    let part = UnsafeMutableRawBufferPointer(
      rebasing: block[..<min(block.count, file.byteCount - done)])
    try file.read(into: part)
    if let check {
      let first = done / file.type.byteCount
      for index in 0..<part.count / file.type.byteCount {
        try check(first + index, file.type.integer(at: index, of: part))
      }
    }
    try writer.append(UnsafeRawBufferPointer(part), to: name)
    done += part.count
  }
}

extension IDXFile.ElementType {
  fileprivate var isInteger: Bool { self != .float32 && self != .float64 }

  fileprivate var stored: DatasetWriter.ElementType {
    switch self {
    case .uint8: .uint8
    case .int8: .int8
    case .int16: .int16
    case .int32: .int32
    case .float32: .float32
    case .float64: .float64
    }
  }

  /// Returns the integer at an index of a buffer; 0 for floats.
  fileprivate func integer(at index: Int, of buffer: UnsafeMutableRawBufferPointer) -> Int {
    switch self {
    case .uint8: Int(buffer[index])
    case .int8: Int(Int8(bitPattern: buffer[index]))
    case .int16: Int(buffer.load(fromByteOffset: 2 * index, as: Int16.self))
    case .int32: Int(buffer.load(fromByteOffset: 4 * index, as: Int32.self))
    case .float32, .float64: 0
    }
  }
}

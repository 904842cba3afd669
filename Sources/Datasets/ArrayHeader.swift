// The header of one array of a data file, checked against the use of the array.

internal import Digests
internal import HDF5
internal import Tensors

/// One array of a data file without its rows: name, type, extents and attributes.
struct ArrayHeader: Sendable {
  let path: String
  let name: String
  let type: HDF5ScalarType
  let shape: [Int]
  /// Its attributes with a meaning here.
  let attributes: [(name: String, value: HDF5Attribute)]
  /// The open array, nil in a copy that outlives the file.
  private var dataset: HDF5Dataset?

  /// The maximum number of rows, and of elements of a row.
  private static let limit = Int(Int32.max)

  init(_ file: HDF5File, _ name: String) throws(DatasetError) {
    let path = file.name
    let dataset = try reading(path) { () throws(HDF5Error) in try file.dataset(name) }
    guard let type = dataset.info.type else {
      throw .wrongType(
        path: path, dataset: name, found: dataset.info.typeName,
        expected: "integers or IEEE floats of up to 64 bits")
    }
    guard dataset.info.shape.count >= 1 else {
      throw .wrongShape(path: path, dataset: name, found: [], expected: "[row, ...]")
    }
    guard dataset.info.shape[0] > 0 else { throw .noRows(path: path, dataset: name) }
    guard dataset.info.count > 0 else {
      throw .wrongShape(
        path: path, dataset: name, found: dataset.info.shape, expected: "extents of 1 or more")
    }
    let attributes = try ArrayHeader.attributes(of: name, in: file)
    if attributes.contains(where: { $0.name == "MATLAB_empty" && $0.value.integerValue == 1 }) {
      throw .noRows(path: path, dataset: name)
    }
    try reading(path) { () throws(HDF5Error) in try dataset.requireStored() }
    let rowElementCount = dataset.info.count / dataset.info.shape[0]
    guard dataset.info.shape[0] <= ArrayHeader.limit, rowElementCount <= ArrayHeader.limit else {
      throw .wrongShape(
        path: path, dataset: name, found: dataset.info.shape,
        expected: "at most \(ArrayHeader.limit) rows of \(ArrayHeader.limit) elements")
    }
    self.path = path
    self.name = name
    self.type = type
    shape = dataset.info.shape
    self.attributes = attributes
    self.dataset = dataset
  }

  /// A copy that does not keep the file open.
  var withoutFile: ArrayHeader {
    var header = self
    header.dataset = nil
    return header
  }

  /// The number of elements of one row.
  var rowElementCount: Int { shape.dropFirst().reduce(1, *) }

  /// Returns the attribute of a name, or nil without one.
  func attribute(_ name: String) -> HDF5Attribute? {
    attributes.first { $0.name == name }?.value
  }

  /// The kind of unnamed targets by their type: whole numbers, one per row, are labels.
  var likelyKind: TargetKind {
    type.kind == .integer && shape.dropFirst().allSatisfy { $0 == 1 } ? .labels : .responses
  }

  /// Adds the header to a digest, every part preceded by its length so that parts cannot merge.
  func hash(into digest: inout SHA256) {
    digest.update(counted: type.description)
    digest.update(UInt64(shape.count))
    for extent in shape { digest.update(UInt64(extent)) }
    let decisive = attributes.filter { !ArrayHeader.remarks.contains($0.name) }
    digest.update(UInt64(decisive.count))
    for (name, value) in decisive {
      digest.update(counted: name)
      switch value {
      case .string(let text): digest.update(counted: text)
      case .strings(let texts):
        digest.update(UInt64(texts.count))
        for text in texts { digest.update(counted: text) }
      default:
        let numbers = value.doubleValues ?? []
        digest.update(UInt64(numbers.count))
        for number in numbers { digest.update(number.bitPattern) }
      }
    }
  }
}

extension SHA256 {
  /// Adds the length of a string and its UTF-8 bytes.
  fileprivate mutating func update(counted text: String) {
    update(UInt64(text.utf8.count))
    update(text)
  }
}

extension ArrayHeader {
  /// Determines layout, scale and bias and opens the rows as samples.
  ///
  /// - Parameters:
  ///   - options: The layout and factors that override attributes.
  ///   - source: The file that rows are read from.
  /// - Returns: The rows, the shape of one sample with channels first, and notices of guesses.
  /// - Throws: ``DatasetError`` for unsuitable attributes or options.
  func openSamples(
    _ options: Dataset.Options, in source: DataFile
  ) throws(DatasetError) -> (rows: RowStore, shape: Shape, notices: [Dataset.Notice]) {
    try refuseOtherMeanings()
    let (layout, notice) = try readLayout(options.layout)
    let isChannelsLast = layout == .hwc
    var extents = shape.count == 1 ? [1] : Array(shape.dropFirst())
    var channelsFirst: ChannelsFirst?
    if isChannelsLast {
      guard extents.count == 3 else {
        throw .wrongShape(
          path: path, dataset: name, found: shape,
          expected: "[row, height, width, channel] for layout 'hwc'")
      }
      let (height, width, channels) = (extents[0], extents[1], extents[2])
      extents = [channels, height, width]
      channelsFirst = ChannelsFirst(
        pixelCount: height * width, channelCount: channels,
        elementByteCount: type.machineType.byteCount)
    }
    let (scales, biases) = try readFactors(
      scale: options.scale, bias: options.bias, channelCount: extents[0])
    let conversion = RowConversion(
      type: type, elementCount: rowElementCount, scales: scales, biases: biases)
    if type.kind == .integer { try checkRange(conversion) }
    let rows = RowStore(
      file: source, name: name, rowCount: shape[0], dataset: dataset, conversion: conversion,
      channelsFirst: channelsFirst, missing: MissingValues(self))
    return (rows, Shape(extents), notice.map { [$0] } ?? [])
  }

  /// Opens the rows as responses.
  func openResponses(in source: DataFile) throws(DatasetError) -> RowStore {
    guard shape.count <= 2 else {
      throw .wrongShape(path: path, dataset: name, found: shape, expected: "[row, response]")
    }
    try refuseOtherMeanings()
    let (scales, biases) = try readFactors(scale: nil, bias: nil, channelCount: rowElementCount)
    let conversion = RowConversion(
      type: type, elementCount: rowElementCount, scales: scales, biases: biases)
    if type.kind == .integer { try checkRange(conversion) }
    return RowStore(
      file: source, name: name, rowCount: shape[0], dataset: dataset, conversion: conversion,
      channelsFirst: nil, missing: MissingValues(self))
  }

  /// Reads all class numbers into the given memory, and adds them to a digest.
  func readLabels(
    into memory: RowMemory, _ digest: inout SHA256
  ) throws(DatasetError) -> Labels {
    guard shape.dropFirst().allSatisfy({ $0 == 1 }), shape.count <= 2 else {
      throw .wrongShape(
        path: path, dataset: name, found: shape, expected: "[row], one class number each")
    }
    try refuseOtherMeanings()
    try refuseFactors()
    let numbers = memory.bytes.bindMemory(to: Int32.self)
    // Read in blocks, so that 8 bytes per row are never held for all rows at once.
    let blockRowCount = 1 << 16
    for start in stride(from: 0, to: shape[0], by: blockRowCount) {
      let rows = start..<min(shape[0], start + blockRowCount)
      switch type.kind {
      case .integer where !type.isSigned && type.byteCount == 8:
        try readLabels(rows, as: .uint64, zero: 0 as UInt64, into: numbers) { Int32(exactly: $0) }
      case .integer:
        try readLabels(rows, as: .int64, zero: 0 as Int64, into: numbers) { Int32(exactly: $0) }
      case .float:
        try readLabels(rows, as: .float64, zero: 0 as Double, into: numbers) { Int32(exactly: $0) }
      }
    }
    let labels = Labels(memory, count: shape[0])
    if let missing = MissingValues(self) {
      for (row, label) in labels.enumerated() {
        guard let attribute = missing.attribute(marking: Double(label)) else { continue }
        throw .missingValue(
          path: path, dataset: name, row: row, found: "\(label)", attribute: attribute)
      }
    }
    digest.update(
      UnsafeRawBufferPointer(rebasing: memory.bytes[..<(shape[0] * MemoryLayout<Int32>.stride)]))
    return labels
  }

  private func readLabels<Raw: BitwiseCopyable>(
    _ rows: Range<Int>, as type: HDF5ScalarType, zero: Raw,
    into labels: UnsafeMutableBufferPointer<Int32>,
    _ label: (Raw) -> Int32?
  ) throws(DatasetError) {
    var raw = [Raw](repeating: zero, count: rows.count)
    try reading(path) { () throws(HDF5Error) in
      try raw.withUnsafeMutableBufferPointer { (raw) throws(HDF5Error) in
        try dataset?.read(rows: rows, into: UnsafeMutableRawBufferPointer(raw), as: type)
      }
    }
    for (index, value) in raw.enumerated() {
      guard let label = label(value), label >= 0 else {
        throw .badLabel(
          path: path, dataset: name, row: rows.lowerBound + index, found: "\(value)",
          expected: "a class number: whole, from 0 to \(Int32.max)")
      }
      labels[rows.lowerBound + index] = label
    }
  }

  /// Throws if scale and bias could make an integer of the type infinite.
  private func checkRange(_ conversion: RowConversion) throws(DatasetError) {
    let bits = 8 * type.byteCount - (type.isSigned ? 1 : 0)
    let largest = Float(sign: .plus, exponent: bits, significand: 1)
    for (scale, bias) in zip(conversion.scales, conversion.biases)
    where !(abs(scale) * largest + abs(bias)).isFinite {
      throw .badAttribute(
        path: path, dataset: name, attribute: "scale", found: "\(scale)",
        expected: "one that keeps every \(type) finite")
    }
  }
}

extension HDF5Attribute {
  /// The value as messages show it.
  var text: String {
    switch self {
    case .string(let value): "'\(value)'"
    case .strings(let values): "[" + values.map { "'\($0)'" }.joined(separator: ", ") + "]"
    case .integer(let value): "\(value)"
    case .integers(let values): "\(values)"
    case .unsigned(let value): "\(value)"
    case .double(let value): "\(value)"
    case .doubles(let values): "\(values)"
    }
  }
}

// What one array of a data file says about itself, checked against what it is used for.

internal import Digests
internal import HDF5
internal import Tensors

/// One array of a data file without its rows: name, type, extents and attributes.
struct ArrayHeader: Sendable {
  let path: String
  let name: String
  let type: HDF5ScalarType
  let shape: [Int]
  /// The attributes that mean something here, those that are there.
  let attributes: [(name: String, value: HDF5Attribute)]
  /// The open array, nil in a copy that outlives the file.
  private var dataset: HDF5Dataset?

  /// The attributes with a meaning; others are left alone.
  private static let knownAttributes = ["bias", "class_names", "layout", "scale"]

  /// The number of rows, and of elements of a row, beyond which an array is refused.
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
    try reading(path) { () throws(HDF5Error) in try dataset.requireStored() }
    let rowElementCount = dataset.info.count / dataset.info.shape[0]
    guard dataset.info.shape[0] <= ArrayHeader.limit, rowElementCount <= ArrayHeader.limit else {
      throw .wrongShape(
        path: path, dataset: name, found: dataset.info.shape,
        expected: "at most \(ArrayHeader.limit) rows of \(ArrayHeader.limit) elements")
    }
    var attributes: [(name: String, value: HDF5Attribute)] = []
    for attribute in ArrayHeader.knownAttributes {
      let value = try reading(path) { () throws(HDF5Error) in
        try file.attribute(attribute, of: name)
      }
      if let value { attributes.append((attribute, value)) }
    }
    self.path = path
    self.name = name
    self.type = type
    shape = dataset.info.shape
    self.attributes = attributes
    self.dataset = dataset
  }

  /// The header alone: the file can be closed while it is kept.
  var withoutFile: ArrayHeader {
    var header = self
    header.dataset = nil
    return header
  }

  /// The elements of one row.
  var rowElementCount: Int { shape.dropFirst().reduce(1, *) }

  /// The attribute of that name.
  func attribute(_ name: String) -> HDF5Attribute? {
    attributes.first { $0.name == name }?.value
  }

  /// What unnamed targets are by their type: whole numbers, one per row, are labels.
  var likelyKind: TargetKind {
    type.kind == .integer && shape.dropFirst().allSatisfy { $0 == 1 } ? .labels : .responses
  }

  /// Feeds all of it into a digest, every part with its length so that none runs into the next.
  func hash(into digest: inout SHA256) {
    digest.update(counted: type.description)
    digest.update(UInt64(shape.count))
    for extent in shape { digest.update(UInt64(extent)) }
    digest.update(UInt64(attributes.count))
    for (name, value) in attributes {
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
  /// Appends the length of a string and its UTF-8 bytes.
  fileprivate mutating func update(counted text: String) {
    update(UInt64(text.utf8.count))
    update(text)
  }
}

extension ArrayHeader {
  /// Reads layout, scale and bias and gives the rows as samples.
  ///
  /// - Returns: The rows, and the shape of one sample with channels first.
  func openSamples(
    in source: DataFile
  ) throws(DatasetError) -> (rows: RowStore, shape: Shape) {
    let isChannelsLast = try readLayout() == "hwc"
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
    let scales = try readFactors("scale", default: 1, channelCount: extents[0])
    let biases = try readFactors("bias", default: 0, channelCount: extents[0])
    let conversion = RowConversion(
      type: type, elementCount: rowElementCount, scales: scales, biases: biases)
    if type.kind == .integer { try checkRange(conversion) }
    let rows = RowStore(
      file: source, name: name, rowCount: shape[0], dataset: dataset, conversion: conversion,
      channelsFirst: channelsFirst)
    return (rows, Shape(extents))
  }

  /// Gives the rows as responses.
  func openResponses(in source: DataFile) throws(DatasetError) -> RowStore {
    guard shape.count <= 2 else {
      throw .wrongShape(path: path, dataset: name, found: shape, expected: "[row, response]")
    }
    return RowStore(
      file: source, name: name, rowCount: shape[0], dataset: dataset,
      conversion: RowConversion(type: type, elementCount: rowElementCount),
      channelsFirst: nil)
  }

  /// Reads all class numbers into memory for them, and feeds them into a digest.
  func readLabels(
    into memory: RowMemory, _ digest: inout SHA256
  ) throws(DatasetError) -> Labels {
    guard shape.dropFirst().allSatisfy({ $0 == 1 }), shape.count <= 2 else {
      throw .wrongShape(
        path: path, dataset: name, found: shape, expected: "[row], one class number each")
    }
    let labels = memory.bytes.bindMemory(to: Int32.self)
    // Blocks, so that 8 bytes a row are never held for all rows at once.
    let blockRowCount = 1 << 16
    for start in stride(from: 0, to: shape[0], by: blockRowCount) {
      let rows = start..<min(shape[0], start + blockRowCount)
      switch type.kind {
      case .integer where !type.isSigned && type.byteCount == 8:
        try readLabels(rows, as: .uint64, zero: 0 as UInt64, into: labels) { Int32(exactly: $0) }
      case .integer:
        try readLabels(rows, as: .int64, zero: 0 as Int64, into: labels) { Int32(exactly: $0) }
      case .float:
        try readLabels(rows, as: .float64, zero: 0 as Double, into: labels) { Int32(exactly: $0) }
      }
    }
    digest.update(
      UnsafeRawBufferPointer(rebasing: memory.bytes[..<(shape[0] * MemoryLayout<Int32>.stride)]))
    return Labels(memory, count: shape[0])
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

  /// The names of the classes, if the file has them.
  func classNames() throws(DatasetError) -> [String]? {
    switch attribute("class_names") {
    case nil: return nil
    case .strings(let names): return names
    case .string(let name): return [name]
    case .some(let value):
      throw .badAttribute(
        path: path, dataset: name, attribute: "class_names", found: value.text,
        expected: "a list of strings")
    }
  }

  private func readLayout() throws(DatasetError) -> String {
    guard let value = attribute("layout") else { return "chw" }
    guard let layout = value.stringValue, ["chw", "hwc"].contains(layout) else {
      throw .badAttribute(
        path: path, dataset: name, attribute: "layout", found: value.text,
        expected: "'chw' or 'hwc'")
    }
    return layout
  }

  private func readFactors(
    _ attribute: String, default standard: Float, channelCount: Int
  ) throws(DatasetError) -> [Float] {
    guard let value = self.attribute(attribute) else { return [standard] }
    let factors = (value.doubleValues ?? []).map { Float($0) }
    guard factors.count == 1 || factors.count == channelCount, factors.allSatisfy(\.isFinite)
    else {
      throw .badAttribute(
        path: path, dataset: name, attribute: attribute, found: value.text,
        expected: channelCount == 1
          ? "a finite number" : "a finite number, or \(channelCount) of them, one per channel")
    }
    return factors
  }

  /// Throws if an integer of the type could become infinite by scale and bias.
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
  /// The value as it is shown to people.
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

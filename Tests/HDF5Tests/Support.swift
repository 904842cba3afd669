import HDF5

/// Every type a dataset may have, in both byte orders.
let allTypes: [HDF5ScalarType] =
  (1...8).flatMap { bytes in
    [true, false].map { .integer(byteCount: bytes, isSigned: $0) }
  }.flatMap { [$0, $0.bigEndian] }
  + [HDF5ScalarType.float16, .float32, .float64].flatMap { [$0, $0.bigEndian] }

extension HDF5File {
  /// Writes a dataset from the elements of an array.
  func write<Element: BitwiseCopyable>(
    _ path: String, _ values: [Element], type: HDF5ScalarType, shape: [Int]? = nil,
    from memoryType: HDF5ScalarType? = nil
  ) throws {
    let dataset = try createDataset(path, type: type, shape: shape ?? [values.count])
    try values.withUnsafeBytes { buffer throws in try dataset.write(buffer, as: memoryType) }
  }

  /// Reads a dataset into an array.
  func read<Element: BitwiseCopyable>(
    _ path: String, as type: HDF5ScalarType? = nil, zero: Element
  ) throws -> [Element] {
    let dataset = try dataset(path)
    var values = [Element](repeating: zero, count: dataset.info.count)
    try values.withUnsafeMutableBytes { buffer throws in try dataset.read(into: buffer, as: type) }
    return values
  }
}

import Datasets
import HDF5
import Tensors
import TestSupport
import Testing

/// One array of a file made for a test.
struct TestArray {
  let name: String
  let type: HDF5ScalarType
  let shape: [Int]
  /// Given as `Double` and converted by libhdf5.
  let values: [Double]
  var attributes: [String: HDF5Attribute] = [:]

  init(
    _ name: String, _ type: HDF5ScalarType, _ shape: [Int], _ values: [Double],
    _ attributes: [String: HDF5Attribute] = [:]
  ) {
    (self.name, self.type, self.shape, self.values) = (name, type, shape, values)
    self.attributes = attributes
  }

  /// Elements 0, 1, 2, … below `modulus`.
  init(
    counting name: String, _ type: HDF5ScalarType, _ shape: [Int], modulus: Int = 100,
    _ attributes: [String: HDF5Attribute] = [:]
  ) {
    let count = shape.reduce(1, *)
    self.init(name, type, shape, (0..<count).map { Double($0 % modulus) }, attributes)
  }
}

extension TemporaryFolder {
  /// Writes a data file and returns its path.
  func write(_ arrays: [TestArray], to name: String = "train.h5") throws -> String {
    let file = try HDF5File(creating: self.file(name))
    for array in arrays {
      let dataset = try file.createDataset(array.name, type: array.type, shape: array.shape)
      try array.values.withUnsafeBytes { bytes throws in try dataset.write(bytes, as: .float64) }
      for (name, value) in array.attributes {
        try file.setAttribute(name, of: array.name, to: value)
      }
    }
    try file.close()
    return self.file(name)
  }
}

extension Dataset {
  /// The samples of some rows.
  func samples(_ rows: [Int]) throws -> [Float] {
    try read(rows, count: sampleShape.count) { rows, target throws in
      try readSamples(rows: rows, into: target)
    }
  }

  /// The responses of some rows.
  func responses(_ rows: [Int], count: Int) throws -> [Float] {
    try read(rows, count: count) { rows, target throws in
      try readResponses(rows: rows, into: target)
    }
  }

  /// The labels of some rows.
  func labels(_ rows: [Int]) -> [Int32] {
    var values = [Int32](repeating: -1, count: rows.count)
    rows.withUnsafeBufferPointer { rows in
      values.withUnsafeMutableBufferPointer { values in
        guard let target = values.baseAddress else { return }
        readLabels(rows: rows, into: target)
      }
    }
    return values
  }

  private func read(
    _ rows: [Int], count: Int,
    _ body: (UnsafeBufferPointer<Int>, UnsafeMutablePointer<Float>) throws -> Void
  ) throws -> [Float] {
    var values = [Float](repeating: .nan, count: rows.count * count)
    try rows.withUnsafeBufferPointer { rows in
      try values.withUnsafeMutableBufferPointer { values in
        guard let target = values.baseAddress else { return }
        try body(rows, target)
      }
    }
    return values
  }
}

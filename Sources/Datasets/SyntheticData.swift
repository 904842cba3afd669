// Data files of random bytes, for runs in which only the sizes matter.

internal import Numerics
public import Tensors

/// Writes a data file of random bytes with random class labels.
///
/// Bytes get the scale 1/255; samples of three axes are images, channels first. Equal arguments make
/// equal files: byte i of a row is a function only of (seed, row, i).
///
/// - Parameters:
///   - path: The data file to write.
///   - sampleShape: The shape of a sample.
///   - classCount: The number of classes, at least 1.
///   - rowCount: The number of rows, at least 1.
///   - seed: The seed of the random numbers.
///   - replacing: True if a file of that name may be replaced.
/// - Throws: ``DatasetError`` if the file cannot be written; no file is left then.
/// - Complexity: O(bytes), one row of memory.
public func writeSyntheticData(
  to path: String, sampleShape: Shape, classCount: Int, rowCount: Int, seed: UInt64,
  replacing: Bool = false
) throws(DatasetError) {
  precondition(classCount > 0 && rowCount > 0, "\(classCount) classes in \(rowCount) rows")
  var attributes: [String: DatasetWriter.Attribute] = [
    "scale": .number(1.0 / 255), "bias": .number(0),
  ]
  if sampleShape.axisCount == 3 { attributes["layout"] = .text("chw") }
  let writer = try DatasetWriter(
    path: path,
    arrays: [
      DatasetWriter.Array(
        name: "samples", type: .uint8, shape: [rowCount] + sampleShape.extents,
        attributes: attributes),
      DatasetWriter.Array(name: "labels", type: .int32, shape: [rowCount]),
    ], replacing: replacing)
  var row = [UInt8](repeating: 0, count: sampleShape.count)
  for index in 0..<rowCount {
    let draws = RandomDraws(
      seed: seed, stream: randomStream("synthetic", "samples"),
      position: UInt32(truncatingIfNeeded: index))
    row.withUnsafeMutableBytes { bytes in
      for start in stride(from: 0, to: bytes.count, by: 16) {
        withUnsafeBytes(of: draws.bits(at: start / 16)) { drawn in
          let count = min(16, bytes.count - start)
          UnsafeMutableRawBufferPointer(rebasing: bytes[start..<start + count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: drawn[..<count]))
        }
      }
    }
    try writer.append(row, to: "samples")
  }
  let draws = RandomDraws(seed: seed, stream: randomStream("synthetic", "labels"))
  try writer.append(
    (0..<rowCount).map { Int32((Int(draws.bits(at: $0)[0]) * classCount) >> 32) }, to: "labels")
  try writer.finish()
}

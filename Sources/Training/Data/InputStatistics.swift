package import Communication
package import DataParallel
package import Models
package import Tensors

/// The mean and the deviation of the samples of some rows, by channel or by element.
package struct InputStatistics: Hashable, Sendable {
  /// The means.
  package let means: [Float]
  /// The roots of the mean squared distances from the mean; 1 if all values are the same, so that dividing by
  /// it changes nothing.
  package let deviations: [Float]

  /// The rows that are read together; the last bits depend on it.
  private static let blockSize = 64

  /// Measures all rows of `source`.
  ///
  /// Collective. Blocks of rows are summed in `Double` in one tree, so every rank gets the same bits for
  /// any number of ranks.
  ///
  /// - Parameters:
  ///   - source: The rows.
  ///   - sampleShape: The shape of a sample.
  ///   - normalization: The axis of the statistics; not ``InputNormalization/off``.
  ///   - workers: The threads of this rank; ranks may differ.
  ///   - communicator: The ranks.
  /// - Throws: An error of reading rows, as a failure that all ranks agree on.
  /// - Complexity: Every row is read once, by one of the ranks; two sums of `Double` per mean, times the
  ///   logarithm of the number of blocks, are sent.
  package init(
    of source: any RowSource, sampleShape: Shape, _ normalization: InputNormalization,
    workers: Int, communicator: any Communicator
  ) throws(CommunicationError) {
    guard let shape = normalization.shape(for: sampleShape) else {
      preconditionFailure("statistics of samples that are not normalised")
    }
    let (rowCount, groupCount, sampleCount) = (source.rowCount, shape.count, sampleShape.count)
    let groupSize = sampleCount / groupCount
    let blockSize = InputStatistics.blockSize
    let samples = (0..<workers).map { _ in FloatBuffer(count: blockSize * sampleCount) }
    // Distances from a value of the first row: their sums keep the spread even if the mean is far from 0, and
    // are exactly 0 if all values are the same.
    let origins = try communicator.agreeingOnFailure {
      try [0].withUnsafeBufferPointer {
        try source.read($0, samples: samples[0].pointer, targets: nil)
      }
      return (0..<groupCount).map { Double(samples[0].pointer[$0 * groupSize]) }
    }
    let blocks = BlockSums(
      blockCount: (rowCount + blockSize - 1) / blockSize, count: 2 * groupCount)
    let sums = try blocks.total(on: communicator, WorkerPool(count: workers)) {
      worker, block, sums in
      let rows = Array(block * blockSize..<min((block + 1) * blockSize, rowCount))
      let pointer = samples[worker].pointer
      try rows.withUnsafeBufferPointer { try source.read($0, samples: pointer, targets: nil) }
      for row in rows.indices {
        for group in 0..<groupCount {
          let values = pointer + row * sampleCount + group * groupSize
          let (sum, squares) = distances(values, count: groupSize, from: origins[group])
          sums[2 * group] += sum
          sums[2 * group + 1] += squares
        }
      }
    }
    let count = Double(rowCount) * Double(groupSize)
    means = (0..<groupCount).map { Float(origins[$0] + sums[2 * $0] / count) }
    deviations = (0..<groupCount).map { group in
      let distance = sums[2 * group] / count
      let variance = sums[2 * group + 1] / count - distance * distance
      let deviation = Float(max(variance, 0).squareRoot())
      return deviation > 0 ? deviation : 1
    }
  }
}

extension InputStatistics {
  /// Returns the statistics of the rows to train on; nil if samples are not normalised.
  ///
  /// Collective.
  static func measured(
    _ splits: Splits, _ normalization: InputNormalization, workers: Int,
    _ communicator: any Communicator
  ) throws(CommunicationError) -> InputStatistics? {
    guard normalization != .off else { return nil }
    return try InputStatistics(
      of: splits.train, sampleShape: splits.sampleShape, normalization, workers: workers,
      communicator: communicator)
  }

  /// Writes the statistics into the states of a network.
  func write(into vector: FloatBuffer, _ layout: FlatLayout) {
    for (name, values) in [
      (Network.inputMeanName, means), (Network.inputDeviationName, deviations),
    ] {
      guard let range = layout[name] else { preconditionFailure("no state '\(name)'") }
      for (index, value) in zip(range.indices, values) { vector.elements[index] = value }
    }
  }
}

/// Returns the sum of the distances of some values from an origin, and of their squares.
private func distances(
  _ values: UnsafePointer<Float>, count: Int, from origin: Double
) -> (sum: Double, squares: Double) {
  var (sums, squares) = (SIMD8<Double>.zero, SIMD8<Double>.zero)
  var index = 0
  while index + 8 <= count {
    let distance =
      SIMD8<Double>(UnsafeRawPointer(values + index).loadUnaligned(as: SIMD8<Float>.self)) - origin
    sums += distance
    squares += distance * distance
    index += 8
  }
  var (sum, square) = (sums.sum(), squares.sum())
  while index < count {
    let distance = Double(values[index]) - origin
    sum += distance
    square += distance * distance
    index += 1
  }
  return (sum, square)
}

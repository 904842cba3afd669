public import DataParallel
public import Models
import Numerics
public import Tensors

/// Random rows in memory, for measurements.
public final class RandomRows: RowSource {
  /// The number of rows.
  public let rowCount: Int
  private let sampleCount: Int
  private let samples: [Float]
  private let targets: Network.Targets
  private let classCount: Int

  /// Draws rows.
  ///
  /// - Parameters:
  ///   - count: The number of rows.
  ///   - sampleShape: The shape of a sample.
  ///   - targets: The targets of a row.
  ///   - classCount: The number of classes that labels are drawn from.
  ///   - wholeNumbers: The elements of a sample that name rows of tables.
  public init(
    _ count: Int, sampleShape: Shape, targets: Network.Targets, classCount: Int,
    wholeNumbers: [Network.WholeNumbers] = []
  ) {
    rowCount = count
    sampleCount = sampleShape.count
    self.targets = targets
    self.classCount = classCount
    let draws = RandomDraws(seed: 1, stream: randomStream("random rows"))
    var samples = (0..<count * sampleCount).map { draws.uniform(at: $0) }
    for row in 0..<count {
      for numbers in wholeNumbers {
        for element in numbers.elements {
          samples[row * sampleCount + element] = Float((row + 7 * element) % numbers.count)
        }
      }
    }
    self.samples = samples
  }

  /// Writes the samples and targets of some rows.
  public func read(
    _ rows: UnsafeBufferPointer<Int>, samples: UnsafeMutablePointer<Float>, targets: TargetMemory?
  ) {
    self.samples.withUnsafeBufferPointer { all in
      guard let base = all.baseAddress else { return }
      for (index, row) in rows.enumerated() {
        (samples + index * sampleCount).update(from: base + row * sampleCount, count: sampleCount)
      }
    }
    switch targets {
    case .labels(let labels):
      for (index, row) in rows.enumerated() { labels[index] = Int32(row % classCount) }
    case .responses(let responses):
      guard case .responses(let count) = self.targets else { return }
      for (index, row) in rows.enumerated() {
        for number in 0..<count { responses[index * count + number] = Float(row % 7) / 7 }
      }
    case nil: break
    }
  }
}

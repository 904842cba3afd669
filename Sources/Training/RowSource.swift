public import Datasets
public import Models
import Numerics
public import Tensors

/// Rows that a network is trained or evaluated on.
///
/// Safe to read from several threads at once.
public protocol RowSource: AnyObject, Sendable {
  /// The number of rows.
  var rowCount: Int { get }
  /// Writes the samples and targets of some rows.
  ///
  /// - Parameters:
  ///   - rows: Indices within `0 ..< rowCount`, in the order wanted.
  ///   - samples: Room for that many samples, row-major.
  ///   - targets: Where class numbers or responses go; nil if there are none to read.
  /// - Throws: What reading a file can throw; the values of a row that is not usable.
  func read(
    _ rows: UnsafeBufferPointer<Int>, samples: UnsafeMutablePointer<Float>, targets: TargetMemory?
  ) throws
}

/// Where the targets of rows go.
public enum TargetMemory {
  /// Class numbers, one per row.
  case labels(UnsafeMutablePointer<Int32>)
  /// Numbers, row-major.
  case responses(UnsafeMutablePointer<Float>)
}

/// The rows of a dataset, or a fixed part of them.
public final class DatasetRows: RowSource {
  /// The file.
  public let dataset: Dataset
  private let selection: RowSelection?

  /// Creates a source of all rows of `dataset`, or of a selection.
  public init(_ dataset: Dataset, selection: RowSelection? = nil) {
    self.dataset = dataset
    self.selection = selection
  }

  /// The number of rows.
  public var rowCount: Int { selection?.count ?? dataset.rowCount }

  /// Writes the samples and targets of some rows.
  ///
  /// - Throws: `DatasetError`.
  public func read(
    _ rows: UnsafeBufferPointer<Int>, samples: UnsafeMutablePointer<Float>, targets: TargetMemory?
  ) throws {
    guard let selection else { return try readDirectly(rows, samples, targets) }
    try withUnsafeTemporaryAllocation(of: Int.self, capacity: rows.count) { selected in
      for index in 0..<rows.count { selected[index] = selection[rows[index]] }
      try readDirectly(UnsafeBufferPointer(rebasing: selected[..<rows.count]), samples, targets)
    }
  }

  private func readDirectly(
    _ rows: UnsafeBufferPointer<Int>, _ samples: UnsafeMutablePointer<Float>,
    _ targets: TargetMemory?
  ) throws {
    try dataset.readSamples(rows: rows, into: samples)
    switch targets {
    case .labels(let labels): dataset.readLabels(rows: rows, into: labels)
    case .responses(let responses): try dataset.readResponses(rows: rows, into: responses)
    case nil: break
    }
  }
}

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
  ///   - targets: What a row is compared with.
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
        for place in 0..<count { responses[index * count + place] = Float(row % 7) / 7 }
      }
    case nil: break
    }
  }
}

public import DataParallel
public import Datasets

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

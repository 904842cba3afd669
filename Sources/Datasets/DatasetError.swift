// The errors of data files and their wording.

internal import HDF5

/// The reason why a data file is unusable or cannot be written.
///
/// `path` is the file as the caller named it, `dataset` the path of an array inside it.
public enum DatasetError: Error, Hashable, Sendable {
  /// The file cannot be read as HDF5; the text is complete.
  case unreadable(path: String, message: String)
  /// The file was written to while it was read.
  case changed(path: String, found: String, expected: String)
  /// The system cannot provide memory for an array.
  case noMemory(path: String, dataset: String, byteCount: Int)
  /// The file is missing, but a command of ours makes it.
  case obtainable(path: String, reason: String, command: String)
  /// No array of the file has a name that means samples.
  case noSamples(path: String, lookedFor: [String], found: [String])
  /// No array of the file has a name that means targets.
  case noTargets(path: String, lookedFor: [String], found: [String])
  /// The extents do not fit the meaning of the array.
  case wrongShape(path: String, dataset: String, found: [Int], expected: String)
  /// The elements are of a type that does not fit the meaning of the array.
  case wrongType(path: String, dataset: String, found: String, expected: String)
  /// An array has no rows.
  case noRows(path: String, dataset: String)
  /// Samples and targets disagree on the number of rows.
  case lengthsDiffer(path: String, dataset: String, rows: Int, other: String, otherRows: Int)
  /// A label is not a class number, or outside the classes; a response is outside the range of the loss.
  case badLabel(path: String, dataset: String, row: Int, found: String, expected: String)
  /// A number is NaN or infinite, or becomes infinite as `Float`.
  case notFinite(path: String, dataset: String, row: Int, found: String)
  /// A number marks a missing value, according to an attribute of the array.
  case missingValue(path: String, dataset: String, row: Int, found: String, attribute: String)
  /// The value of an attribute is invalid.
  case badAttribute(
    path: String, dataset: String, attribute: String, found: String, expected: String)
  /// Given factors do not fit the channels of the samples.
  case badFactors(key: String, found: [Double], path: String, dataset: String, expected: String)
  /// The rows of one array belong to several splits.
  case severalSplits(path: String, attribute: String)
  /// A file in the IDX format is damaged or does not fit.
  case badIDX(path: String, found: String, expected: String)
  /// A split of the rows is impossible: the fraction is not between 0 and 1, or the rows are fewer than 2.
  case badFraction(found: Double, rows: Int)
  /// The file to write exists and must not be replaced.
  case exists(path: String)
  /// The number of bytes written does not match the extents.
  case wrongCount(path: String, dataset: String, found: Int, expected: Int)
  /// The system refused to write.
  case unwritable(path: String, action: String, reason: String)
}

extension DatasetError: CustomStringConvertible {
  /// One line with the file, the array, the value found and the value expected.
  public var description: String {
    switch self {
    case .unreadable(_, let message):
      message
    case .changed(let path, let found, let expected):
      "\(path): was written to while it was read, found \(found), expected \(expected)"
    case .noMemory(let path, let dataset, let byteCount):
      "\(path): found no memory for the \(byteCount) bytes of '\(dataset)'"
    case .obtainable(let path, let reason, let command):
      "\(path): \(reason); '\(command)' makes it"
    case .noSamples(let path, let lookedFor, let found):
      "\(path): no samples: holds \(list(found)), looked for \(list(lookedFor))"
    case .noTargets(let path, let lookedFor, let found):
      "\(path): no targets: holds \(list(found)), looked for \(list(lookedFor))"
    case .wrongShape(let path, let dataset, let found, let expected):
      "\(path): '\(dataset)' has extents \(found), expected \(expected)"
    case .wrongType(let path, let dataset, let found, let expected):
      "\(path): '\(dataset)' holds \(found), expected \(expected)"
    case .noRows(let path, let dataset):
      "\(path): '\(dataset)' has 0 rows, expected 1 or more"
    case .lengthsDiffer(let path, let dataset, let rows, let other, let otherRows):
      "\(path): '\(dataset)' has \(rows) rows but '\(other)' has \(otherRows)"
    case .badLabel(let path, let dataset, let row, let found, let expected):
      "\(path): '\(dataset)' row \(row) is \(found), expected \(expected)"
    case .notFinite(let path, let dataset, let row, let found):
      "\(path): '\(dataset)' row \(row) holds \(found), expected finite numbers"
    case .missingValue(let path, let dataset, let row, let found, let attribute):
      "\(path): '\(dataset)' row \(row) holds \(found), which its attribute '\(attribute)' says is "
        + "missing; expected rows without missing values"
    case .badAttribute(let path, let dataset, let attribute, let found, let expected):
      "\(path): attribute '\(attribute)' of '\(dataset)' is \(found), expected \(expected)"
    case .badFactors(let key, let found, let path, let dataset, let expected):
      "\(key) is \(found), expected \(expected) of '\(dataset)' of \(path)"
    case .severalSplits(let path, let attribute):
      "\(path): attribute '\(attribute)' of the file tells which rows are of which split, as Fuel does; "
        + "expected a file or a group for each split"
    case .badIDX(let path, let found, let expected):
      "\(path): \(found), expected \(expected)"
    case .badFraction(let found, let rows):
      rows < 2
        ? "cannot split \(rows) rows in two, expected 2 or more"
        : "validation fraction \(found), expected a number between 0 and 1"
    case .exists(let path):
      "\(path): exists already, not replaced"
    case .wrongCount(let path, let dataset, let found, let expected):
      "\(path): \(found) bytes written to '\(dataset)', expected \(expected)"
    case .unwritable(let path, let action, let reason):
      "\(path): cannot \(action): \(reason)"
    }
  }

  private func list(_ names: [String]) -> String {
    guard !names.isEmpty else { return "nothing" }
    let shown = names.prefix(20).map { "'\($0)'" }.joined(separator: ", ")
    return names.count > 20 ? shown + " and \(names.count - 20) more" : shown
  }
}

extension DatasetError {
  /// Converts an error of the HDF5 module to one of this module.
  init(_ error: HDF5Error, path: String) {
    self = .unreadable(path: path, message: error.description)
  }
}

/// Runs a call of the HDF5 module, converting its error to one of this module.
func reading<Result: ~Copyable>(
  _ path: String, _ body: () throws(HDF5Error) -> Result
) throws(DatasetError) -> Result {
  do { return try body() } catch { throw DatasetError(error, path: path) }
}

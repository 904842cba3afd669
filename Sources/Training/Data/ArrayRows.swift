// Rows in memory that a program made.
public import Communication
public import DataParallel
import Datasets
import Digests
public import Models
public import Tensors

/// Rows of arrays in memory, samples and targets.
///
/// ```swift
/// let rows = try ArrayRows(samples: [0, 0, 0, 1, 1, 0, 1, 1], shape: [2], labels: [0, 1, 1, 0])
/// ```
public final class ArrayRows: RowSource {
  /// The number of rows.
  public let rowCount: Int
  /// The shape of a sample.
  public let sampleShape: Shape
  /// The targets of a row.
  public let targets: Network.Targets
  /// SHA-256 of shape, samples and targets.
  public let fingerprint: String

  private let samples: [Float]
  private let labels: [Int32]
  private let responses: [Float]
  private let selection: RowSelection?

  /// Creates rows with a class label each.
  ///
  /// - Parameters:
  ///   - samples: The samples, row-major, one after the other.
  ///   - shape: The shape of a sample.
  ///   - labels: The class of each row, from 0.
  /// - Throws: ``ArrayError`` for other counts, numbers that are not finite, labels below 0.
  public convenience init(
    samples: [Float], shape: Shape, labels: [Int]
  ) throws(ArrayError) {
    for (row, label) in labels.enumerated() where Int32(exactly: label) == nil || label < 0 {
      throw ArrayError("label \(label) of row \(row)", expected: "a class from 0")
    }
    try self.init(samples, shape, .labels, labels.map { Int32($0) }, [], labels.count)
  }

  /// Creates rows with a number of responses each.
  ///
  /// - Parameters:
  ///   - samples: The samples, row-major, one after the other.
  ///   - shape: The shape of a sample.
  ///   - responses: The responses, row-major.
  ///   - count: The responses of a row.
  /// - Throws: ``ArrayError`` for other counts and numbers that are not finite.
  public convenience init(
    samples: [Float], shape: Shape, responses: [Float], perRow count: Int = 1
  ) throws(ArrayError) {
    guard count > 0, responses.count.isMultiple(of: count) else {
      throw ArrayError("\(responses.count) responses", expected: "\(count) for each row")
    }
    try self.init(samples, shape, .responses(count), [], responses, responses.count / count)
  }

  private init(
    _ samples: [Float], _ shape: Shape, _ targets: Network.Targets, _ labels: [Int32],
    _ responses: [Float], _ rowCount: Int
  ) throws(ArrayError) {
    guard rowCount > 0 else { throw ArrayError("no rows", expected: "at least one") }
    guard shape.count > 0, samples.count == rowCount * shape.count else {
      throw ArrayError(
        "\(samples.count) numbers of samples",
        expected: "\(rowCount * shape.count), of shape \(shape) for each of \(rowCount) rows")
    }
    for (name, numbers) in [("samples", samples), ("responses", responses)] {
      guard let bad = numbers.firstIndex(where: { !$0.isFinite }) else { continue }
      throw ArrayError("\(numbers[bad]) in \(name)", expected: "finite numbers")
    }
    var hash = SHA256()
    hash.update("arrays \(shape) \(targets.recordName)")
    samples.withUnsafeBytes { hash.update($0) }
    labels.withUnsafeBytes { hash.update($0) }
    responses.withUnsafeBytes { hash.update($0) }
    fingerprint = hash.finalizeHex()
    self.rowCount = rowCount
    self.samples = samples
    self.labels = labels
    self.responses = responses
    self.targets = targets
    sampleShape = shape
    selection = nil
  }

  private init(_ rows: ArrayRows, _ selection: RowSelection) {
    rowCount = selection.count
    (sampleShape, targets, fingerprint) = (rows.sampleShape, rows.targets, rows.fingerprint)
    (samples, labels, responses) = (rows.samples, rows.labels, rows.responses)
    self.selection = selection
  }

  /// The memory of the arrays, in bytes.
  var byteCount: Int { 4 * (samples.count + labels.count + responses.count) }

  /// Writes the samples and targets of some rows.
  public func read(
    _ rows: UnsafeBufferPointer<Int>, samples: UnsafeMutablePointer<Float>, targets: TargetMemory?
  ) {
    func copy<Element>(
      _ source: [Element], _ count: Int, to destination: UnsafeMutablePointer<Element>
    ) {
      source.withUnsafeBufferPointer { source in
        guard let base = source.baseAddress else { return }
        for index in 0..<rows.count {
          let row = selection?[rows[index]] ?? rows[index]
          (destination + index * count).update(from: base + row * count, count: count)
        }
      }
    }
    copy(self.samples, sampleShape.count, to: samples)
    switch targets {
    case .labels(let destination): copy(labels, 1, to: destination)
    case .responses(let destination):
      copy(
        responses, self.responses.count / (self.samples.count / sampleShape.count), to: destination)
    case nil: break
    }
  }
}

extension ArrayRows {
  /// Checks that labels are classes of the network, and numbers in the ranges that it requires.
  ///
  /// - Throws: ``ArrayError`` naming the row.
  func validate(for network: Network) throws(ArrayError) {
    for (row, label) in labels.enumerated() where label >= network.outputCount {
      throw ArrayError(
        "label \(label) of row \(row)", expected: "one of 0 ..< \(network.outputCount)")
    }
    if network.lossKind.outputActivation == .sigmoid {
      for response in responses where !(0...1).contains(response) {
        throw ArrayError(
          "response \(response)",
          expected: "0 to 1, for loss '\(network.lossKind.configurationName)'")
      }
    }
    let length = sampleShape.count
    for numbers in network.wholeNumbers {
      for row in 0..<samples.count / length {
        for element in numbers.elements {
          let found = samples[row * length + element]
          guard found < 0 || found >= Float(numbers.count) || found != found.rounded() else {
            continue
          }
          throw ArrayError(
            "\(found) at \(element) of row \(row)",
            expected: "a whole number below \(numbers.count), for layer '\(numbers.layer)'")
        }
      }
    }
  }

  /// Returns the rows of a run that trains on arrays.
  ///
  /// - Throws: ``TrainingError`` if the arrays disagree or the batch is too large; `DatasetError` for a bad
  ///   fraction of rows for validation.
  static func splits(
    _ configuration: RunConfiguration, train: ArrayRows, test: ArrayRows?
  ) throws -> Splits {
    var fingerprints = [("train", train.fingerprint)]
    var descriptions = ["train: arrays, \(train.rowCount) rows of \(train.sampleShape)"]
    if let test {
      guard test.sampleShape == train.sampleShape, test.targets == train.targets else {
        throw TrainingError.splitsDiffer(
          "test", "\(test.targets.description), samples of shape \(test.sampleShape)", "train",
          "\(train.targets.description), \(train.sampleShape)")
      }
      fingerprints.append(("test", test.fingerprint))
      descriptions.append("test: arrays, \(test.rowCount) rows")
    }
    var (rows, validation) = (train, ArrayRows?.none)
    if case .fraction(let fraction) = configuration.data.validation {
      let parts = try RowSelection.split(
        train.rowCount, validation: fraction, seed: configuration.seed)
      (rows, validation) = (ArrayRows(train, parts.train), ArrayRows(train, parts.validation))
      descriptions.append("validation: \(parts.validation.count) rows of train")
    }
    guard configuration.batchSize <= rows.rowCount else {
      throw TrainingError.batchTooLarge(
        batchSize: configuration.batchSize, rows: rows.rowCount, path: "train")
    }
    return Splits(
      train: rows, validation: validation, test: test, sampleShape: train.sampleShape,
      targets: train.targets, fingerprints: fingerprints, descriptions: descriptions,
      memoryByteCount: train.byteCount + (test?.byteCount ?? 0))
  }
}

/// Arrays that make no rows.
public struct ArrayError: Error, Hashable, ExitStatusProviding, CustomStringConvertible {
  /// The array at fault, what was found and what was expected, on one line.
  public let description: String

  init(_ found: String, expected: String) {
    description = "arrays: found \(found), expected \(expected)"
  }

  /// 65: bad data.
  public var exitStatus: Int32 { 65 }
}

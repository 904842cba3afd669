public import DataParallel
public import Datasets
public import Models
public import Tensors

/// The rows of a run, by purpose.
public struct Splits {
  /// The rows to train on.
  public let train: any RowSource
  /// The rows that show progress and choose the best checkpoint.
  public let validation: (any RowSource)?
  /// The rows that show the result; they choose the best checkpoint if there is no validation.
  public let test: (any RowSource)?
  /// The shape of a sample.
  public let sampleShape: Shape
  /// The targets of a row.
  public let targets: Network.Targets
  /// The fingerprint of each file, by split.
  public let fingerprints: [(split: String, fingerprint: String)]
  /// One line about each file, for people.
  public let descriptions: [String]
  /// The bytes of rows in memory; ranks that share them hold them once.
  public let memoryByteCount: Int

  /// The splits that are evaluated, by name; the first one chooses the best checkpoint.
  public var evaluated: [(split: String, rows: any RowSource)] {
    var splits: [(split: String, rows: any RowSource)] = []
    if let validation { splits.append(("validation", validation)) }
    if let test { splits.append(("test", test)) }
    return splits
  }

  /// Opens the files of a configuration and checks that they go together.
  ///
  /// - Parameters:
  ///   - configuration: The configuration, which names the files.
  ///   - open: Opens a file.
  /// - Returns: The rows, ready to be read.
  /// - Throws: `DatasetError`; ``TrainingError`` if the files disagree or the batch is too large.
  public static func open(
    _ configuration: RunConfiguration,
    by open: OpenDataset = { try Dataset.open($0, options: $1) }
  ) throws -> Splits {
    if let train = configuration.parts.train {
      return try ArrayRows.splits(configuration, train: train, test: configuration.parts.test)
    }
    let data = configuration.data
    var files = SplitFiles(configuration)
    let train = try files.dataset(data.train, "train", by: open)
    let targets = try Network.Targets(train)
    var trainRows = DatasetRows(train)
    var validation: DatasetRows?
    switch data.validation {
    case .none: break
    case .file(let path): validation = try files.rows(path, "validation", like: train, by: open)
    case .fraction(let fraction):
      let parts = try RowSelection.split(
        train.rowCount, validation: fraction, seed: configuration.seed)
      trainRows = DatasetRows(train, selection: parts.train)
      validation = DatasetRows(train, selection: parts.validation)
      files.descriptions.append("validation: \(parts.validation.count) rows of train")
    }
    let test = try data.test.map { try files.rows($0, "test", like: train, by: open) }
    guard configuration.batchSize <= trainRows.rowCount else {
      throw TrainingError.batchTooLarge(
        batchSize: configuration.batchSize, rows: trainRows.rowCount, path: data.train)
    }
    return Splits(
      train: trainRows, validation: validation, test: test, sampleShape: train.sampleShape,
      targets: targets, fingerprints: files.fingerprints, descriptions: files.descriptions,
      memoryByteCount: files.memoryByteCount)
  }

  /// Checks that every label is a class of the network, and every number that names a row of a table is in range.
  ///
  /// - Throws: `DatasetError` or ``TrainingError`` naming the file, the row and the value found there.
  func validate(for network: Network) throws {
    let sources = [train, validation, test]
    for arrays in sources.compactMap({ $0 as? ArrayRows }) { try arrays.validate(for: network) }
    for dataset in sources.compactMap({ ($0 as? DatasetRows)?.dataset }) {
      if targets == .labels { try dataset.validateLabels(classCount: network.outputCount) }
      try dataset.validateNumbers(for: network)
      if network.lossKind.outputActivation == .sigmoid {
        try dataset.validateResponses(in: 0...1, of: network.lossKind.configurationName)
      }
    }
  }
}

/// The files of a run, opened one after the other.
private struct SplitFiles {
  private let data: RunConfiguration.Data
  private let targetKind: TargetKind?
  private let memoryLimit: Int
  private(set) var fingerprints: [(split: String, fingerprint: String)] = []
  var descriptions: [String] = []
  private(set) var memoryByteCount = 0

  init(_ configuration: RunConfiguration) {
    data = configuration.data
    memoryLimit = configuration.memoryLimit
    // A dataset named labels is not taken for responses unless it is asked for by name.
    targetKind =
      configuration.loss.takesLabels ? .labels : data.targetsName == nil ? nil : .responses
  }

  /// Opens the file of a split, with targets; one file may hold several splits, each in a group of its name.
  mutating func dataset(
    _ path: String, _ split: String, like train: Dataset? = nil, by open: OpenDataset
  ) throws -> Dataset {
    let dataset = try open(
      path,
      Dataset.Options(
        samples: data.samplesName, targets: data.targetsName, targetKind: targetKind, group: split,
        layout: data.layout, scale: data.scale, bias: data.bias, inMemoryLimit: memoryLimit))
    try dataset.requireTargets()
    if let train { try dataset.requireMatch(train) }
    fingerprints.append((split, dataset.fingerprint))
    descriptions.append("\(split): \(dataset.summary)")
    memoryByteCount += dataset.memoryByteCount
    return dataset
  }

  /// Opens a file whose rows have the form of those of `train`.
  mutating func rows(
    _ path: String, _ split: String, like train: Dataset, by open: OpenDataset
  ) throws -> DatasetRows {
    DatasetRows(try dataset(path, split, like: train, by: open))
  }
}

extension Dataset {
  /// Refuses rows of another form than those of `train`.
  ///
  /// - Throws: ``TrainingError/splitsDiffer(_:_:_:_:)``, `DatasetError`.
  fileprivate func requireMatch(_ train: Dataset) throws {
    func refuse(_ found: String, _ expected: String) -> TrainingError {
      .splitsDiffer(path, found, train.path, expected)
    }
    guard sampleShape == train.sampleShape else {
      throw refuse("samples of shape \(sampleShape)", "\(train.sampleShape)")
    }
    let (found, expected) = (try Network.Targets(self), try Network.Targets(train))
    guard found == expected else { throw refuse(found.description, expected.description) }
    if case .labels(let here?) = targets, case .labels(let there?) = train.targets, here != there {
      throw refuse("classes \(here)", "\(there)")
    }
    for (what, here, there) in [
      ("samples", sampleUnits, train.sampleUnits), ("targets", targetUnits, train.targetUnits),
    ] {
      guard let here, let there, here != there else { continue }
      throw refuse("\(what) in units '\(here)'", "'\(there)'")
    }
  }
}

extension Dataset {
  /// Checks that elements of samples that name rows of tables are in range.
  ///
  /// - Throws: ``TrainingError/noTableRow(path:row:element:found:layer:count:)``, `DatasetError`.
  /// - Complexity: O(elements of all rows), nothing for models without tables.
  func validateNumbers(for network: Network) throws {
    guard !network.wholeNumbers.isEmpty else { return }
    let (length, blockLength) = (sampleShape.count, 256)
    let samples = FloatBuffer(count: length * blockLength)
    for start in stride(from: 0, to: rowCount, by: blockLength) {
      let rows = Array(start..<min(start + blockLength, rowCount))
      try rows.withUnsafeBufferPointer { try readSamples(rows: $0, into: samples.pointer) }
      for numbers in network.wholeNumbers {
        for (index, row) in rows.enumerated() {
          for element in numbers.elements {
            let found = samples.pointer[index * length + element]
            guard found < 0 || found >= Float(numbers.count) || found != found.rounded() else {
              continue
            }
            throw TrainingError.noTableRow(
              path: path, row: row, element: element, found: found, layer: numbers.layer,
              count: numbers.count)
          }
        }
      }
    }
  }

  /// The path, rows and shape of the file, on one line.
  var summary: String {
    "\(path), \(rowCount) rows of \(sampleShape), \(matchedRule)"
      + (isInMemory ? "" : ", read from the file row by row")
  }
}

extension Network.Targets {
  /// Creates the targets of the rows of a dataset.
  ///
  /// - Throws: `DatasetError` if it has no targets.
  init(_ dataset: Dataset) throws {
    try dataset.requireTargets()
    switch dataset.targets {
    case .responses(let count): self = .responses(count)
    case .labels, .none: self = .labels
    }
  }

  /// The name in records of checkpoints.
  var recordName: String {
    switch self {
    case .labels: "labels"
    case .responses(let count): "responses,\(count)"
    }
  }

  /// The targets in words, such as `class labels` or `3 responses per row`.
  var description: String {
    switch self {
    case .labels: "class labels"
    case .responses(let count): "\(count) responses per row"
    }
  }
}

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
    // A dataset named labels is not taken for responses unless it is asked for by name.
    let kind: TargetKind? =
      configuration.loss.takesLabels ? .labels : data.targetsName == nil ? nil : .responses
    /// One file may hold several splits, each in a group of its name.
    func options(_ split: String) -> Dataset.Options {
      Dataset.Options(
        samples: data.samplesName, targets: data.targetsName,
        targetKind: kind, group: split, layout: data.layout, scale: data.scale, bias: data.bias,
        inMemoryLimit: configuration.memoryLimit)
    }
    let train = try open(data.train, options("train"))
    try train.requireTargets()
    let targets = try Network.Targets(train)
    var fingerprints = [("train", train.fingerprint)]
    var descriptions = ["train: \(train.summary)"]
    var memoryByteCount = train.memoryByteCount
    func openLike(_ path: String, _ split: String) throws -> DatasetRows {
      let dataset = try open(path, options(split))
      try dataset.requireTargets()
      guard dataset.sampleShape == train.sampleShape else {
        throw TrainingError.splitsDiffer(
          path, "samples of shape \(dataset.sampleShape)", data.train, "\(train.sampleShape)")
      }
      let found = try Network.Targets(dataset)
      guard found == targets else {
        throw TrainingError.splitsDiffer(path, found.description, data.train, targets.description)
      }
      if case .labels(let here?) = dataset.targets, case .labels(let there?) = train.targets,
        here != there
      {
        throw TrainingError.splitsDiffer(
          path, "classes \(here)", data.train, "\(there)")
      }
      for (what, here, there) in [
        ("samples", dataset.sampleUnits, train.sampleUnits),
        ("targets", dataset.targetUnits, train.targetUnits),
      ] {
        guard let here, let there, here != there else { continue }
        throw TrainingError.splitsDiffer(
          path, "\(what) in units '\(here)'", data.train, "'\(there)'")
      }
      fingerprints.append((split, dataset.fingerprint))
      descriptions.append("\(split): \(dataset.summary)")
      memoryByteCount += dataset.memoryByteCount
      return DatasetRows(dataset)
    }
    var trainRows = DatasetRows(train)
    var validation: DatasetRows?
    switch data.validation {
    case .none: break
    case .file(let path): validation = try openLike(path, "validation")
    case .fraction(let fraction):
      let parts = try RowSelection.split(
        train.rowCount, validation: fraction, seed: configuration.seed)
      trainRows = DatasetRows(train, selection: parts.train)
      validation = DatasetRows(train, selection: parts.validation)
      descriptions.append("validation: \(parts.validation.count) rows of train")
    }
    let test = try data.test.map { try openLike($0, "test") }
    guard configuration.batchSize <= trainRows.rowCount else {
      throw TrainingError.batchTooLarge(
        batchSize: configuration.batchSize, rows: trainRows.rowCount, path: data.train)
    }
    return Splits(
      train: trainRows, validation: validation, test: test, sampleShape: train.sampleShape,
      targets: targets, fingerprints: fingerprints, descriptions: descriptions,
      memoryByteCount: memoryByteCount)
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

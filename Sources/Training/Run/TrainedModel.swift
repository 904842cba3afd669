import Checkpoints
import Configuration
public import Datasets
import Digests
public import Models
public import Tensors

/// A model with the parameters of a checkpoint.
public struct TrainedModel {
  /// The configuration it was trained with.
  public let configuration: RunConfiguration
  /// The model.
  public let network: Network
  /// Its parameters and states, of the network's layout.
  public let parameters: FloatBuffer
  /// True if these are the moving average.
  public let isAverage: Bool
  /// The steps it was trained for.
  public let step: Int
  /// The record of the model, as its checkpoint has it.
  private let description: String

  /// Reads a checkpoint, which holds all that is needed to rebuild the model.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - isRaw: Takes the parameters as the last step left them even if there is a moving average.
  ///   - model: The model if it was made in Swift; it must be the same.
  ///   - catalog: The layers and losses that the configuration may name.
  /// - Throws: `CheckpointError`, `ConfigurationError`, `ModelError`; ``TrainingError`` for an incomplete record.
  public init(
    checkpoint path: String, isRaw: Bool = false, model: Model? = nil,
    catalog: ModelCatalog = .builtIn
  ) throws {
    let checkpoint = try Checkpoint(path)
    let record = try checkpoint.record()
    let reader = ConfigurationReader(
      try ConfigurationTree(text: record.configuration, source: path, folder: "."))
    configuration = try RunConfiguration(
      reader.root, parts: ProgramParts(model: model), catalog: catalog)
    guard case .text(let shapeText) = record.state["sample_shape"],
      case .text(let targetsText) = record.state["targets"],
      let targets = Network.Targets(recordName: targetsText)
    else {
      throw TrainingError.badRecord(
        path: path, fault: "found no 'sample_shape' and 'targets' in /run/state, expected both")
    }
    let extents = shapeText.split(separator: ",").map { Int($0) ?? 0 }
    guard extents.allSatisfy({ $0 > 0 }) else {
      throw TrainingError.badRecord(
        path: path, fault: "'sample_shape' is '\(shapeText)', expected positive extents")
    }
    network = try configuration.network(sampleShape: Shape(extents), targets: targets)
    if let recorded = configuration.recordedGraph, recorded != network.graphDigest {
      throw TrainingError.badRecord(
        path: path, fault: "the graph of the model made in Swift is another than it was trained as")
    }
    // The file must match before memory is allocated for it.
    isAverage = !isRaw && checkpoint.contains("average")
    let parts =
      isAverage
      ? [("average", network.layout)]
      : [("parameters", network.parameterLayout), ("state", network.stateLayout)]
    for (group, layout) in parts { try checkpoint.requireMatch(group, layout) }
    parameters = FloatBuffer(count: network.layout.count)
    for (group, layout) in parts {
      try checkpoint.read(group, layout, into: parameters.elements)
    }
    step = record.step
    description = "\(record.step) \(shapeText) \(targetsText)\n\(record.configuration)"
  }

  /// Takes the parameters of a run at one of its steps.
  init(_ plan: TrainingPlan, parameters: FloatBuffer, step: Int, targets: Network.Targets) {
    configuration = plan.configuration
    network = plan.network
    self.parameters = parameters
    isAverage = false
    self.step = step
    let shape = plan.network.sampleShape.extents.map(String.init).joined(separator: ",")
    description = "\(step) \(shape) \(targets.recordName)\n\(plan.resolved.yaml)"
  }

  /// Returns a parameter or state by its path, such as `affine1/weight`; nil for other names.
  public subscript(name: String) -> Tensor? {
    network.layout.ranges.first { $0.name == name }.map { range in
      Tensor(shape: range.shape, values: parameters.elements[range.indices].map(Double.init))
    }
  }

  /// Returns SHA-256 over the parameters and the record of the model.
  ///
  /// - Complexity: O(parameters).
  public func digest() -> String {
    var hash = SHA256()
    hash.update(network.layout.digest(of: parameters))
    hash.update(description)
    return hash.finalizeHex()
  }

  /// Settings for reading a data file, in place of those of the configuration or the file.
  public struct Reading: Sendable {
    /// The name of the dataset of samples, if it has none of the usual names.
    public var samples: String?
    /// The name of the dataset of targets, likewise.
    public var targets: String?
    /// The layout of samples of three axes.
    public var layout: SampleLayout?
    /// The factors of samples, one or one per channel.
    public var scale: [Double]?
    /// The bias of scaled samples, one or one per channel.
    public var bias: [Double]?

    /// Reads a file as configuration and file say.
    public init() {}
  }

  /// Opens a data file whose rows fit the model.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - reading: Settings in place of those of the configuration or the file.
  ///   - needsTargets: Requires targets that fit the model.
  ///   - open: Opens the file.
  /// - Returns: The rows of the file.
  /// - Throws: `DatasetError`; ``TrainingError`` if the file does not fit.
  public func open(
    _ path: String, reading: Reading = Reading(), needsTargets: Bool,
    by open: OpenDataset = { try Dataset.open($0, options: $1) }
  ) throws -> DatasetRows {
    let dataset = try open(
      path,
      Dataset.Options(
        samples: reading.samples, targets: reading.targets,
        targetKind: network.lossKind.takesLabels ? .labels : .responses,
        layout: reading.layout ?? configuration.data.layout,
        scale: reading.scale ?? configuration.data.scale,
        bias: reading.bias ?? configuration.data.bias,
        inMemoryLimit: configuration.memoryLimit))
    guard dataset.sampleShape == network.sampleShape else {
      throw TrainingError.splitsDiffer(
        path, "samples of shape \(dataset.sampleShape)", "the data of the checkpoint",
        "\(network.sampleShape)")
    }
    try dataset.validateNumbers(for: network)
    if needsTargets {
      try dataset.requireTargets()
      let found = try Network.Targets(dataset)
      let expected: Network.Targets =
        network.lossKind.takesLabels ? .labels : .responses(network.outputCount)
      guard found == expected else {
        throw TrainingError.splitsDiffer(
          path, found.description, "the data of the checkpoint", expected.description)
      }
      if found == .labels { try dataset.validateLabels(classCount: network.outputCount) }
    }
    return DatasetRows(dataset)
  }
}

extension FlatLayout {
  /// Returns SHA-256 over the arrays of a flat vector, without the padding between them.
  func digest(of vector: FloatBuffer) -> String {
    var hash = SHA256()
    for range in ranges {
      hash.update(
        UnsafeRawBufferPointer(UnsafeMutableBufferPointer(rebasing: vector.elements[range.indices]))
      )
    }
    return hash.finalizeHex()
  }
}

extension Network.Targets {
  /// Reads back ``recordName``.
  fileprivate init?(recordName: String) {
    let parts = recordName.split(separator: ",")
    if recordName == "labels" {
      self = .labels
    } else if parts.count == 2, parts[0] == "responses", let count = Int(parts[1]), count > 0 {
      self = .responses(count)
    } else {
      return nil
    }
  }
}

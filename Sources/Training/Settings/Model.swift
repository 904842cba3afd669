// Parts of a run that a program makes in Swift, in place of those named by a configuration.
import Configuration
import Digests
public import Models

/// A model made in Swift: its layers, in order, and its loss.
///
/// ```swift
/// let model = Model([.affine(16), .activation(.relu), .affine(1)], loss: .squaredNorm)
/// ```
public struct Model: Hashable, Sendable {
  /// The layers, in order.
  public var layers: [Layer]
  /// The loss.
  public var loss: Loss

  /// Creates a model with a loss of the library.
  public init(_ layers: [Layer], loss: Loss) {
    self.layers = layers
    self.loss = loss
  }

  /// Creates a model with a loss of any kind.
  public init(_ layers: [Layer], loss kind: some LossKind) {
    self.init(layers, loss: Loss(kind))
  }
}

/// The parts of a run that a program makes itself; the configuration names the others.
public struct ProgramParts: Sendable {
  /// The model; nil for that of the configuration.
  public var model: Model?
  /// The rows to train on; nil for those of the file `data.train`.
  public var train: ArrayRows?
  /// The rows that show the result, beside rows to train on.
  public var test: ArrayRows?

  /// Names the parts.
  public init(model: Model? = nil, train: ArrayRows? = nil, test: ArrayRows? = nil) {
    self.model = model
    self.train = train
    self.test = test
  }
}

extension Model {
  /// Records the model under the keys of configured models, so that a run resumes only with the same one.
  ///
  /// - Parameter root: The top level of a configuration, without a model or with the record of this one.
  /// - Returns: The recorded digest of the graph; nil in a new configuration.
  /// - Throws: `ConfigurationError` for the record of another model.
  func record(in root: Section) throws(ConfigurationError) -> String? {
    let layers = try root.value(
      "model", [.strings(expected: "the record of a layer", counts: 1...(1 << 14)) { $0 }],
      default: .list(layers.map { .string($0.record) }), meaning: "layers made in Swift, in order")
    for (found, layer) in zip(layers, self.layers) where found != layer.record {
      throw root.unusable("model", found: found, expected: layer.record)
    }
    guard layers.count == self.layers.count else {
      throw root.unusable(
        "model", found: "\(layers.count) layers", expected: "\(self.layers.count)")
    }
    let loss = try root.string(
      "loss", default: loss.record, expected: "the record of a loss", meaning: "loss made in Swift")
    guard loss == self.loss.record else {
      throw root.unusable("loss", found: loss, expected: self.loss.record)
    }
    return try root.optionalString(
      Model.graphKey, expected: "a digest", meaning: "digest of the graph of the model")
  }

  /// The key of the digest of the graph; after `model` in the alphabet, since errors name the first key that
  /// differs.
  static let graphKey = "model_graph"
}

extension Network {
  /// SHA-256 of ``graphRecord``.
  var graphDigest: String {
    var hash = SHA256()
    hash.update(graphRecord)
    return hash.finalizeHex()
  }
}

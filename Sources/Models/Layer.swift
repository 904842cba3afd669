/// One layer of a model: a computation, and its place among the other layers.
public struct Layer: Sendable {
  /// The computation of a layer.
  public enum Content: Sendable {
    /// One kind of layer.
    case kind(any LayerKind)
    /// A block repeated `times` times; each copy has its own parameters.
    case block(times: Int, layers: [Layer])
  }

  /// The computation.
  public let content: Content
  /// The name given to it; without one it is named after its kind and number.
  public let name: String?
  /// The names of the layers it takes; empty for the layer before it.
  public let inputs: [String]
  /// The name of the earlier layer whose parameters it uses.
  public let sharedLayer: String?
  /// The factor of the learning rate for its parameters.
  public let learningRateFactor: Double
  /// Indicates that its parameters keep their initial values.
  public let isFrozen: Bool

  /// The name of the samples among the inputs of layers.
  public static let samplesName = "samples"
  /// The name of a block's input among the inputs of the layers in it.
  public static let blockInputName = "input"

  /// Creates a layer.
  ///
  /// - Parameters:
  ///   - kind: The computation.
  ///   - name: The name given to it, if any.
  ///   - inputs: The names of layers before it that it takes; empty for the one just before it.
  ///   - sharedLayer: The name of a layer before it whose parameters it uses.
  ///   - learningRateFactor: The factor of the learning rate for its parameters.
  ///   - isFrozen: Whether its parameters keep their initial values.
  public init(
    _ kind: some LayerKind, name: String? = nil, from inputs: [String] = [],
    sharing sharedLayer: String? = nil, learningRateFactor: Double = 1, isFrozen: Bool = false
  ) {
    self.init(
      .kind(kind), name: name, from: inputs, sharing: sharedLayer,
      learningRateFactor: learningRateFactor, isFrozen: isFrozen)
  }

  /// Creates a block that repeats its layers.
  ///
  /// - Parameters:
  ///   - layers: The layers, in order; they are called `NAME.1.LAYER` and so on, and take `input` from
  ///     outside.
  ///   - times: The number of copies, one after the other.
  ///   - name: The name given to the block, if any.
  ///   - inputs: The name of the layer before it that it takes; empty for the one just before it.
  ///   - learningRateFactor: A factor of the learning rate for all parameters in it.
  ///   - isFrozen: Whether all parameters in it keep their initial values.
  public init(
    repeating layers: [Layer], times: Int, name: String? = nil, from inputs: [String] = [],
    learningRateFactor: Double = 1, isFrozen: Bool = false
  ) {
    self.init(
      .block(times: times, layers: layers), name: name, from: inputs, sharing: nil,
      learningRateFactor: learningRateFactor, isFrozen: isFrozen)
  }

  init(
    _ content: Content, name: String?, from inputs: [String], sharing sharedLayer: String?,
    learningRateFactor: Double, isFrozen: Bool
  ) {
    self.content = content
    self.name = name
    self.inputs = inputs
    self.sharedLayer = sharedLayer
    self.learningRateFactor = learningRateFactor
    self.isFrozen = isFrozen
  }

  /// The name of the kind of layer, as configurations write it.
  public var configurationName: String {
    switch content {
    case .kind(let kind): kind.configurationName
    case .block: "repeat"
    }
  }

  /// Indicates that the layer computes something else in training than in evaluation.
  var differsInTraining: Bool {
    switch content {
    case .kind(let kind): kind.differsInTraining
    case .block(_, let layers): layers.contains(where: \.differsInTraining)
    }
  }
}

extension Layer: Hashable {}

extension Layer.Content: Hashable {
  /// Compares the kinds as values of their types.
  public static func == (a: Layer.Content, b: Layer.Content) -> Bool {
    switch (a, b) {
    case (.kind(let a), .kind(let b)): AnyHashable(a) == AnyHashable(b)
    case (.block(let timesA, let layersA), .block(let timesB, let layersB)):
      timesA == timesB && layersA == layersB
    case (.kind, .block), (.block, .kind): false
    }
  }

  /// Hashes the kind, or the layers of the block.
  public func hash(into hasher: inout Hasher) {
    switch self {
    case .kind(let kind): hasher.combine(AnyHashable(kind))
    case .block(let times, let layers):
      hasher.combine(times)
      hasher.combine(layers)
    }
  }
}

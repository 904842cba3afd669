/// One layer of a network: a function that adds nodes to a graph.
public struct Layer: Hashable, Sendable {
  /// What a layer computes.
  public enum Kind: Hashable, Sendable {
    /// `y = x·Wᵀ + b`; with `weightNorm` W is a direction and a length for each output.
    case affine(
      units: Int, bias: Bool, weight: Initializer, biasValue: Initializer, weightNorm: Bool = false)
    /// A function of each element.
    case activation(Activation)
    /// A function of each element with a number of its own, or composed of others.
    case curve(Curve)
    /// A window over images whose products with weights are summed.
    case convolution(Convolution)
    /// A window over images whose maximum or mean is taken.
    case pooling(Pooling)
    /// The mean of each channel.
    case globalAveragePool
    /// Zero at random in training, with the probability `rate`; the others grow by `1 / (1 − rate)`.
    case dropout(rate: Double)
    /// All elements of a row in one axis.
    case flatten
    /// The elements of a row in another shape.
    case reshape([Int])
    /// The axes of a row in another order, from 0.
    case permute([Int])
    /// Mean 0 and variance 1 over some elements of a row.
    case normalization(Normalization)
    /// Mean 0 and variance 1 over each channel of a batch.
    case batchNormalization(BatchNormalization)
    /// `x / (k + α · mean of x² over neighbouring channels)^β`.
    case localResponse(size: Int, alpha: Double, beta: Double, k: Double)
    /// The sum of two or more inputs; axes of length 1 are repeated.
    case add
    /// The product of two or more inputs, element by element; axes of length 1 are repeated.
    case multiply
    /// Two or more inputs one after the other along an axis of a row.
    case concatenate(axis: Int)
    /// Elements `start ..< end` of an axis of a row; without an end up to its length.
    case slice(axis: Int, start: Int, end: Int?)
    /// Zeros before and after the elements of an axis of a row.
    case pad(axis: Int, before: Int, after: Int)
    /// A trained row of a table for each number; these are whole, below `count`, and from the samples.
    case embedding(count: Int, units: Int, weight: Initializer)
    /// Layers that are there several times one after the other, each time with parameters of their own.
    case repeated(times: Int, layers: [Layer])
  }

  /// The functions that a layer can apply.
  public enum Activation: String, Hashable, Sendable, CaseIterable {
    /// `max(x, 0)`.
    case relu
    /// `1 / (1 + e^−x)`.
    case sigmoid
    /// The hyperbolic tangent.
    case tanh
    /// `e^x`.
    case exp
    /// The natural logarithm.
    case log
    /// `x²`.
    case square
    /// `e^xᵢ / Σⱼ e^xⱼ`.
    case softmax
    /// `xᵢ − log Σⱼ e^xⱼ`.
    case logSoftmax = "log_softmax"
  }

  /// What the layer computes.
  public let kind: Kind
  /// The name given to it; without one it is named after its kind and place.
  public let name: String?
  /// The names of what it takes; empty for the layer before it.
  public let inputs: [String]
  /// The name of an earlier layer whose parameters it uses.
  public let share: String?
  /// What the step size of the run is multiplied by for its parameters.
  public let learningRateFactor: Double
  /// Whether its parameters keep their initial values.
  public let isFrozen: Bool

  /// What the samples are called among the inputs of layers.
  public static let samplesName = "samples"
  /// What is given to a repeated block is called so among the inputs of the layers in it.
  public static let blockInputName = "input"

  /// Creates a layer.
  ///
  /// - Parameters:
  ///   - kind: What it computes.
  ///   - name: The name given to it, if any.
  ///   - inputs: The names of layers before it that it takes; empty for the one just before it.
  ///   - share: The name of a layer before it whose parameters it uses.
  ///   - learningRateFactor: What the step size of the run is multiplied by for its parameters.
  ///   - isFrozen: Whether its parameters keep their initial values.
  public init(
    _ kind: Kind, name: String? = nil, from inputs: [String] = [], share: String? = nil,
    learningRateFactor: Double = 1, isFrozen: Bool = false
  ) {
    self.kind = kind
    self.name = name
    self.inputs = inputs
    self.share = share
    self.learningRateFactor = learningRateFactor
    self.isFrozen = isFrozen
  }

  /// Creates an affine layer with the usual initial values.
  ///
  /// - Parameters:
  ///   - units: The number of outputs.
  ///   - bias: Whether a bias is added.
  ///   - weight: The initial weights.
  ///   - name: A name for the layer.
  ///   - inputs: What it takes, if not the layer before it.
  /// - Returns: The layer.
  public static func affine(
    _ units: Int, bias: Bool = true, weight: Initializer = .scaled(.he, .uniform),
    name: String? = nil, from inputs: [String] = []
  ) -> Layer {
    Layer(
      .affine(units: units, bias: bias, weight: weight, biasValue: .zeros), name: name,
      from: inputs)
  }

  /// Creates an activation layer.
  public static func activation(
    _ activation: Activation, name: String? = nil, from inputs: [String] = []
  ) -> Layer {
    Layer(.activation(activation), name: name, from: inputs)
  }

  /// The word for the kind of layer, as configurations write it.
  public var word: String {
    switch kind {
    case .affine: "affine"
    case .activation(let activation): activation.rawValue
    case .curve(let curve): curve.word
    case .convolution(let convolution): convolution.word
    case .pooling(let pooling): pooling.word
    case .globalAveragePool: "global_avg_pool"
    case .dropout: "dropout"
    case .flatten: "flatten"
    case .reshape: "reshape"
    case .permute: "permute"
    case .normalization(let normalization): normalization.word
    case .batchNormalization: "batch_norm"
    case .localResponse: "local_response_norm"
    case .add: "add"
    case .multiply: "multiply"
    case .concatenate: "concatenate"
    case .slice: "slice"
    case .pad: "pad"
    case .embedding: "embedding"
    case .repeated: "repeat"
    }
  }
}

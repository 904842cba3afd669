// The affine layer.
public import Configuration
public import Graphs
import Tensors

extension Layer {
  /// `y = x·Wᵀ + b` of flattened rows.
  public struct Affine: LayerKind {
    /// The number of outputs.
    public let units: Int
    /// Indicates whether b is added.
    public let bias: Bool
    /// The initial values of W.
    public let weight: Initializer
    /// The initial values of b.
    public let biasValue: Initializer
    /// Indicates whether W is a direction and a length for each output.
    public let weightNorm: Bool

    /// Describes an affine layer.
    ///
    /// - Parameters:
    ///   - units: The number of outputs.
    ///   - bias: Whether b is added.
    ///   - weight: The initial values of W.
    ///   - biasValue: The initial values of b.
    ///   - weightNorm: Whether W is a direction and a length for each output.
    public init(
      units: Int, bias: Bool = true, weight: Initializer = .scaled(.he, .uniform),
      biasValue: Initializer = .zeros, weightNorm: Bool = false
    ) {
      self.units = units
      self.bias = bias
      self.weight = weight
      self.biasValue = biasValue
      self.weightNorm = weightNorm
    }

    /// The name in configurations.
    public var configurationName: String { "affine" }

    /// The initial values of W and b, unless they are the usual ones.
    public var ownInitialValues: [Initializer] { Initializer.own(weight, biasValue) }

    /// Adds the product with W and the sum with b.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let shape = builder.graph.shape(of: inputs[0])
      let inputCount = shape.removing(axes: [0]).fixedCount
      guard units > 0 else {
        throw builder.fault(found: "\(units) units", expected: "at least 1")
      }
      guard inputCount > 0 else {
        throw builder.fault(found: "an input of shape \(shape)", expected: "some elements")
      }
      builder.count(products: units, of: inputCount)
      let flat = try builder.graph.reshape(inputs[0], to: [.batch, .fixed(inputCount)])
      let W = try builder.weight(
        [units, inputCount], weight, isNormalized: weightNorm,
        WeightView(groups: 1, before: 1, outputs: units, after: inputCount))
      let b =
        bias
        ? try builder.parameter("bias", shape: [units], initially: biasValue, kind: .bias) : nil
      return try builder.graph.affine(flat, weight: W, bias: b)
    }
  }

  /// Creates an affine layer.
  ///
  /// - Parameters:
  ///   - units: The number of outputs.
  ///   - bias: Whether a bias is added.
  ///   - weight: The initial weights.
  ///   - name: A name for the layer.
  ///   - inputs: The names of the layers it takes, if not the one before it.
  ///   - sharedLayer: The name of a layer before it whose parameters it uses.
  /// - Returns: The layer.
  public static func affine(
    _ units: Int, bias: Bool = true, weight: Initializer = .scaled(.he, .uniform),
    name: String? = nil, from inputs: [String] = [], sharing sharedLayer: String? = nil
  ) -> Layer {
    Layer(
      Affine(units: units, bias: bias, weight: weight), name: name, from: inputs,
      sharing: sharedLayer)
  }
}

extension LayerKind where Self == Layer.Affine {
  /// Describes `y = x·Wᵀ + b` of flattened rows.
  public static func affine(
    units: Int, bias: Bool = true, weight: Initializer = .scaled(.he, .uniform),
    biasValue: Initializer = .zeros, weightNorm: Bool = false
  ) -> Self {
    Self(units: units, bias: bias, weight: weight, biasValue: biasValue, weightNorm: weightNorm)
  }
}

extension Layer.Affine: ConfigurableLayerKind {
  /// The keys of `affine`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative("affine", primary: "units", meaning: "y = x·Wᵀ + b, of flattened rows") {
        (section) throws(ConfigurationError) in
        let units = try section.integer(
          "units", in: .between(1, 1 << 24), meaning: "number of outputs")
        let bias = try section.boolean("bias", default: true, meaning: "whether b is added")
        let weight = try Initializer.read(
          "weight", from: section, default: "he_uniform", meaning: "initial values of W")
        let biasValue = try Initializer.read(
          "bias_value", from: section, default: "zeros", meaning: "initial values of b")
        return Layer.Affine(
          units: units, bias: bias, weight: weight, biasValue: biasValue,
          weightNorm: try section.weightNorm())
      }
    ]
  }
}

/// One layer of a network: a function that adds nodes to a graph.
public struct Layer: Hashable, Sendable {
  /// What a layer computes.
  public enum Kind: Hashable, Sendable {
    /// `y = x·Wᵀ + b`.
    case affine(units: Int, bias: Bool, weight: Initializer, biasValue: Initializer)
    /// A function of each element.
    case activation(Activation)
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

  /// Creates a layer.
  public init(_ kind: Kind, name: String? = nil) {
    self.kind = kind
    self.name = name
  }

  /// Creates an affine layer with the usual initial values.
  ///
  /// - Parameters:
  ///   - units: The number of outputs.
  ///   - bias: Whether a bias is added.
  ///   - weight: The initial weights.
  ///   - name: A name for the layer.
  /// - Returns: The layer.
  public static func affine(
    _ units: Int, bias: Bool = true, weight: Initializer = .scaled(.he, .uniform),
    name: String? = nil
  ) -> Layer {
    Layer(.affine(units: units, bias: bias, weight: weight, biasValue: .zeros), name: name)
  }

  /// Creates an activation layer.
  public static func activation(_ activation: Activation, name: String? = nil) -> Layer {
    Layer(.activation(activation), name: name)
  }

  /// The word for the kind of layer, as configurations write it.
  public var word: String {
    switch kind {
    case .affine: "affine"
    case .activation(let activation): activation.rawValue
    }
  }
}

/// What is minimised, from the outputs of the last layer and the targets of a row.
public enum LossKind: String, Hashable, Sendable, CaseIterable {
  /// `log Σⱼ e^zⱼ − z_label`, for class labels.
  case softmaxCrossEntropy = "softmax_cross_entropy"
  /// The mean of `(prediction − response)²`.
  case meanSquaredError = "mean_squared_error"
  /// The sum of `(prediction − response)²`, ‖·‖² per row.
  case squaredNorm = "squared_norm"

  /// Whether targets are class numbers; otherwise they are responses.
  public var takesLabels: Bool { self == .softmaxCrossEntropy }
}

// Activations: functions of each element, and softmax along the last axis.
public import Configuration
public import Graphs

extension Layer {
  /// A function of each element, or of the elements along the last axis.
  public enum Activation: LayerKind, CaseIterable {
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
    case logSoftmax
    /// `x` where it is positive, else `slope · x`.
    case leakyRelu(slope: Double)
    /// `x` where it is positive, else `α · (e^x − 1)`.
    case elu(alpha: Double)
    /// `x · Φ(x)`, with the distribution function of the normal distribution.
    case gelu
    /// `x / (1 + e^−x)`.
    case silu
    /// `log(1 + e^x)`.
    case softplus
    /// `x / 6 + 1/2` between 0 and 1.
    case hardSigmoid
    /// `x` times its hard sigmoid.
    case hardSwish

    /// All activations, with the numbers that configurations leave out.
    public static let allCases: [Activation] = [
      .relu, .sigmoid, .tanh, .exp, .log, .square, .softmax, .logSoftmax, .leakyRelu(slope: 0.01),
      .elu(alpha: 1), .gelu, .silu, .softplus, .hardSigmoid, .hardSwish,
    ]

    /// The name in configurations.
    public var configurationName: String {
      switch self {
      case .relu: "relu"
      case .sigmoid: "sigmoid"
      case .tanh: "tanh"
      case .exp: "exp"
      case .log: "log"
      case .square: "square"
      case .softmax: "softmax"
      case .logSoftmax: "log_softmax"
      case .leakyRelu: "leaky_relu"
      case .elu: "elu"
      case .gelu: "gelu"
      case .silu: "silu"
      case .softplus: "softplus"
      case .hardSigmoid: "hard_sigmoid"
      case .hardSwish: "hard_swish"
      }
    }

    /// The formula, for lists of layers.
    public var formula: String {
      switch self {
      case .relu: "max(x, 0)"
      case .sigmoid: "1 / (1 + e^-x)"
      case .tanh: "hyperbolic tangent of x"
      case .exp: "e^x"
      case .log: "natural logarithm of x"
      case .square: "x²"
      case .softmax: "e^xᵢ / Σⱼ e^xⱼ over the last axis"
      case .logSoftmax: "xᵢ − log Σⱼ e^xⱼ over the last axis"
      case .leakyRelu: "x where positive, else slope · x"
      case .elu: "x where positive, else alpha · (e^x − 1)"
      case .gelu: "x · Φ(x), Φ the normal distribution function"
      case .silu: "x / (1 + e^-x)"
      case .softplus: "log(1 + e^x)"
      case .hardSigmoid: "x / 6 + 1/2 between 0 and 1"
      case .hardSwish: "x · hard_sigmoid(x)"
      }
    }

    /// Adds the function of the input; slopes at 0 are PyTorch's.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let x = inputs[0]
      let shape = builder.graph.shape(of: x)
      switch self {
      case .relu: return try builder.graph.add(.relu, [x])
      case .sigmoid: return try builder.graph.add(.sigmoid, [x])
      case .tanh: return try builder.graph.add(.tanh, [x])
      case .exp: return try builder.graph.add(.exp, [x])
      case .log: return try builder.graph.add(.log, [x])
      case .square: return try builder.graph.add(.square, [x])
      case .softmax, .logSoftmax:
        // Along the last axis of single numbers lie other rows.
        guard shape.axisCount > 1 else {
          throw builder.fault(found: "an input of shape \(shape)", expected: "[batch, ...]")
        }
        return try builder.graph.add(self == .softmax ? .softmax : .logSoftmax, [x])
      case .leakyRelu(let slope):
        return try builder.graph.add(
          .add,
          [
            builder.graph.scale(x, by: slope),
            builder.graph.scale(builder.graph.relu(x), by: 1 - slope),
          ])
      case .elu(let alpha):
        let positive = try builder.graph.relu(x)
        let power = try builder.graph.add(
          .expm1, [builder.graph.add(.subtract, [x, positive])])
        return try builder.graph.add(.add, [positive, builder.graph.scale(power, by: alpha)])
      case .gelu:
        let error = try builder.graph.add(
          .erf, [builder.graph.scale(x, by: 0.5.squareRoot())])
        let one = builder.graph.fill(1, shape: shape)
        let probability = try builder.graph.scale(
          builder.graph.add(.add, [error, one]), by: 0.5)
        return try builder.graph.add(.multiply, [x, probability])
      case .silu: return try builder.graph.add(.multiply, [x, builder.graph.sigmoid(x)])
      case .softplus: return try builder.graph.add(.softplus, [x])
      case .hardSigmoid: return try builder.graph.hardSigmoid(x)
      case .hardSwish:
        return try builder.graph.add(.multiply, [x, builder.graph.hardSigmoid(x)])
      }
    }
  }

  /// Creates an activation layer.
  public static func activation(
    _ activation: Activation, name: String? = nil, from inputs: [String] = []
  ) -> Layer {
    Layer(activation, name: name, from: inputs)
  }
}

extension LayerKind where Self == Layer.Activation {
  /// Returns the activation as a kind of layer.
  public static func activation(_ activation: Layer.Activation) -> Self { activation }
}

extension Layer.Activation: ConfigurableLayerKind {
  /// The names of all activations, and the keys of those with a number.
  public static var alternatives: [Alternative<any LayerKind>] {
    allCases.map { activation in
      let primary: String? =
        switch activation {
        case .leakyRelu: "slope"
        case .elu: "alpha"
        default: nil
        }
      return Alternative(
        activation.configurationName, primary: primary, meaning: activation.formula
      ) { (section) throws(ConfigurationError) in
        switch activation {
        case .leakyRelu(let slope):
          Layer.Activation.leakyRelu(
            slope: try section.number("slope", default: slope, meaning: "slope below zero"))
        case .elu(let alpha):
          Layer.Activation.elu(
            alpha: try section.number("alpha", default: alpha, meaning: "limit below zero"))
        default: activation
        }
      }
    }
  }
}

extension Graph {
  /// Adds `x / 6 + 1/2` between 0 and 1.
  ///
  /// Cut on both sides, as a difference of two relus has no digits left for large x.
  fileprivate mutating func hardSigmoid(_ x: Node) throws -> Node {
    let three = fill(3, shape: shape(of: x))
    let low = try relu(add(.add, [x, three]))
    return try scale(add(.cap(6), [low]), by: 1 / 6.0)
  }
}

// Dropout.
public import Configuration
public import Graphs
import Numerics

extension Layer {
  /// Zero at random in training, with the probability `rate`; the others times `1 / (1 − rate)`.
  public struct Dropout: LayerKind {
    /// The probability of 0.
    public let rate: Double

    /// Describes a dropout.
    public init(rate: Double) { self.rate = rate }

    /// The name in configurations.
    public var configurationName: String { "dropout" }

    /// True where something is dropped.
    public var differsInTraining: Bool { rate > 0 }

    /// Adds the product with a mask in training, and nothing otherwise.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      guard builder.mode == .training, rate > 0 else { return inputs[0] }
      let mask = DropoutMask(rate: rate, stream: randomStream("dropout", builder.name))
      let shape = builder.graph.shape(of: inputs[0])
      return try builder.graph.add(
        .multiply, [inputs[0], builder.graph.dropoutMask(mask, shape: shape)])
    }
  }
}

extension LayerKind where Self == Layer.Dropout {
  /// Describes a dropout.
  public static func dropout(rate: Double) -> Self { Self(rate: rate) }
}

extension Layer.Dropout: ConfigurableLayerKind {
  /// The keys of `dropout`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative(
        "dropout", primary: "rate",
        meaning: "0 at random in training, the others times 1 / (1 - rate)"
      ) { (section) throws(ConfigurationError) in
        Layer.Dropout(
          rate: try section.number("rate", in: .belowOne, meaning: "probability of 0"))
      }
    ]
  }
}

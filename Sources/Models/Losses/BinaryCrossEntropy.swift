// Cross-entropy of responses that are probabilities.
public import Configuration
public import Graphs

/// The mean of `log(1 + e^z) − t·z`, of logits z and responses t between 0 and 1.
public struct BinaryCrossEntropy: LossKind {
  /// Describes the loss.
  public init() {}

  /// The name in configurations.
  public var configurationName: String { "binary_cross_entropy" }

  /// Sigmoid.
  public var outputActivation: OutputActivation? { .sigmoid }

  /// Adds `(1 − t) · softplus(z) + t · softplus(−z)`.
  ///
  /// Both terms are positive, and so are both of the gradient `(1 − t) · σ(z) − t · σ(−z)` where t is 0 or
  /// 1, while `softplus(z) − t · z` and `σ(z) − t` lose all digits of predictions that are nearly sure.
  public func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    let one = graph.fill(1, shape: graph.shape(of: targets))
    let rest = try graph.add(.subtract, [one, targets])
    let against = try graph.add(.multiply, [rest, graph.add(.softplus, [outputs])])
    let opposite = try graph.add(.softplus, [graph.scale(outputs, by: -1)])
    let towards = try graph.add(.multiply, [targets, opposite])
    return RowLosses(
      try graph.add(.mean(axes: [1]), [graph.add(.add, [against, towards])]))
  }
}

extension Loss {
  /// The mean of `log(1 + e^z) − t·z`.
  public static let binaryCrossEntropy = Loss(BinaryCrossEntropy())
}

extension BinaryCrossEntropy: ConfigurableLossKind {
  /// The name alone.
  public static var alternative: Alternative<any LossKind> {
    Alternative(
      "binary_cross_entropy",
      meaning: "mean of log(1 + e^z) − t·z, of logits z and responses t in 0...1"
    ) { (_) throws(ConfigurationError) in BinaryCrossEntropy() }
  }
}

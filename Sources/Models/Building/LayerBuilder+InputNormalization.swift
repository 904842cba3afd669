// The normalisation of samples before the first layer.
import Graphs
import Tensors

extension LayerBuilder {
  /// Adds `(x − μ) · (1 / σ)` of the samples, with μ and σ states that never change.
  ///
  /// The mean is subtracted first: `x · a + b` would cancel where it is far from 0.
  mutating func normalizedSamples(
    _ samples: Graph.Node, _ normalization: InputNormalization, sampleShape: Shape
  ) throws -> Graph.Node {
    guard let shape = normalization.shape(for: sampleShape) else { return samples }
    graph.layer = "input"
    /// One value per entry of the first axis, or per element, beside the samples.
    func state(_ name: String, _ initializer: Initializer) throws -> Graph.Node {
      states.append(
        Network.State(name: name, shape: shape, initializer: initializer, momentum: 0))
      let repeated = Array(repeating: 1, count: sampleShape.axisCount - shape.axisCount)
      return try graph.reshape(
        graph.parameter(name, shape: SymbolicShape(shape)),
        to: SymbolicShape(Shape(shape.extents + repeated)))
    }
    let mean = try state(Network.inputMeanName, .zeros)
    let deviation = try state(Network.inputDeviationName, .constant(1))
    let inverse = try graph.add(
      .divide, [graph.fill(1, shape: graph.shape(of: deviation)), deviation])
    return try graph.add(.multiply, [graph.add(.subtract, [samples, mean]), inverse])
  }
}

extension Network {
  /// The name of the state with the means of the samples, where they are normalised.
  public static let inputMeanName = "input/mean"
  /// The name of the state with the deviations of the samples.
  public static let inputDeviationName = "input/deviation"
}

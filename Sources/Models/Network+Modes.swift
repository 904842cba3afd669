// What a network computes in training and outside of it.
public import Graphs

extension Network {
  /// What a network is built for.
  public enum Mode: Hashable, Sendable {
    /// Steps of training: dropout drops, batch normalisation measures.
    case training
    /// Evaluation and prediction.
    case evaluation
  }

  /// From samples and targets to a prediction and a loss per row, in one mode.
  public struct Forward: Sendable {
    /// The graph.
    public let graph: Graph
    /// The output of the last layer, shape `[batch, outputs]`.
    public let prediction: Graph.Node
    /// The loss of each row, shape `[batch]`.
    public let loss: Graph.Node
    /// The weight of each row, shape `[batch]`; nil where all weigh 1.
    public let rowWeight: Graph.Node?
  }

  /// Whether the graph of training holds sums over all microbatches of a step.
  public var isSegmented: Bool { graph.nodes.contains { graph[$0].operation.spansMicrobatches } }

  /// The model as steps of training compute it.
  public var training: Forward {
    Forward(graph: graph, prediction: prediction, loss: loss, rowWeight: rowWeight)
  }
}

extension Layer {
  /// Whether the layer computes something else in training than in evaluation.
  var hasModes: Bool {
    switch kind {
    case .dropout(let rate): rate > 0
    case .batchNormalization: true
    case .affine, .activation, .curve, .convolution, .pooling, .globalAveragePool, .flatten,
      .reshape, .permute, .normalization, .localResponse, .add, .multiply, .concatenate, .slice,
      .pad, .embedding:
      false
    case .repeated(_, let layers): layers.contains(where: \.hasModes)
    }
  }
}

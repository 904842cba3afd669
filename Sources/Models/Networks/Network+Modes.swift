// The graphs of a network in training and in evaluation.
public import Graphs

extension Network {
  /// The use that a graph is built for.
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

  /// Indicates that the graph of training holds sums over all microbatches of a step.
  public var isSegmented: Bool { graph.nodes.contains { graph[$0].operation.spansMicrobatches } }

  /// The model as steps of training compute it.
  public var training: Forward {
    Forward(graph: graph, prediction: prediction, loss: loss, rowWeight: rowWeight)
  }
}

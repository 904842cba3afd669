// Losses of predictions and responses, one number per row.
import Graphs

extension LayerBuilder {
  /// Adds the loss of each row.
  ///
  /// - Parameters:
  ///   - kind: A loss that takes responses.
  ///   - prediction: Shape `[batch, responses]`.
  ///   - target: The same shape.
  /// - Returns: A node of shape `[batch]`.
  /// - Throws: Nothing for nodes of these shapes.
  mutating func loss(
    _ kind: LossKind, of prediction: Graph.Node, target: Graph.Node
  ) throws -> Graph.Node {
    switch kind {
    case .softmaxCrossEntropy: preconditionFailure("a loss of labels")
    case .meanSquaredError: return try graph.meanSquaredError(prediction, target: target)
    case .squaredNorm:
      return try graph.squaredNorm(graph.add(.subtract, [prediction, target]))
    case .meanAbsoluteError:
      let error = try graph.add(.abs, [graph.add(.subtract, [prediction, target])])
      return try graph.add(.mean(axes: [1]), [error])
    case .huber:
      // With q = min(|e|, 1) both branches are q²/2 + (|e| − q).
      let error = try graph.add(.abs, [graph.add(.subtract, [prediction, target])])
      let one = graph.fill(1, shape: graph.shape(of: error))
      let beyond = try graph.relu(graph.add(.subtract, [error, one]))
      let within = try graph.add(.subtract, [error, beyond])
      let square = try graph.scale(graph.add(.square, [within]), by: 0.5)
      return try graph.add(.mean(axes: [1]), [graph.add(.add, [square, beyond])])
    case .binaryCrossEntropy:
      let product = try graph.add(.multiply, [target, prediction])
      let terms = try graph.add(.subtract, [softplus(prediction), product])
      return try graph.add(.mean(axes: [1]), [terms])
    }
  }
}

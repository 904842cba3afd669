// Losses of predictions and targets, one number per row.
import Graphs
import Tensors

extension LayerBuilder {
  /// Adds the targets and the loss of each row.
  ///
  /// - Parameters:
  ///   - kind: What is minimised.
  ///   - prediction: The output of the last layer.
  ///   - targets: What a row is compared with.
  /// - Returns: Nodes of shape `[batch]`: the losses, and the weights of the rows if they are not all 1.
  /// - Throws: ``ModelError/outputs(loss:found:expected:)`` if they do not go together.
  mutating func loss(
    _ kind: LossKind, of prediction: Graph.Node, targets: Network.Targets
  ) throws -> (loss: Graph.Node, weight: Graph.Node?) {
    let outputs = graph.shape(of: prediction)
    func fault(_ found: String, _ expected: String) -> ModelError {
      .outputs(loss: kind.word, found: found, expected: expected)
    }
    switch (kind, targets) {
    case (.crossEntropy(let smoothing, let weights), .labels):
      guard outputs.axisCount == 2 else {
        throw fault("outputs of shape \(outputs)", "[batch, classes]")
      }
      let classes = outputs.fixedCount
      guard weights == nil || weights?.count == classes else {
        throw fault("\(weights?.count ?? 0) class weights", "\(classes), one for each class")
      }
      let labels = try graph.labels(Network.targetsName)
      return try crossEntropy(
        prediction, labels: labels, smoothing: smoothing, weights: weights, classes: classes)
    case (.crossEntropy, .responses): throw fault("responses in the data", "class labels")
    case (_, .responses(let count)):
      guard outputs == [.batch, .fixed(count)] else {
        throw fault("outputs of shape \(outputs)", "[batch, \(count)] as the responses have")
      }
      let target = try graph.data(Network.targetsName, shape: outputs)
      return (try loss(kind, of: prediction, target: target), nil)
    case (_, .labels): throw fault("class labels in the data", "responses")
    }
  }

  /// `−(1 − ε) · w_label · p_label − ε / K · Σⱼ wⱼ pⱼ`, of log-probabilities p.
  private mutating func crossEntropy(
    _ logits: Graph.Node, labels: Graph.Node, smoothing: Double, weights: [Double]?, classes: Int
  ) throws -> (loss: Graph.Node, weight: Graph.Node?) {
    var loss = try graph.softmaxCrossEntropy(logits, labels: labels)
    var weight: Graph.Node?
    if let weights {
      let table = graph.constant(Tensor(shape: [classes], values: weights))
      let node = try graph.gather(table, labels: labels)
      loss = try graph.add(.multiply, [loss, node])
      weight = node
    }
    guard smoothing > 0 else { return (loss, weight) }
    let shares = (weights ?? Array(repeating: 1, count: classes)).map {
      -smoothing / Double(classes) * $0
    }
    let terms = try graph.add(
      .multiply,
      [
        graph.add(.logSoftmax, [logits]),
        graph.constant(Tensor(shape: [classes], values: shares)),
      ])
    let spread = try graph.add(.sum(axes: [1]), [terms])
    return (try graph.add(.add, [graph.scale(loss, by: 1 - smoothing), spread]), weight)
  }

  /// The loss of each row of predictions and responses of shape `[batch, responses]`.
  private mutating func loss(
    _ kind: LossKind, of prediction: Graph.Node, target: Graph.Node
  ) throws -> Graph.Node {
    switch kind {
    case .crossEntropy: preconditionFailure("a loss of labels")
    case .meanSquaredError: return try graph.meanSquaredError(prediction, target: target)
    case .squaredNorm:
      return try graph.squaredNorm(graph.add(.subtract, [prediction, target]))
    case .meanAbsoluteError:
      let error = try graph.add(.abs, [graph.add(.subtract, [prediction, target])])
      return try graph.add(.mean(axes: [1]), [error])
    case .huber(let delta):
      // With q = min(|e|, δ) both branches are q²/2 + δ · (|e| − q).
      let error = try graph.add(.abs, [graph.add(.subtract, [prediction, target])])
      let limit = graph.fill(delta, shape: graph.shape(of: error))
      let beyond = try graph.relu(graph.add(.subtract, [error, limit]))
      let within = try graph.add(.subtract, [error, beyond])
      let square = try graph.scale(graph.add(.square, [within]), by: 0.5)
      let linear = delta == 1 ? beyond : try graph.scale(beyond, by: delta)
      return try graph.add(.mean(axes: [1]), [graph.add(.add, [square, linear])])
    case .binaryCrossEntropy:
      // (1 − t) · softplus(z) + t · softplus(−z): both terms are positive, and so are both of the gradient
      // (1 − t) · σ(z) − t · σ(−z) where t is 0 or 1, while softplus(z) − t · z and σ(z) − t lose all digits of
      // predictions that are nearly sure.
      let one = graph.fill(1, shape: graph.shape(of: target))
      let rest = try graph.add(.subtract, [one, target])
      let against = try graph.add(.multiply, [rest, graph.add(.softplus, [prediction])])
      let opposite = try graph.add(.softplus, [graph.scale(prediction, by: -1)])
      let towards = try graph.add(.multiply, [target, opposite])
      return try graph.add(.mean(axes: [1]), [graph.add(.add, [against, towards])])
    }
  }
}

// Batch normalisation: the nodes it adds in training and in evaluation.
import Graphs
import Tensors

extension LayerBuilder {
  /// Adds the normalisation of each channel over the batch, and what its running averages follow.
  mutating func batchNormalization(
    _ input: Graph.Node, name: String, _ layer: Layer.BatchNormalization
  ) throws -> Graph.Node {
    let shape = graph.shape(of: input)
    guard shape.axisCount > 1, case .fixed(let channels) = shape[1], shape.fixedCount > 0 else {
      throw ModelError.layer(
        name, found: "an input of shape \(shape.removing(axes: [0]))",
        expected: "[channels, ...]")
    }
    let scale =
      layer.affine
      ? try parameter("scale", [channels], .constant(1), .normalization)
      : graph.fill(1, shape: [.fixed(channels)])
    let shift =
      layer.affine
      ? try parameter("shift", [channels], .zeros, .normalization)
      : graph.fill(0, shape: [.fixed(channels)])
    guard mode == .training else {
      return try normalizedByStates(input, name: name, layer, channels, scale, shift)
    }
    let axes = [0] + Array(2..<shape.axisCount)
    let spansMicrobatches = layer.statistics == .batch
    let normalization = Normalization(
      axes: axes, epsilon: layer.epsilon, spansMicrobatches: spansMicrobatches)
    let output = try graph.add(.normalize(normalization), [input, scale, shift])
    let moments = try graph.add(.moments(normalization), [input])
    func part(_ place: Int) throws -> Graph.Node {
      try graph.reshape(
        graph.add(.slice(axis: 0, start: place, end: place + 1), [moments]),
        to: [.fixed(channels)])
    }
    let positions = shape.fixedCount / channels
    let rows = try rowCount()
    // n / (n − 1) makes the variance unbiased.
    let allRows = spansMicrobatches ? try graph.add(.crossMicrobatchSum, [rows]) : rows
    let count = try graph.scale(allRows, by: Double(positions))
    let others = try graph.add(.subtract, [count, graph.fill(1, shape: [])])
    let weight = try graph.add(.multiply, [rows, graph.add(.divide, [count, others])])
    states += [
      Network.State(
        name: "\(name)/mean", shape: [channels], initializer: .zeros, momentum: layer.momentum,
        statistic: try graph.add(.multiply, [part(0), rows])),
      Network.State(
        name: "\(name)/variance", shape: [channels], initializer: .constant(1),
        momentum: layer.momentum, statistic: try graph.add(.multiply, [part(1), weight])),
    ]
    rowNeeds.append(
      Network.RowNeed(
        layer: name, statistics: layer.statistics, leastRows: positions == 1 ? 2 : 1))
    return output
  }

  /// `x · a + b` with `a = γ / √(σ² + ε)` and `b = β − μ · a` from the running averages.
  private mutating func normalizedByStates(
    _ input: Graph.Node, name: String, _ layer: Layer.BatchNormalization, _ channels: Int,
    _ scale: Graph.Node, _ shift: Graph.Node
  ) throws -> Graph.Node {
    let mean = try graph.parameter("\(name)/mean", shape: [.fixed(channels)])
    let variance = try graph.parameter("\(name)/variance", shape: [.fixed(channels)])
    let offset = graph.fill(layer.epsilon, shape: [.fixed(channels)])
    let inverse = try graph.power(graph.add(.add, [variance, offset]), -0.5)
    let slope = try graph.add(.multiply, [scale, inverse])
    let start = try graph.add(.subtract, [shift, graph.add(.multiply, [mean, slope])])
    let axisCount = graph.shape(of: input).axisCount - 2
    let product = try graph.add(.multiply, [input, perChannel(slope, axisCount: axisCount)])
    return try graph.add(.add, [product, perChannel(start, axisCount: axisCount)])
  }

  /// The number of rows, as a node.
  private mutating func rowCount() throws -> Graph.Node {
    try graph.add(.sum(axes: [0]), [graph.fill(1, shape: [.batch])])
  }
}

import Graphs
import Tensors

/// Adds layers to a graph, one function per kind of layer.
struct LayerBuilder {
  var graph = Graph()
  private(set) var parameters: [Network.Parameter] = []
  private(set) var summaries: [Network.LayerSummary] = []
  /// The layer whose nodes are being added.
  private var layer: Layer?

  /// Adds the nodes of `layer` and returns the node of its output.
  mutating func add(_ layer: Layer, name: String, to input: Graph.Node) throws -> Graph.Node {
    graph.layer = name
    self.layer = layer
    let before = parameters.count
    let output: Graph.Node
    var flops = 0
    switch layer.kind {
    case .affine(let units, let bias, let weight, let biasValue):
      output = try affine(
        input, name: name, units: units, bias: bias, weight: weight, biasValue: biasValue)
      flops = 2 * parameters[before].shape.count
    case .activation(let activation):
      // Along the last axis of single numbers lie other rows.
      guard !activation.isAlongAxis || graph.shape(of: input).axisCount > 1 else {
        throw ModelError.layer(
          name, found: "an input of shape \(graph.shape(of: input))", expected: "[batch, ...]")
      }
      output = try graph.add(activation.operation, [input])
    case .curve(let curve): output = try self.curve(input, curve)
    case .convolution(let convolution):
      output = try self.convolution(input, name: name, convolution)
      let positions = convolution.isTransposed ? input : output
      let shape = graph.shape(of: positions).resolved(batch: 1)
      flops = 2 * parameters[before].shape.count * shape.extents.dropFirst(2).reduce(1, *)
    case .pooling(let pooling): output = try self.pooling(input, name: name, pooling)
    case .globalAveragePool: output = try globalAveragePool(input, name: name)
    case .flatten:
      output = try reshape(input, name: name, to: [graph.shape(of: input).fixedCount])
    case .reshape(let extents): output = try reshape(input, name: name, to: extents)
    case .permute(let axes): output = try permute(input, name: name, axes)
    case .normalization(let normalization):
      output = try self.normalization(input, name: name, normalization)
    case .localResponse(let size, let alpha, let beta, let k):
      output = try localResponse(
        input, name: name, size: size, alpha: alpha, beta: beta, k: k)
    }
    if parameters.count == before, layer.isFrozen || layer.learningRateFactor != 1 {
      throw ModelError.layer(
        name, found: layer.isFrozen ? "'frozen'" : "'learning_rate'",
        expected: "parameters of its own")
    }
    let row = graph.shape(of: output).removing(axes: [0]).resolved(batch: 1)
    summaries.append(
      Network.LayerSummary(
        name: name, kind: layer.word, outputShape: row,
        parameterCount: parameters[before...].reduce(0) { $0 + $1.shape.count }, flops: flops))
    return output
  }

  private mutating func affine(
    _ input: Graph.Node, name: String, units: Int, bias: Bool, weight: Initializer,
    biasValue: Initializer
  ) throws -> Graph.Node {
    let shape = graph.shape(of: input)
    let inputs = shape.removing(axes: [0]).fixedCount
    guard units > 0 else {
      throw ModelError.layer(name, found: "\(units) units", expected: "at least 1")
    }
    guard inputs > 0 else {
      throw ModelError.layer(name, found: "an input of shape \(shape)", expected: "some elements")
    }
    let flat = try graph.reshape(input, to: [.batch, .fixed(inputs)])
    let W = try parameter("\(name)/weight", [units, inputs], weight, .weight)
    let b = bias ? try parameter("\(name)/bias", [units], biasValue, .bias) : nil
    return try graph.affine(flat, weight: W, bias: b)
  }

  mutating func parameter(
    _ name: String, _ shape: Shape, _ initializer: Initializer, _ kind: Network.Parameter.Kind
  ) throws -> Graph.Node {
    let node = try graph.parameter(name, shape: SymbolicShape(shape))
    parameters.append(
      Network.Parameter(
        name: name, node: node, shape: shape, initializer: initializer, kind: kind,
        learningRateFactor: layer?.learningRateFactor ?? 1, isFrozen: layer?.isFrozen ?? false))
    return node
  }
}

extension Layer.Activation {
  /// Whether an element of the output depends on all elements along the last axis.
  var isAlongAxis: Bool { self == .softmax || self == .logSoftmax }

  var operation: Graph.Operation {
    switch self {
    case .relu: .relu
    case .sigmoid: .sigmoid
    case .tanh: .tanh
    case .exp: .exp
    case .log: .log
    case .square: .square
    case .softmax: .softmax
    case .logSoftmax: .logSoftmax
    }
  }
}

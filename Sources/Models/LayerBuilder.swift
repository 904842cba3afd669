import Graphs
import Numerics
import Tensors

/// Adds layers to a graph, one function per kind of layer.
struct LayerBuilder {
  /// What the network is built for.
  let mode: Network.Mode
  var graph = Graph()
  private(set) var parameters: [Network.Parameter] = []
  private(set) var summaries: [Network.LayerSummary] = []
  var states: [Network.State] = []
  var rowNeeds: [Network.RowNeed] = []
  /// The samples, and the value of each layer.
  private(set) var values: [Graph.Node] = []

  /// The layers, by entry.
  private let entries: [Wiring.Entry]
  /// The layer whose nodes are being added.
  private var entry: Wiring.Entry
  /// The names of the parameters that it has asked for, and the indices of these.
  private var requested: [(name: String, index: Int)] = []
  /// The tables whose rows are named by numbers, and the nodes of these.
  private(set) var tables: [(layer: String, count: Int, numbers: Graph.Node)] = []
  /// The most parameters: their bytes, times the vectors of any optimiser, can still be counted.
  private static let parameterLimit = 1 << 52

  /// The elements of all parameters so far.
  private var parameterElementCount = 0
  /// The floating-point operations of its products for one row.
  var flops = 0

  /// Adds the samples and all layers.
  ///
  /// - Throws: ``ModelError``, `GraphError`.
  init(
    _ wiring: Wiring, sampleShape: Shape, _ normalization: InputNormalization = .off,
    for mode: Network.Mode
  ) throws {
    self.mode = mode
    entries = wiring.entries
    guard let first = entries.first else { preconditionFailure("a model without layers") }
    entry = first
    let samples = try graph.data(
      Network.samplesName, shape: SymbolicShape([.batch] + SymbolicShape(sampleShape).extents))
    values = [try normalizedSamples(samples, normalization, sampleShape: sampleShape)]
    for (place, entry) in entries.enumerated() { try add(entry, at: place) }
  }

  private mutating func add(_ entry: Wiring.Entry, at place: Int) throws {
    let (layer, name) = (entry.layer, entry.name)
    graph.layer = name
    self.entry = entry
    requested = []
    flops = 0
    let before = parameters.count
    let inputs = entry.inputs.map { values[$0] }
    let output: Graph.Node
    if layer.kind.isCombination {
      guard inputs.count > 1 else {
        throw ModelError.layer(
          name, found: "1 input", expected: "two or more, such as 'from: [a, b]'")
      }
      output = try combination(inputs, name: name, layer.kind)
    } else {
      guard inputs.count == 1 else {
        throw ModelError.layer(name, found: "\(inputs.count) inputs", expected: "1")
      }
      output = try nodes(of: layer, name: name, inputs[0])
    }
    try requireParameters(name)
    values.append(output)
    let isView = graph[output].operation.isReshape && graph[output].inputs == inputs
    let row = graph.shape(of: output).removing(axes: [0]).resolved(batch: 1)
    summaries.append(
      Network.LayerSummary(
        name: name, kind: layer.word,
        inputs: entry.inputs == [place]
          ? [] : entry.inputs.map { $0 == 0 ? Layer.samplesName : entries[$0 - 1].name },
        outputShape: row,
        parameterCount: parameters[before...].reduce(0) { $0 + $1.shape.count },
        sharedWith: entry.sharedEntry.map { entries[$0].name },
        isFrozen: parameters.count > before && entry.isFrozen, flops: flops,
        activationCount: isView ? 0 : row.count))
  }

  /// Adds the nodes of a layer of one input and returns the node of its output.
  private mutating func nodes(
    of layer: Layer, name: String, _ input: Graph.Node
  ) throws -> Graph.Node {
    switch layer.kind {
    case .affine(let units, let bias, let weight, let biasValue, let weightNorm):
      return try affine(
        input, name: name, units: units, bias: bias, weight: weight, biasValue: biasValue,
        weightNorm: weightNorm)
    case .activation(let activation):
      // Along the last axis of single numbers lie other rows.
      guard !activation.isAlongAxis || graph.shape(of: input).axisCount > 1 else {
        throw ModelError.layer(
          name, found: "an input of shape \(graph.shape(of: input))", expected: "[batch, ...]")
      }
      return try graph.add(activation.operation, [input])
    case .curve(let curve): return try self.curve(input, curve)
    case .convolution(let convolution):
      return try self.convolution(input, name: name, convolution)
    case .pooling(let pooling): return try self.pooling(input, name: name, pooling)
    case .globalAveragePool: return try globalAveragePool(input, name: name)
    case .dropout(let rate): return try dropout(input, name: name, rate: rate)
    case .flatten:
      return try reshape(input, name: name, to: [graph.shape(of: input).fixedCount])
    case .reshape(let extents): return try reshape(input, name: name, to: extents)
    case .permute(let axes): return try permute(input, name: name, axes)
    case .normalization(let normalization):
      return try self.normalization(input, name: name, normalization)
    case .batchNormalization(let normalization):
      return try batchNormalization(input, name: name, normalization)
    case .localResponse(let size, let alpha, let beta, let k):
      return try localResponse(
        input, name: name, size: size, alpha: alpha, beta: beta, k: k)
    case .embedding(let count, let units, let weight):
      return try embedding(input, name: name, count: count, units: units, weight: weight)
    case .slice(let axis, let start, let end):
      return try slice(input, name: name, axis: axis, start: start, end: end)
    case .pad(let axis, let before, let after):
      return try pad(input, name: name, axis: axis, before: before, after: after)
    case .add, .multiply, .concatenate: preconditionFailure("a layer of several inputs")
    case .repeated: preconditionFailure("a block that was not written out")
    }
  }

  private mutating func affine(
    _ input: Graph.Node, name: String, units: Int, bias: Bool, weight: Initializer,
    biasValue: Initializer, weightNorm: Bool
  ) throws -> Graph.Node {
    let shape = graph.shape(of: input)
    let inputs = shape.removing(axes: [0]).fixedCount
    guard units > 0 else {
      throw ModelError.layer(name, found: "\(units) units", expected: "at least 1")
    }
    guard inputs > 0 else {
      throw ModelError.layer(name, found: "an input of shape \(shape)", expected: "some elements")
    }
    count(products: units, of: inputs)
    let flat = try graph.reshape(input, to: [.batch, .fixed(inputs)])
    let W = try self.weight(
      [units, inputs], weight, isNormalized: weightNorm,
      WeightView(groups: 1, before: 1, outputs: units, after: inputs))
    let b = bias ? try parameter("bias", [units], biasValue, .bias) : nil
    return try graph.affine(flat, weight: W, bias: b)
  }

  /// Adds a row of a table for each number; the numbers are looked at when all layers are there.
  private mutating func embedding(
    _ input: Graph.Node, name: String, count: Int, units: Int, weight: Initializer
  ) throws -> Graph.Node {
    guard count > 0, units > 0 else {
      throw ModelError.layer(
        name, found: "\(count) rows of \(units) units", expected: "at least 1 of each")
    }
    let table = try parameter("weight", [count, units], weight, .weight)
    tables.append((name, count, input))
    return try graph.add(.embedding, [table, input])
  }

  /// Adds the product with a mask in training, and nothing otherwise.
  private mutating func dropout(
    _ input: Graph.Node, name: String, rate: Double
  ) throws -> Graph.Node {
    guard mode == .training, rate > 0 else { return input }
    let mask = DropoutMask(rate: rate, stream: randomStream("dropout", name))
    return try graph.add(
      .multiply, [input, graph.dropoutMask(mask, shape: graph.shape(of: input))])
  }

  /// Notes the floating-point operations of products; an estimate, and so bounded for sums of it.
  mutating func count(products: Int, of length: Int) {
    flops = Int(min(2 * Double(products) * Double(length), 0x1p48))
  }

  // MARK: Parameters.

  /// The name of the layer whose nodes are being added.
  var name: String { entry.name }

  /// The path of a parameter of the layer, or of the layer it shares with.
  func parameterPath(_ name: String) -> String {
    (entry.sharedEntry.map { entries[$0].name } ?? entry.name) + "/" + name
  }

  /// Adds a parameter of the layer, or finds that of the layer it shares with.
  mutating func parameter(
    _ name: String, _ shape: Shape, _ initializer: Initializer, _ kind: ParameterKind
  ) throws -> Graph.Node {
    guard let owner = entry.sharedEntry.map({ entries[$0].name }) else {
      let path = parameterPath(name)
      let node = try graph.parameter(path, shape: SymbolicShape(shape))
      parameterElementCount += shape.count
      guard parameterElementCount <= LayerBuilder.parameterLimit else {
        throw ModelError.layer(
          entry.name, found: "\(parameterElementCount) parameters up to it",
          expected: "at most \(LayerBuilder.parameterLimit)")
      }
      requested.append((name, parameters.count))
      parameters.append(
        Network.Parameter(
          name: path, node: node, shape: shape, initializer: initializer, kind: kind,
          learningRateFactor: entry.learningRateFactor, isFrozen: entry.isFrozen))
      return node
    }
    guard let index = parameters.firstIndex(where: { $0.name == parameterPath(name) }) else {
      throw ModelError.layer(
        entry.name, found: "no \(name) in '\(owner)', whose parameters it shares",
        expected: "one of shape \(shape)")
    }
    guard parameters[index].shape == shape else {
      throw ModelError.layer(
        entry.name,
        found:
          "a \(name) of shape \(parameters[index].shape) in '\(owner)', whose parameters it shares",
        expected: "\(shape)")
    }
    requested.append((name, index))
    return parameters[index].node
  }

  /// Refuses what is said of parameters where there are none, and sharing of other parameters.
  private func requireParameters(_ name: String) throws(ModelError) {
    let layer = entry.layer
    guard let owner = entry.sharedEntry.map({ entries[$0] }) else {
      guard requested.isEmpty, layer.isFrozen || layer.learningRateFactor != 1 else { return }
      throw .layer(
        name, found: layer.isFrozen ? "'frozen'" : "'learning_rate'",
        expected: "parameters of its own")
    }
    guard owner.layer.word == layer.word else {
      throw .layer(
        name, found: "'\(owner.name)', which is \(owner.layer.word), to share parameters with",
        expected: "a layer that is \(layer.word)")
    }
    let word = layer.isFrozen ? "'frozen'" : layer.learningRateFactor != 1 ? "'learning_rate'" : nil
    if let word {
      throw .layer(
        name, found: word, expected: "it at '\(owner.name)', whose parameters the layer shares")
    }
    let (own, usual) = (layer.kind.initialValues.found, layer.kind.initialValues.usual)
    guard own == usual || own == owner.layer.kind.initialValues.found else {
      throw .layer(
        name, found: "initial values of its own",
        expected: "those of '\(owner.name)', whose parameters the layer shares")
    }
    let prefix = "\(owner.name)/"
    let others = parameters.indices.filter { index in
      parameters[index].name.hasPrefix(prefix) && !requested.contains { $0.index == index }
    }
    guard !requested.isEmpty, others.isEmpty else {
      let found = others.map { String(parameters[$0].name.dropFirst(prefix.count)) }
      throw .layer(
        name,
        found: found.isEmpty
          ? "'share' of '\(owner.name)'"
          : "a \(found[0]) in '\(owner.name)', whose parameters it shares",
        expected: found.isEmpty ? "a layer with parameters" : "a layer that has the same")
    }
  }
}

extension Layer.Kind {
  /// How the parameters of the layer start, and how they do where nothing is said.
  fileprivate var initialValues: (found: [Initializer], usual: [Initializer]) {
    let usual: [Initializer] = [.scaled(.he, .uniform), .zeros]
    return switch self {
    case .affine(_, _, let weight, let biasValue, _): ([weight, biasValue], usual)
    case .convolution(let convolution): ([convolution.weight, convolution.biasValue], usual)
    case .embedding(_, _, let weight): ([weight], [Layer.usualTable])
    case .activation, .curve, .pooling, .globalAveragePool, .flatten, .reshape, .permute,
      .normalization, .batchNormalization, .localResponse, .dropout, .slice, .pad, .add, .multiply,
      .concatenate, .repeated:
      ([], [])
    }
  }

  /// Whether the layer takes two or more inputs.
  var isCombination: Bool {
    switch self {
    case .add, .multiply, .concatenate: true
    case .affine, .activation, .curve, .convolution, .pooling, .globalAveragePool, .flatten,
      .reshape, .permute, .normalization, .localResponse, .slice, .pad, .embedding, .dropout,
      .batchNormalization, .repeated:
      false
    }
  }
}

extension Graph.Operation {
  fileprivate var isReshape: Bool { if case .reshape = self { true } else { false } }
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

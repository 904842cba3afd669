public import Graphs
public import Tensors

/// The graph of a model while its layers are added, and what they declare: parameters, states, needs.
///
/// A ``LayerKind`` gets it to add its nodes to ``graph``.
public struct LayerBuilder {
  /// The mode that the network is built for.
  public let mode: Network.Mode
  /// The graph; nodes are labelled with the layer that adds them.
  public var graph = Graph()

  private(set) var parameters: [Network.Parameter] = []
  private(set) var summaries: [Network.LayerSummary] = []
  var states: [Network.State] = []
  var rowNeeds: [Network.RowNeed] = []
  /// The samples, and the value of each layer.
  private(set) var values: [Graph.Node] = []
  /// The tables whose rows are named by numbers, and the nodes of these.
  private(set) var tables: [(layer: String, count: Int, numbers: Graph.Node)] = []

  /// The layers, by entry.
  private let entries: [Wiring.Entry]
  /// The layer whose nodes are being added.
  private var entry: Wiring.Entry
  /// The names of the parameters that it has asked for, and the indices of these.
  private var requested: [(name: String, index: Int)] = []
  /// The most parameters: their bytes, times the vectors of any optimiser, can still be counted.
  private static let parameterLimit = 1 << 52

  /// The elements of all parameters so far.
  private var parameterElementCount = 0
  /// The floating-point operations of the layer's products for one row.
  private var flops = 0

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
    for (index, entry) in entries.enumerated() { try add(entry, at: index) }
  }

  private mutating func add(_ entry: Wiring.Entry, at index: Int) throws {
    graph.layer = entry.name
    self.entry = entry
    requested = []
    flops = 0
    let before = parameters.count
    let inputs = entry.inputs.map { values[$0] }
    if entry.kind.takesSeveralInputs {
      guard inputs.count > 1 else {
        throw fault(found: "1 input", expected: "two or more, such as 'from: [a, b]'")
      }
    } else {
      guard inputs.count == 1 else {
        throw fault(found: "\(inputs.count) inputs", expected: "1")
      }
    }
    let output = try entry.kind.output(of: inputs, in: &self)
    guard graph.shape(of: output).extents.first == .batch else {
      throw fault(
        found: "an output of shape \(graph.shape(of: output))", expected: "[batch, ...]")
    }
    try requireParameters()
    values.append(output)
    let isView = graph[output].operation.isReshape && graph[output].inputs == inputs
    let row = rowShape(of: output)
    summaries.append(
      Network.LayerSummary(
        name: name, kind: entry.kind.configurationName,
        inputs: entry.inputs == [index]
          ? [] : entry.inputs.map { $0 == 0 ? Layer.samplesName : entries[$0 - 1].name },
        outputShape: row,
        parameterCount: parameters[before...].reduce(0) { $0 + $1.shape.count },
        sharedWith: entry.sharedEntry.map { entries[$0].name },
        isFrozen: parameters.count > before && entry.isFrozen, flops: flops,
        activationCount: isView ? 0 : row.count))
  }

  // MARK: For kinds of layers.

  /// The name of the layer whose nodes are being added.
  public var name: String { entry.name }

  /// Returns the shape of a value for one row, without the batch.
  public func rowShape(of node: Graph.Node) -> Shape {
    graph.shape(of: node).removing(axes: [0]).resolved(batch: 1)
  }

  /// Returns an error that names the layer.
  ///
  /// - Parameters:
  ///   - found: The input or number at fault; `an input of shape [3]`.
  ///   - expected: The input that the layer takes; `[channels, ...]`.
  /// - Returns: The error, to be thrown.
  public func fault(found: String, expected: String) -> ModelError {
    .layer(name, found: found, expected: expected)
  }

  /// Adds the floating-point operations of products to the layer's summary.
  ///
  /// An estimate, and so bounded for sums of it.
  ///
  /// - Parameters:
  ///   - products: The number of dot products for one row.
  ///   - length: The elements of each.
  public mutating func count(products: Int, of length: Int) {
    flops = min(flops + Int(min(2 * Double(products) * Double(length), 0x1p48)), 1 << 48)
  }

  /// Requires that the elements of `numbers` are whole numbers from 0 that are less than `count`.
  ///
  /// Samples are checked before the first step; a model that computes the numbers is refused.
  public mutating func requireRowNumbers(_ numbers: Graph.Node, below count: Int) {
    tables.append((name, count, numbers))
  }

  /// Adds one number per channel, as it lines up with images.
  mutating func perChannel(_ node: Graph.Node, axisCount: Int) throws -> Graph.Node {
    try graph.reshape(
      node,
      to: SymbolicShape([graph.shape(of: node)[0]] + Array(repeating: 1, count: axisCount)))
  }

  // MARK: Parameters.

  /// Returns the path of a parameter of the layer, or of the layer it shares with.
  func parameterPath(_ name: String) -> String {
    (entry.sharedEntry.map { entries[$0].name } ?? entry.name) + "/" + name
  }

  /// Adds a parameter of the layer, or finds that of the layer it shares with.
  ///
  /// - Parameters:
  ///   - name: Its name within the layer, such as `weight`.
  ///   - shape: Its shape, outputs first where it has such an axis.
  ///   - initializer: Its initial values.
  ///   - kind: Its part in the layer, as optimisers tell parameters apart.
  /// - Returns: Its node.
  /// - Throws: ``ModelError`` for more parameters than can be counted, or where the shared layer has none
  ///   of that name and shape.
  public mutating func parameter(
    _ name: String, shape: Shape, initially initializer: Initializer,
    kind: ParameterKind
  ) throws -> Graph.Node {
    guard let owner = entry.sharedEntry.map({ entries[$0].name }) else {
      let path = parameterPath(name)
      let node = try graph.parameter(path, shape: SymbolicShape(shape))
      parameterElementCount += shape.count
      guard parameterElementCount <= LayerBuilder.parameterLimit else {
        throw fault(
          found: "\(parameterElementCount) parameters up to it",
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
      throw fault(
        found: "no \(name) in '\(owner)', whose parameters it shares",
        expected: "one of shape \(shape)")
    }
    guard parameters[index].shape == shape else {
      throw fault(
        found:
          "a \(name) of shape \(parameters[index].shape) in '\(owner)', whose parameters it shares",
        expected: "\(shape)")
    }
    requested.append((name, index))
    return parameters[index].node
  }

  /// Refuses settings of parameters where there are none, and sharing of other parameters.
  private func requireParameters() throws(ModelError) {
    let (layer, kind) = (entry.layer, entry.kind)
    guard let owner = entry.sharedEntry.map({ entries[$0] }) else {
      guard requested.isEmpty, layer.isFrozen || layer.learningRateFactor != 1 else { return }
      throw fault(
        found: layer.isFrozen ? "'frozen'" : "'learning_rate'",
        expected: "parameters of its own")
    }
    guard owner.kind.configurationName == kind.configurationName else {
      throw fault(
        found:
          "'\(owner.name)', which is \(owner.kind.configurationName), to share parameters with",
        expected: "a layer that is \(kind.configurationName)")
    }
    if layer.isFrozen || layer.learningRateFactor != 1 {
      throw fault(
        found: layer.isFrozen ? "'frozen'" : "'learning_rate'",
        expected: "it at '\(owner.name)', whose parameters the layer shares")
    }
    let own = kind.ownInitialValues
    guard own.isEmpty || own == owner.kind.ownInitialValues else {
      throw fault(
        found: "initial values of its own",
        expected: "those of '\(owner.name)', whose parameters the layer shares")
    }
    let prefix = "\(owner.name)/"
    let others = parameters.indices.filter { index in
      parameters[index].name.hasPrefix(prefix) && !requested.contains { $0.index == index }
    }
    guard !requested.isEmpty, others.isEmpty else {
      let found = others.map { String(parameters[$0].name.dropFirst(prefix.count)) }
      throw fault(
        found: found.isEmpty
          ? "'share' of '\(owner.name)'"
          : "a \(found[0]) in '\(owner.name)', whose parameters it shares",
        expected: found.isEmpty ? "a layer with parameters" : "a layer that has the same")
    }
  }
}

extension Graph.Operation {
  fileprivate var isReshape: Bool { if case .reshape = self { true } else { false } }
}

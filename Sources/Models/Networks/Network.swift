public import Graphs
public import Tensors

/// A model as a computation graph: from samples and targets to a loss per row and its gradient.
public struct Network: Sendable {
  /// The targets that the rows of a dataset have.
  public enum Targets: Hashable, Sendable {
    /// A class number per row.
    case labels
    /// A number of responses per row.
    case responses(Int)
  }

  /// A parameter with its initial values.
  public struct Parameter: Hashable, Sendable {
    /// Its path, such as `affine1/weight`.
    public let name: String
    /// Its place in the graph.
    public let node: Graph.Node
    /// Its shape.
    public let shape: Shape
    /// Its initial values.
    public let initializer: Initializer
    /// Its part in the layer.
    public let kind: ParameterKind
    /// The factor of the learning rate for it.
    public let learningRateFactor: Double
    /// Indicates that it keeps its initial values; it has no gradient then.
    public let isFrozen: Bool
  }

  /// One layer, for the summary.
  public struct LayerSummary: Hashable, Sendable {
    /// Its name.
    public let name: String
    /// Its kind, as configurations write it.
    public let kind: String
    /// The layers it takes, or `samples`; empty for the layer before it.
    public let inputs: [String]
    /// The shape of its output for one row.
    public let outputShape: Shape
    /// The number of elements of its own parameters.
    public let parameterCount: Int
    /// The layer whose parameters it uses.
    public let sharedWith: String?
    /// Indicates that its own parameters keep their initial values.
    public let isFrozen: Bool
    /// The floating-point operations of its products for one row, forward.
    public let flops: Int
    /// The numbers of one row that it adds to memory: those of its output, 0 where these are its input's.
    public let activationCount: Int
  }

  /// The name of the data node of the samples.
  public static let samplesName = Layer.samplesName
  /// The name of the label or data node of the targets.
  public static let targetsName = "targets"

  /// The graph of training: forward, loss and gradients.
  public let graph: Graph
  /// The output of the last layer, shape `[batch, outputs]`.
  public let prediction: Graph.Node
  /// The loss of each row, shape `[batch]`.
  public let loss: Graph.Node
  /// The weight of each row in the mean loss, shape `[batch]`; nil where all weigh 1.
  public let rowWeight: Graph.Node?
  /// The gradient of the sum of the losses, one node for each of ``trainableParameters``.
  public let gradients: [Graph.Node]
  /// All parameters, in the order of the layers.
  public let parameters: [Parameter]
  /// The elements of a sample that must be whole numbers, one item per table whose rows they name.
  public let wholeNumbers: [WholeNumbers]
  /// The running averages and the like that are carried from step to step, in the order of the layers.
  public let states: [State]
  /// The layers that take statistics over rows.
  public let rowNeeds: [RowNeed]
  /// The layers, in order.
  public let layers: [LayerSummary]
  /// The model as it computes outside of training; in the same graph where no layer knows the difference.
  public private(set) var evaluation: Forward
  /// The loss that is minimised.
  public let lossKind: Loss
  /// The shape of a sample, without the batch.
  public let sampleShape: Shape
  /// The number of outputs per row: classes, or responses.
  public let outputCount: Int

  /// Builds the graph of `layers` for data of a given shape.
  ///
  /// - Parameters:
  ///   - layers: The layers, in order, at least one.
  ///   - lossKind: The loss that is minimised.
  ///   - sampleShape: The shape of one sample; a first affine layer takes it flattened.
  ///   - targets: The targets of a row.
  ///   - normalization: The normalisation of samples; mean and deviation are states, which the owner of
  ///     the data sets.
  /// - Throws: ``ModelError``.
  public init(
    layers: [Layer], loss lossKind: Loss, sampleShape: Shape, targets: Targets,
    normalization: InputNormalization = .off
  ) throws(ModelError) {
    self = try Network.withModelErrors {
      let wiring = try Wiring(layers)
      var network = try Network(
        building: wiring, lossKind, sampleShape, targets, normalization, for: .training)
      if wiring.entries.contains(where: \.kind.differsInTraining) {
        network.evaluation = try Network(
          building: wiring, lossKind, sampleShape, targets, normalization, for: .evaluation
        ).training
      }
      return network
    }
  }

  /// Returns the shape of the value of the last layer for one row.
  ///
  /// - Parameters:
  ///   - layers: The layers, in order, at least one.
  ///   - sampleShape: The shape of one sample.
  /// - Returns: The shape, without the batch.
  /// - Throws: ``ModelError``.
  public static func outputShape(
    of layers: [Layer], sampleShape: Shape
  ) throws(ModelError) -> Shape {
    try withModelErrors {
      let wiring = try Wiring(layers)
      let builder = try LayerBuilder(wiring, sampleShape: sampleShape, for: .evaluation)
      let output = builder.graph.shape(of: builder.values[wiring.output])
      return output.removing(axes: [0]).resolved(batch: 1)
    }
  }

  /// Runs `body` and turns its errors into those of models.
  private static func withModelErrors<Result>(
    _ body: () throws -> Result
  ) throws(ModelError) -> Result {
    do {
      return try body()
    } catch let error as ModelError {
      throw error
    } catch let error as GraphError {
      throw .graph(error)
    } catch {
      // A layer or loss of another package may throw anything.
      throw .other(error)
    }
  }

  private init(
    building wiring: Wiring, _ lossKind: Loss, _ sampleShape: Shape, _ targets: Targets,
    _ normalization: InputNormalization, for mode: Mode
  ) throws {
    var builder = try LayerBuilder(wiring, sampleShape: sampleShape, normalization, for: mode)
    let node = builder.values[wiring.output]
    let outputs = builder.graph.shape(of: node)
    wholeNumbers = try builder.wholeNumbers(sampleShape: sampleShape)
    builder.graph.layer = "loss"
    let rowLosses = try builder.losses(lossKind.kind, of: node, targets: targets)
    let (lossNode, weightNode) = (rowLosses.losses, rowLosses.weights)
    let trainable = builder.parameters.filter { !$0.isFrozen }
    guard !trainable.isEmpty || builder.parameters.isEmpty else { throw ModelError.nothingToTrain }
    let gradients = try builder.graph.gradient(
      of: lossNode, withRespectTo: mode == .training ? trainable.map(\.node) : [])
    // One simplification for all that is compiled, so that every plan sees the same graph.
    let values = [node, lossNode] + (weightNode.map { [$0] } ?? [])
    let statistics = builder.states.compactMap(\.statistic)
    let (graph, kept) = builder.graph.simplified(keeping: values + gradients + statistics)
    self.graph = graph
    prediction = kept[0]
    loss = kept[1]
    rowWeight = weightNode == nil ? nil : kept[2]
    self.gradients = Array(kept.dropFirst(values.count).prefix(gradients.count))
    var moved = kept.dropFirst(values.count + gradients.count)
    states = builder.states.map { state in
      var state = state
      if state.statistic != nil { state.statistic = moved.removeFirst() }
      return state
    }
    rowNeeds = builder.rowNeeds
    evaluation = Forward(
      graph: graph, prediction: kept[0], loss: kept[1],
      rowWeight: weightNode == nil ? nil : kept[2])
    parameters = try builder.parameters.map { parameter in
      guard let leaf = graph.leaf(named: parameter.name) else {
        throw GraphError.missingValue(parameter.name)
      }
      return Parameter(
        name: parameter.name, node: leaf, shape: parameter.shape,
        initializer: parameter.initializer, kind: parameter.kind,
        learningRateFactor: parameter.learningRateFactor, isFrozen: parameter.isFrozen)
    }
    self.layers = builder.summaries
    self.lossKind = lossKind
    self.sampleShape = sampleShape
    outputCount = outputs.fixedCount
  }

  /// The parameters that have a gradient, in order.
  public var trainableParameters: [Parameter] { parameters.filter { !$0.isFrozen } }

  /// Writes the initial values of all parameters and states.
  ///
  /// - Parameters:
  ///   - parameters: A flat vector of ``layout``; padding is not touched.
  ///   - seed: The seed of the run.
  public func writeInitialValues(into parameters: FloatBuffer, seed: UInt64) {
    let layout = layout
    let initializers = self.parameters.map(\.initializer) + states.map(\.initializer)
    for (range, initializer) in zip(layout.ranges, initializers) {
      initializer.write(
        into: UnsafeMutableBufferPointer(rebasing: parameters.elements[range.indices]),
        name: range.name, shape: range.shape, seed: seed)
    }
  }
}

// Normalisation of channels over the batch.
public import Configuration
public import Graphs
import Tensors

extension Layer {
  /// Mean 0 and variance 1 of each channel over the rows of a batch, and running averages of both.
  ///
  /// In training a channel is normalised by its mean and its biased variance over all rows and positions
  /// that are taken together; the running averages of the mean and the unbiased variance serve in
  /// evaluation. Formulas and defaults are PyTorch's.
  /// Source: Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167; `torch.nn.BatchNorm2d`.
  public struct BatchNormalization: LayerKind {
    /// The rows that share a mean and a variance.
    public enum Statistics: String, Hashable, Sendable, CaseIterable {
      /// Those of a microbatch.
      case microbatch
      /// Those of the whole step, on all ranks.
      case batch
    }

    /// The weight of a step in the running averages.
    public let momentum: Double
    /// The number that is added to the variance.
    public let epsilon: Double
    /// Indicates whether a scale and a shift per channel are trained.
    public let affine: Bool
    /// The rows that share a mean and a variance.
    public let statistics: Statistics

    /// Describes a normalisation.
    public init(
      momentum: Double = 0.1, epsilon: Double = 1e-5, affine: Bool = true,
      statistics: Statistics = .microbatch
    ) {
      self.momentum = momentum
      self.epsilon = epsilon
      self.affine = affine
      self.statistics = statistics
    }

    /// The name in configurations.
    public var configurationName: String { "batch_norm" }

    /// True: training measures, evaluation takes the running averages.
    public var differsInTraining: Bool { true }

    /// Adds the normalisation and, in training, the statistics that its running averages follow.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let (input, name) = (inputs[0], builder.name)
      let shape = builder.graph.shape(of: input)
      guard shape.axisCount > 1, case .fixed(let channels) = shape[1], shape.fixedCount > 0 else {
        throw builder.fault(
          found: "an input of shape \(shape.removing(axes: [0]))", expected: "[channels, ...]")
      }
      let scale =
        affine
        ? try builder.parameter(
          "scale", shape: [channels], initially: .constant(1), kind: .normalization)
        : builder.graph.fill(1, shape: [.fixed(channels)])
      let shift =
        affine
        ? try builder.parameter(
          "shift", shape: [channels], initially: .zeros, kind: .normalization)
        : builder.graph.fill(0, shape: [.fixed(channels)])
      guard builder.mode == .training else {
        return try normalizedByAverages(input, channels, scale, shift, in: &builder)
      }
      let axes = [0] + Array(2..<shape.axisCount)
      let spansMicrobatches = statistics == .batch
      let normalization = Graphs.Normalization(
        axes: axes, epsilon: epsilon, spansMicrobatches: spansMicrobatches)
      let output = try builder.graph.add(.normalize(normalization), [input, scale, shift])
      let moments = try builder.graph.add(.moments(normalization), [input])
      func part(_ index: Int) throws -> Graph.Node {
        try builder.graph.reshape(
          builder.graph.add(.slice(axis: 0, start: index, end: index + 1), [moments]),
          to: [.fixed(channels)])
      }
      let positions = shape.fixedCount / channels
      let rows = try builder.rowCount()
      // n / (n − 1) makes the variance unbiased.
      let allRows = spansMicrobatches ? try builder.graph.add(.crossMicrobatchSum, [rows]) : rows
      let count = try builder.graph.scale(allRows, by: Double(positions))
      let others = try builder.graph.add(
        .subtract, [count, builder.graph.fill(1, shape: [])])
      let weight = try builder.graph.add(
        .multiply, [rows, builder.graph.add(.divide, [count, others])])
      builder.states += [
        Network.State(
          name: "\(name)/mean", shape: [channels], initializer: .zeros, momentum: momentum,
          statistic: try builder.graph.add(.multiply, [part(0), rows])),
        Network.State(
          name: "\(name)/variance", shape: [channels], initializer: .constant(1),
          momentum: momentum,
          statistic: try builder.graph.add(.multiply, [part(1), weight])),
      ]
      builder.rowNeeds.append(
        Network.RowNeed(
          layer: name, statistics: statistics, leastRows: positions == 1 ? 2 : 1))
      return output
    }

    /// Adds `x · a + b` with `a = γ / √(σ² + ε)` and `b = β − μ · a` from the running averages.
    private func normalizedByAverages(
      _ input: Graph.Node, _ channels: Int, _ scale: Graph.Node, _ shift: Graph.Node,
      in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let name = builder.name
      let mean = try builder.graph.parameter("\(name)/mean", shape: [.fixed(channels)])
      let variance = try builder.graph.parameter("\(name)/variance", shape: [.fixed(channels)])
      let offset = builder.graph.fill(epsilon, shape: [.fixed(channels)])
      let inverse = try builder.graph.power(
        builder.graph.add(.add, [variance, offset]), -0.5)
      let slope = try builder.graph.add(.multiply, [scale, inverse])
      let start = try builder.graph.add(
        .subtract, [shift, builder.graph.add(.multiply, [mean, slope])])
      let axisCount = builder.graph.shape(of: input).axisCount - 2
      let product = try builder.graph.add(
        .multiply, [input, builder.perChannel(slope, axisCount: axisCount)])
      return try builder.graph.add(
        .add, [product, builder.perChannel(start, axisCount: axisCount)])
    }
  }
}

extension LayerBuilder {
  /// Adds the number of rows.
  fileprivate mutating func rowCount() throws -> Graph.Node {
    try graph.add(.sum(axes: [0]), [graph.fill(1, shape: [.batch])])
  }
}

extension LayerKind where Self == Layer.BatchNormalization {
  /// Describes a normalisation of each channel over the batch.
  public static func batchNormalization(
    momentum: Double = 0.1, epsilon: Double = 1e-5, affine: Bool = true,
    statistics: Layer.BatchNormalization.Statistics = .microbatch
  ) -> Self {
    Self(momentum: momentum, epsilon: epsilon, affine: affine, statistics: statistics)
  }
}

extension Layer.BatchNormalization: ConfigurableLayerKind {
  /// The keys of `batch_norm`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative(
        "batch_norm",
        meaning:
          "mean 0 and variance 1 over each channel of a batch; running averages in evaluation"
      ) { (section) throws(ConfigurationError) in
        let momentum = try section.number(
          "momentum", default: 0.1, in: .between(0, 1),
          meaning: "weight of a step in the running averages")
        let epsilon = try section.normalizationEpsilon()
        let affine = try section.normalizationAffine()
        let statistics: Layer.BatchNormalization.Statistics = try section.choice(
          "statistics", default: .microbatch,
          meaning: "rows that share mean and variance: of a microbatch, or of the whole batch")
        return Layer.BatchNormalization(
          momentum: momentum, epsilon: epsilon, affine: affine, statistics: statistics)
      }
    ]
  }
}

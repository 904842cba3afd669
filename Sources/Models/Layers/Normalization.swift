// Normalisations of each row by itself: layer, group, instance, RMS and local response normalisation.
public import Configuration
public import Graphs
import Tensors

extension Layer {
  /// A normalisation of each row by itself.
  public struct Normalization: LayerKind {
    /// The elements of a row that share a mean and a deviation.
    public enum Elements: Hashable, Sendable {
      /// All.
      case row
      /// Those of a group of channels.
      case channelGroup(count: Int)
      /// Those of a channel.
      case channel
      /// All, divided by the root of their mean square; nothing is subtracted.
      case rootMeanSquare
    }

    /// The elements that share a mean and a deviation.
    public let elements: Elements
    /// The number that is added to the variance.
    public let epsilon: Double
    /// Indicates whether a scale and a shift are trained: per element of a row for layer and RMS normalisation, per
    /// channel for the others.
    public let affine: Bool

    /// Describes a normalisation.
    public init(_ elements: Elements, epsilon: Double = 1e-5, affine: Bool = true) {
      self.elements = elements
      self.epsilon = epsilon
      self.affine = affine
    }

    /// The name in configurations.
    public var configurationName: String {
      switch elements {
      case .row: "layer_norm"
      case .channelGroup: "group_norm"
      case .channel: "instance_norm"
      case .rootMeanSquare: "rms_norm"
      }
    }

    /// Adds the normalisation, its scale and its shift.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let input = inputs[0]
      let shape = builder.graph.shape(of: input)
      let row = builder.rowShape(of: input)
      let all = Array(1..<shape.axisCount)
      switch elements {
      case .row:
        let normal = try normalized(input, over: all, in: &builder)
        return try scaled(normal, row, hasShift: true, in: &builder)
      case .rootMeanSquare:
        let square = try builder.graph.add(
          .mean(axes: all), [builder.graph.add(.square, [input])])
        let offset = builder.graph.fill(epsilon, shape: builder.graph.shape(of: square))
        let inverse = try builder.graph.power(
          builder.graph.add(.add, [square, offset]), -0.5)
        let column = try builder.graph.reshape(inverse, to: shape.flattening(axes: all))
        let normal = try builder.graph.add(.multiply, [input, column])
        return try scaled(normal, row, hasShift: false, in: &builder)
      case .channel:
        try requireImages(row, in: builder)
        let normal = try normalized(input, over: Array(2..<shape.axisCount), in: &builder)
        return try scaledPerChannel(normal, row, in: &builder)
      case .channelGroup(let count):
        try requireImages(row, in: builder)
        guard row[0] % count == 0 else {
          throw builder.fault(
            found: "\(row[0]) channels", expected: "a multiple of \(count) groups")
        }
        let grouped = try builder.graph.reshape(
          input,
          to: SymbolicShape([.batch, .fixed(count), .fixed(shape.fixedCount / count)]))
        let normal = try builder.graph.reshape(
          normalized(grouped, over: [2], in: &builder), to: shape)
        return try scaledPerChannel(normal, row, in: &builder)
      }
    }

    private func requireImages(_ row: Shape, in builder: LayerBuilder) throws(ModelError) {
      guard row.axisCount > 1 else {
        throw builder.fault(found: "an input of shape \(row)", expected: "[channels, ...]")
      }
    }

    /// Adds mean 0 and variance 1 over axes.
    private func normalized(
      _ input: Graph.Node, over axes: [Int], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let kept = builder.graph.shape(of: input).removing(axes: axes)
      let (one, zero) = (builder.graph.fill(1, shape: kept), builder.graph.fill(0, shape: kept))
      return try builder.graph.add(
        .normalize(Graphs.Normalization(axes: axes, epsilon: epsilon)), [input, one, zero])
    }

    private func scaled(
      _ input: Graph.Node, _ row: Shape, hasShift: Bool, in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      guard affine else { return input }
      let scale = try builder.parameter(
        "scale", shape: row, initially: .constant(1), kind: .normalization)
      let product = try builder.graph.add(.multiply, [input, scale])
      guard hasShift else { return product }
      let shift = try builder.parameter(
        "shift", shape: row, initially: .zeros, kind: .normalization)
      return try builder.graph.add(.add, [product, shift])
    }

    private func scaledPerChannel(
      _ input: Graph.Node, _ row: Shape, in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      guard affine else { return input }
      let scale = try builder.parameter(
        "scale", shape: [row[0]], initially: .constant(1), kind: .normalization)
      let shift = try builder.parameter(
        "shift", shape: [row[0]], initially: .zeros, kind: .normalization)
      let axisCount = row.axisCount - 1
      let product = try builder.graph.add(
        .multiply, [input, builder.perChannel(scale, axisCount: axisCount)])
      return try builder.graph.add(
        .add, [product, builder.perChannel(shift, axisCount: axisCount)])
    }
  }

  /// `x / (k + α · mean of x² over neighbouring channels)^β`; padding counts as zeros.
  public struct LocalResponse: LayerKind {
    /// The number of neighbouring channels.
    public let size: Int
    /// The weight of the squares.
    public let alpha: Double
    /// The exponent.
    public let beta: Double
    /// The number that the squares are added to.
    public let k: Double

    /// Describes a local response normalisation.
    public init(size: Int, alpha: Double, beta: Double, k: Double) {
      self.size = size
      self.alpha = alpha
      self.beta = beta
      self.k = k
    }

    /// The name in configurations.
    public var configurationName: String { "local_response_norm" }

    /// Adds the normalisation.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let input = inputs[0]
      let shape = builder.graph.shape(of: input)
      guard shape.axisCount > 2, case .fixed(let channels) = shape[1] else {
        throw builder.fault(
          found: "an input of shape \(builder.rowShape(of: input))", expected: "[channels, ...]")
      }
      let inner = shape.fixedCount / max(channels, 1)
      let columns = try builder.graph.reshape(
        builder.graph.add(.square, [input]), to: [.batch, 1, .fixed(channels), .fixed(inner)])
      let window = Window([
        Window.Axis(kernel: size, padding: (size / 2, (size - 1) / 2)), Window.Axis(kernel: 1),
      ])
      let means = try builder.graph.reshape(
        builder.graph.add(.averagePool(Graphs.Pooling(window)), [columns]), to: shape)
      let offset = builder.graph.fill(k, shape: shape)
      let base = try builder.graph.add(
        .add, [builder.graph.scale(means, by: alpha), offset])
      return try builder.graph.add(.multiply, [input, builder.graph.power(base, -beta)])
    }
  }
}

extension LayerKind where Self == Layer.Normalization {
  /// Describes a normalisation of each row by itself.
  public static func normalization(
    _ elements: Layer.Normalization.Elements, epsilon: Double = 1e-5, affine: Bool = true
  ) -> Self {
    Self(elements, epsilon: epsilon, affine: affine)
  }
}

extension LayerKind where Self == Layer.LocalResponse {
  /// Describes a local response normalisation.
  public static func localResponse(
    size: Int = 5, alpha: Double = 1e-4, beta: Double = 0.75, k: Double = 1
  ) -> Self {
    Self(size: size, alpha: alpha, beta: beta, k: k)
  }
}

extension Layer.Normalization: ConfigurableLayerKind {
  /// The keys of normalisations of rows.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      alternative("layer_norm", "mean 0 and variance 1 over each row") {
        (_) throws(ConfigurationError) in .row
      },
      alternative("instance_norm", "mean 0 and variance 1 over each channel of a row") {
        (_) throws(ConfigurationError) in .channel
      },
      alternative(
        "group_norm", "mean 0 and variance 1 over groups of channels of a row", primary: "groups"
      ) { (section) throws(ConfigurationError) in
        .channelGroup(
          count: try section.integer(
            "groups", in: .between(1, 1 << 20), meaning: "groups of channels"))
      },
      alternative("rms_norm", "each row divided by the root of its mean square") {
        (_) throws(ConfigurationError) in .rootMeanSquare
      },
    ]
  }

  private static func alternative(
    _ name: String, _ meaning: String, primary: String? = nil,
    _ elements: @escaping @Sendable (Section) throws(ConfigurationError) -> Elements
  ) -> Alternative<any LayerKind> {
    Alternative(name, primary: primary, meaning: meaning) {
      (section) throws(ConfigurationError) in
      let elements = try elements(section)
      let epsilon = try section.normalizationEpsilon()
      return Layer.Normalization(
        elements, epsilon: epsilon, affine: try section.normalizationAffine())
    }
  }
}

extension Layer.LocalResponse: ConfigurableLayerKind {
  /// The keys of `local_response_norm`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative(
        "local_response_norm", primary: "size",
        meaning: "x / (k + alpha · mean of x² over neighbouring channels)^beta"
      ) { (section) throws(ConfigurationError) in
        let size = try section.integer(
          "size", default: 5, in: .between(1, 1 << 16), meaning: "neighbouring channels")
        let alpha = try section.number("alpha", default: 1e-4, meaning: "weight of the squares")
        let beta = try section.number("beta", default: 0.75, meaning: "exponent")
        let k = try section.number(
          "k", default: 1, in: .positive, meaning: "what the squares are added to")
        return Layer.LocalResponse(size: size, alpha: alpha, beta: beta, k: k)
      }
    ]
  }
}

extension Section {
  /// Reads the number that a normalisation adds to the variance.
  func normalizationEpsilon() throws(ConfigurationError) -> Double {
    try number(
      "epsilon", default: 1e-5, in: .nonNegative, meaning: "what is added to the variance")
  }

  /// Reads whether a normalisation has a scale and a shift.
  func normalizationAffine() throws(ConfigurationError) -> Bool {
    try boolean("affine", default: true, meaning: "whether a scale and a shift are trained")
  }
}

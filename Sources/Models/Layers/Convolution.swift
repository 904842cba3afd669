// Convolutions and transposed convolutions over one and two axes.
public import Configuration
public import Graphs
import Tensors

extension Layer {
  /// A convolution, or the transposed map, with its parameters.
  public struct Convolution: LayerKind {
    /// The channels of the output.
    public let channels: Int
    /// The window.
    public let window: SlidingWindow
    /// The number of groups of channels.
    public let groups: Int
    /// Indicates whether it goes from the positions of the window to what it covers.
    public let isTransposed: Bool
    /// Indicates whether a bias per channel is added.
    public let bias: Bool
    /// The initial weights.
    public let weight: Initializer
    /// The initial biases.
    public let biasValue: Initializer
    /// Indicates whether the weight is a direction and a length for each output.
    public let weightNorm: Bool

    /// Describes a convolution.
    ///
    /// - Parameters:
    ///   - channels: The channels of the output.
    ///   - window: The window.
    ///   - groups: The number of groups of channels.
    ///   - isTransposed: Whether it goes from the positions of the window to what it covers.
    ///   - bias: Whether a bias per channel is added.
    ///   - weight: The initial weights.
    ///   - biasValue: The initial biases.
    ///   - weightNorm: Whether the weight is a direction and a length for each output.
    public init(
      channels: Int, window: SlidingWindow, groups: Int = 1, isTransposed: Bool = false,
      bias: Bool = true, weight: Initializer = .scaled(.he, .uniform),
      biasValue: Initializer = .zeros, weightNorm: Bool = false
    ) {
      self.channels = channels
      self.window = window
      self.groups = groups
      self.isTransposed = isTransposed
      self.bias = bias
      self.weight = weight
      self.biasValue = biasValue
      self.weightNorm = weightNorm
    }

    /// The name in configurations: `conv` or `conv_transpose`, and the number of axes.
    public var configurationName: String {
      "conv\(isTransposed ? "_transpose" : "")\(window.axisCount)d"
    }

    /// The initial values of weight and bias, unless they are the usual ones.
    public var ownInitialValues: [Initializer] { Initializer.own(weight, biasValue) }

    /// Adds the convolution and its bias.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let input = inputs[0]
      let shape = try builder.imageShape(of: input, axisCount: window.axisCount)
      let inputChannels = shape[1]
      guard inputChannels % groups == 0, channels % groups == 0 else {
        throw builder.fault(
          found: "\(inputChannels) channels of input and \(channels) of output",
          expected: "multiples of \(groups) groups")
      }
      let window = window.window
      let kernel = window.axes.map(\.kernel)
      let weightCount = Shape([channels, inputChannels / groups] + kernel).count
      let convolution = Graphs.Convolution(window, groups: groups)
      let output: Graph.Node
      if isTransposed {
        let extents = try transposedExtents(shape, window, in: builder)
        let perGroup = channels / groups
        let W = try builder.weight(
          Shape([inputChannels, perGroup] + kernel), weight, isNormalized: weightNorm,
          WeightView(
            groups: groups, before: inputChannels / groups, outputs: perGroup,
            after: kernel.reduce(1, *)))
        output = try builder.graph.add(
          .convolutionInputGradient(convolution, extents: extents), [input, W])
      } else {
        try builder.requireRoom(for: window, over: input)
        let W = try builder.weight(
          Shape([channels, inputChannels / groups] + kernel), weight, isNormalized: weightNorm,
          WeightView(groups: 1, before: 1, outputs: channels, after: weightCount / channels))
        output = try builder.graph.convolution(input, weight: W, convolution)
      }
      let positions =
        isTransposed ? shape : builder.graph.shape(of: output).resolved(batch: 1)
      builder.count(
        products: weightCount, of: Shape(Array(positions.extents.dropFirst(2))).count)
      guard bias else { return output }
      let b = try builder.parameter(
        "bias", shape: [channels], initially: biasValue, kind: .bias)
      return try builder.graph.add(
        .add, [output, builder.perChannel(b, axisCount: kernel.count)])
    }

    /// Returns `(n − 1) · stride − 2 · padding + dilation · (kernel − 1) + 1` along each axis.
    private func transposedExtents(
      _ shape: Shape, _ window: Window, in builder: LayerBuilder
    ) throws -> [Int] {
      try window.axes.indices.map { index in
        let axis = window.axes[index]
        let extent =
          (shape[index + 2] - 1) * axis.stride - axis.padding.before - axis.padding.after
          + axis.span
        guard extent > 0 else {
          let row = Shape(Array(shape.extents.dropFirst()))
          throw builder.fault(
            found: "padding \(axis.padding.before) over an input of shape \(row)",
            expected: "an output of at least one element")
        }
        return extent
      }
    }
  }
}

extension LayerKind where Self == Layer.Convolution {
  /// Describes a convolution, or the transposed map.
  public static func convolution(
    channels: Int, window: Layer.SlidingWindow, groups: Int = 1, isTransposed: Bool = false,
    bias: Bool = true
  ) -> Self {
    Self(
      channels: channels, window: window, groups: groups, isTransposed: isTransposed, bias: bias)
  }
}

extension Layer.Convolution: ConfigurableLayerKind {
  /// The keys of convolutions.
  public static var alternatives: [Alternative<any LayerKind>] {
    [2, 1].flatMap { axisCount in
      [false, true].map { isTransposed in
        Alternative(
          "conv\(isTransposed ? "_transpose" : "")\(axisCount)d", primary: "channels",
          meaning: isTransposed
            ? "transposed convolution, from positions to what they cover"
            : "convolution over \(axisCount == 1 ? "one axis" : "two axes")"
        ) { (section) throws(ConfigurationError) in
          try read(section, axisCount, isTransposed)
        }
      }
    }
  }

  private static func read(
    _ section: Section, _ axisCount: Int, _ isTransposed: Bool
  ) throws(ConfigurationError) -> Layer.Convolution {
    let channels = try section.integer(
      "channels", in: .between(1, 1 << 20), meaning: "channels of the output")
    let kernel = try section.windowKernel(axisCount: axisCount)
    let stride = try section.integers(
      "stride", default: [1], in: .between(1, 1 << 16), counts: 1...axisCount,
      meaning: "elements from one position to the next")
    let padding = try section.windowPadding(axisCount: axisCount)
    let dilation = try section.integers(
      "dilation", default: [1], in: .between(1, 1 << 16), counts: 1...axisCount,
      meaning: "elements from one that is covered to the next")
    let groups = try section.integer(
      "groups", default: 1, in: .between(1, 1 << 20), meaning: "groups of channels")
    let bias = try section.boolean("bias", default: true, meaning: "whether b is added")
    let weight = try Initializer.read(
      "weight", from: section, default: "he_uniform", meaning: "initial values of W")
    let biasValue = try Initializer.read(
      "bias_value", from: section, default: "zeros", meaning: "initial values of b")
    return Layer.Convolution(
      channels: channels,
      window: Layer.SlidingWindow(
        axisCount: axisCount, kernel: kernel, stride: stride, padding: padding,
        dilation: dilation), groups: groups, isTransposed: isTransposed, bias: bias,
      weight: weight, biasValue: biasValue, weightNorm: try section.weightNorm())
  }
}

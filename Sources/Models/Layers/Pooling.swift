// Poolings of images: the maximum or mean of windows, and the mean of whole channels.
public import Configuration
public import Graphs
import Tensors

extension Layer {
  /// The maximum or the mean of each window.
  public struct Pooling: LayerKind {
    /// Indicates whether the mean is taken; otherwise the maximum.
    public let isAverage: Bool
    /// The window.
    public let window: SlidingWindow

    /// Describes a pooling.
    public init(isAverage: Bool, window: SlidingWindow) {
      self.isAverage = isAverage
      self.window = window
    }

    /// The name in configurations: `max_pool` or `avg_pool`, and the number of axes.
    public var configurationName: String {
      "\(isAverage ? "avg" : "max")_pool\(window.axisCount)d"
    }

    /// Adds the pooling.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      _ = try builder.imageShape(of: inputs[0], axisCount: window.axisCount)
      let window = window.window
      try builder.requireRoom(for: window, over: inputs[0])
      for axis in window.axes where axis.padding.before * 2 > axis.kernel {
        throw builder.fault(
          found: "padding \(axis.padding.before)",
          expected: "at most half of the kernel, \(axis.kernel)")
      }
      let pooling = Graphs.Pooling(window)
      return try builder.graph.add(
        isAverage ? .averagePool(pooling) : .maxPool(pooling), inputs)
    }
  }

  /// The mean of each channel.
  public struct GlobalAveragePool: LayerKind {
    /// Describes the pooling.
    public init() {}

    /// The name in configurations.
    public var configurationName: String { "global_avg_pool" }

    /// Adds the mean over all axes behind the channels.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      let axisCount = builder.graph.shape(of: inputs[0]).axisCount
      guard axisCount > 2 else {
        throw builder.fault(
          found: "an input of shape \(builder.rowShape(of: inputs[0]))",
          expected: "[channels, ...]")
      }
      return try builder.graph.add(.mean(axes: Array(2..<axisCount)), inputs)
    }
  }
}

extension LayerKind where Self == Layer.Pooling {
  /// Describes the maximum of each window.
  public static func maxPool(_ window: Layer.SlidingWindow) -> Self {
    Self(isAverage: false, window: window)
  }

  /// Describes the mean of each window.
  public static func averagePool(_ window: Layer.SlidingWindow) -> Self {
    Self(isAverage: true, window: window)
  }
}

extension LayerKind where Self == Layer.GlobalAveragePool {
  /// The mean of each channel.
  public static var globalAveragePool: Self { Self() }
}

extension Layer.Pooling: ConfigurableLayerKind {
  /// The keys of poolings.
  public static var alternatives: [Alternative<any LayerKind>] {
    [2, 1].flatMap { axisCount in
      [false, true].map { isAverage in
        Alternative(
          "\(isAverage ? "avg" : "max")_pool\(axisCount)d", primary: "kernel",
          meaning: "\(isAverage ? "mean" : "maximum") of each window"
        ) { (section) throws(ConfigurationError) in
          let kernel = try section.windowKernel(axisCount: axisCount)
          let stride = try section.value(
            "stride",
            [.unset(kernel), .integers(.between(1, 1 << 16), counts: 1...axisCount) { $0 }],
            default: .null, unset: "the kernel", meaning: "elements from one position to the next")
          let padding = try section.windowPadding(axisCount: axisCount)
          return Layer.Pooling(
            isAverage: isAverage,
            window: Layer.SlidingWindow(
              axisCount: axisCount, kernel: kernel, stride: stride, padding: padding))
        }
      }
    }
  }
}

extension Layer.GlobalAveragePool: ConfigurableLayerKind {
  /// The name alone.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative("global_avg_pool", meaning: "mean of each channel") {
        (_) throws(ConfigurationError) in Layer.GlobalAveragePool()
      }
    ]
  }
}

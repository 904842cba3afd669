// Layers of images: what slides over them, and what normalises them.
import Tensors

extension Layer {
  /// A window over one or two axes; a list of one number holds for all axes.
  public struct SlidingWindow: Hashable, Sendable {
    /// The number of spatial axes, 1 or 2.
    public let axisCount: Int
    /// The elements that the window covers, along each axis.
    public let kernel: [Int]
    /// The elements from one position to the next.
    public let stride: [Int]
    /// The zeros on either side.
    public let padding: [Int]
    /// The elements from one that is covered to the next.
    public let dilation: [Int]

    /// Describes a window.
    ///
    /// - Parameters:
    ///   - axisCount: The number of spatial axes, 1 or 2.
    ///   - kernel: One number, or one per axis.
    ///   - stride: One number, or one per axis.
    ///   - padding: One number, or one per axis.
    ///   - dilation: One number, or one per axis.
    public init(
      axisCount: Int, kernel: [Int], stride: [Int] = [1], padding: [Int] = [0],
      dilation: [Int] = [1]
    ) {
      self.axisCount = axisCount
      self.kernel = kernel
      self.stride = stride
      self.padding = padding
      self.dilation = dilation
    }

    /// The window, with numbers for every axis.
    var window: Window {
      func number(_ list: [Int], _ axis: Int) -> Int { list.count == 1 ? list[0] : list[axis] }
      return Window(
        (0..<axisCount).map { axis in
          Window.Axis(
            kernel: number(kernel, axis), stride: number(stride, axis),
            padding: (number(padding, axis), number(padding, axis)),
            dilation: number(dilation, axis))
        })
    }
  }

  /// A convolution, or the transposed map, with its parameters.
  public struct Convolution: Hashable, Sendable {
    /// The channels of the output.
    public let channels: Int
    /// The window.
    public let window: SlidingWindow
    /// The number of groups of channels.
    public let groups: Int
    /// Whether it goes from the positions of the window to what it covers.
    public let isTransposed: Bool
    /// Whether a bias per channel is added.
    public let bias: Bool
    /// The initial weights.
    public let weight: Initializer
    /// The initial biases.
    public let biasValue: Initializer
    /// Whether the weight is a direction and a length for each output.
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

    var word: String { "conv\(isTransposed ? "_transpose" : "")\(window.axisCount)d" }
  }

  /// A pooling.
  public struct Pooling: Hashable, Sendable {
    /// Whether the mean is taken; otherwise the maximum.
    public let isAverage: Bool
    /// The window.
    public let window: SlidingWindow

    /// Describes a pooling.
    public init(isAverage: Bool, window: SlidingWindow) {
      self.isAverage = isAverage
      self.window = window
    }

    var word: String { "\(isAverage ? "avg" : "max")_pool\(window.axisCount)d" }
  }

  /// A normalisation of each row by itself.
  public struct Normalization: Hashable, Sendable {
    /// Which elements of a row share a mean and a deviation.
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

    /// Which elements share a mean and a deviation.
    public let elements: Elements
    /// What is added to the variance.
    public let epsilon: Double
    /// Whether a scale and a shift are trained: per element of a row for layer and RMS normalisation, per
    /// channel for the others.
    public let affine: Bool

    /// Describes a normalisation.
    public init(_ elements: Elements, epsilon: Double = 1e-5, affine: Bool = true) {
      self.elements = elements
      self.epsilon = epsilon
      self.affine = affine
    }

    var word: String {
      switch elements {
      case .row: "layer_norm"
      case .channelGroup: "group_norm"
      case .channel: "instance_norm"
      case .rootMeanSquare: "rms_norm"
      }
    }
  }

  /// A function of each element with a number of its own, or composed of others.
  public enum Curve: Hashable, Sendable {
    /// `x` where it is positive, else `slope · x`.
    case leakyRelu(slope: Double)
    /// `x` where it is positive, else `α · (e^x − 1)`.
    case elu(alpha: Double)
    /// `x · Φ(x)`, with the distribution function of the normal distribution.
    case gelu
    /// `x / (1 + e^−x)`.
    case silu
    /// `log(1 + e^x)`.
    case softplus
    /// `x / 6 + 1/2` between 0 and 1.
    case hardSigmoid
    /// `x` times its hard sigmoid.
    case hardSwish

    var word: String {
      switch self {
      case .leakyRelu: "leaky_relu"
      case .elu: "elu"
      case .gelu: "gelu"
      case .silu: "silu"
      case .softplus: "softplus"
      case .hardSigmoid: "hard_sigmoid"
      case .hardSwish: "hard_swish"
      }
    }
  }
}

// Layers of images, normalisations and curves as configurations write them.
import Configuration

extension Layer {
  /// The layers that this file reads; each is given its name by `named`.
  static func imageAlternatives(
    _ named: @escaping @Sendable (Kind, Section) throws(ConfigurationError) -> Layer
  ) -> [Alternative<Layer>] {
    var alternatives: [Alternative<Layer>] = []
    for axisCount in [2, 1] {
      for isTransposed in [false, true] {
        alternatives.append(
          Alternative(
            "conv\(isTransposed ? "_transpose" : "")\(axisCount)d", primary: "channels",
            meaning: isTransposed
              ? "transposed convolution, from positions to what they cover"
              : "convolution over \(axisCount == 1 ? "one axis" : "two axes")"
          ) { (section) throws(ConfigurationError) in
            try named(.convolution(try readConvolution(section, axisCount, isTransposed)), section)
          })
      }
      for isAverage in [false, true] {
        alternatives.append(
          Alternative(
            "\(isAverage ? "avg" : "max")_pool\(axisCount)d", primary: "kernel",
            meaning: "\(isAverage ? "mean" : "maximum") of each window"
          ) { (section) throws(ConfigurationError) in
            let kernel = try readKernel(section, axisCount)
            let stride = try section.value(
              "stride",
              [.unset(kernel), .integers(.between(1, 1 << 16), counts: 1...axisCount) { $0 }],
              default: .null, unset: "the kernel", meaning: "elements from one position to the next"
            )
            let padding = try readPadding(section, axisCount)
            let window = SlidingWindow(
              axisCount: axisCount, kernel: kernel, stride: stride, padding: padding)
            return try named(.pooling(Pooling(isAverage: isAverage, window: window)), section)
          })
      }
    }
    func simple(_ name: String, _ kind: Kind, _ meaning: String) {
      alternatives.append(
        Alternative(name, meaning: meaning) { (section) throws(ConfigurationError) in
          try named(kind, section)
        })
    }
    simple("global_avg_pool", .globalAveragePool, "mean of each channel")
    simple("flatten", .flatten, "all elements of a row in one axis; implied before affine")
    alternatives += [
      Alternative(
        "dropout", primary: "rate",
        meaning: "0 at random in training, the others times 1 / (1 - rate)"
      ) { (section) throws(ConfigurationError) in
        let rate = try section.number(
          "rate", in: .belowOne, meaning: "probability of 0")
        return try named(.dropout(rate: rate), section)
      },
      Alternative("reshape", primary: "shape", meaning: "the elements of a row in another shape") {
        (section) throws(ConfigurationError) in
        let shape = try section.integers(
          "shape", in: .between(1, 1 << 24), counts: 1...8, meaning: "shape without the batch")
        return try named(.reshape(shape), section)
      },
      Alternative("permute", primary: "axes", meaning: "the axes of a row in another order") {
        (section) throws(ConfigurationError) in
        let axes = try section.integers(
          "axes", in: .between(0, 7), counts: 1...8, meaning: "axes in their new order, from 0")
        return try named(.permute(axes), section)
      },
    ]
    alternatives += normalizations(named) + curves(named)
    return alternatives
  }

  private static func readKernel(
    _ section: Section, _ axisCount: Int
  ) throws(ConfigurationError) -> [Int] {
    try section.integers(
      "kernel", in: .between(1, 1 << 16), counts: 1...axisCount,
      meaning: axisCount == 1 ? "elements covered" : "elements covered: one number or height, width"
    )
  }

  private static func readPadding(
    _ section: Section, _ axisCount: Int
  ) throws(ConfigurationError) -> [Int] {
    try section.integers(
      "padding", default: [0], in: .between(0, 1 << 16), counts: 1...axisCount,
      meaning: "padding on either side")
  }

  private static func readConvolution(
    _ section: Section, _ axisCount: Int, _ isTransposed: Bool
  ) throws(ConfigurationError) -> Convolution {
    let channels = try section.integer(
      "channels", in: .between(1, 1 << 20), meaning: "channels of the output")
    let kernel = try readKernel(section, axisCount)
    let stride = try section.integers(
      "stride", default: [1], in: .between(1, 1 << 16), counts: 1...axisCount,
      meaning: "elements from one position to the next")
    let padding = try readPadding(section, axisCount)
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
    return Convolution(
      channels: channels,
      window: SlidingWindow(
        axisCount: axisCount, kernel: kernel, stride: stride, padding: padding,
        dilation: dilation), groups: groups, isTransposed: isTransposed, bias: bias,
      weight: weight, biasValue: biasValue, weightNorm: try readWeightNorm(section))
  }

  private static func normalizations(
    _ named: @escaping @Sendable (Kind, Section) throws(ConfigurationError) -> Layer
  ) -> [Alternative<Layer>] {
    func normalization(
      _ name: String, _ meaning: String, primary: String? = nil,
      _ elements:
        @escaping @Sendable (Section) throws(ConfigurationError) -> Normalization.Elements
    ) -> Alternative<Layer> {
      Alternative(name, primary: primary, meaning: meaning) {
        (section) throws(ConfigurationError) in
        let elements = try elements(section)
        let epsilon = try section.number(
          "epsilon", default: 1e-5, in: .nonNegative, meaning: "what is added to the variance")
        let affine = try section.boolean(
          "affine", default: true, meaning: "whether a scale and a shift are trained")
        return try named(
          .normalization(Normalization(elements, epsilon: epsilon, affine: affine)), section)
      }
    }
    return [
      normalization("layer_norm", "mean 0 and variance 1 over each row") {
        (_) throws(ConfigurationError) in .row
      },
      normalization("instance_norm", "mean 0 and variance 1 over each channel of a row") {
        (_) throws(ConfigurationError) in .channel
      },
      normalization(
        "group_norm", "mean 0 and variance 1 over groups of channels of a row", primary: "groups"
      ) { (section) throws(ConfigurationError) in
        .channelGroup(
          count: try section.integer(
            "groups", in: .between(1, 1 << 20), meaning: "groups of channels"))
      },
      normalization("rms_norm", "each row divided by the root of its mean square") {
        (_) throws(ConfigurationError) in .rootMeanSquare
      },
      Alternative(
        "batch_norm",
        meaning:
          "mean 0 and variance 1 over each channel of a batch; running averages in evaluation"
      ) { (section) throws(ConfigurationError) in
        let momentum = try section.number(
          "momentum", default: 0.1, in: .between(0, 1),
          meaning: "weight of a step in the running averages")
        let epsilon = try section.number(
          "epsilon", default: 1e-5, in: .nonNegative, meaning: "what is added to the variance")
        let affine = try section.boolean(
          "affine", default: true, meaning: "whether a scale and a shift are trained")
        let statistics: BatchNormalization.Statistics = try section.choice(
          "statistics", default: .microbatch,
          meaning: "rows that share mean and variance: of a microbatch, or of the whole batch")
        return try named(
          .batchNormalization(
            BatchNormalization(
              momentum: momentum, epsilon: epsilon, affine: affine, statistics: statistics)),
          section)
      },
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
        return try named(
          .localResponse(size: size, alpha: alpha, beta: beta, k: k), section)
      },
    ]
  }

  private static func curves(
    _ named: @escaping @Sendable (Kind, Section) throws(ConfigurationError) -> Layer
  ) -> [Alternative<Layer>] {
    let simple: [(Curve, String)] = [
      (.gelu, "x · Φ(x), Φ the normal distribution function"), (.silu, "x / (1 + e^-x)"),
      (.softplus, "log(1 + e^x)"), (.hardSigmoid, "x / 6 + 1/2 between 0 and 1"),
      (.hardSwish, "x · hard_sigmoid(x)"),
    ]
    return [
      Alternative("leaky_relu", primary: "slope", meaning: "x where positive, else slope · x") {
        (section) throws(ConfigurationError) in
        let slope = try section.number("slope", default: 0.01, meaning: "slope below zero")
        return try named(.curve(.leakyRelu(slope: slope)), section)
      },
      Alternative("elu", primary: "alpha", meaning: "x where positive, else alpha · (e^x − 1)") {
        (section) throws(ConfigurationError) in
        let alpha = try section.number("alpha", default: 1, meaning: "limit below zero")
        return try named(.curve(.elu(alpha: alpha)), section)
      },
    ]
      + simple.map { curve, meaning in
        Alternative(curve.word, meaning: meaning) { (section) throws(ConfigurationError) in
          try named(.curve(curve), section)
        }
      }
  }
}

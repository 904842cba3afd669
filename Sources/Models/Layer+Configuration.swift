// Layers, initial values and losses as configurations write them.
public import Configuration

extension Layer {
  /// Reads the layers of a model, in order.
  ///
  /// - Parameter section: The section that holds the key `model`.
  /// - Returns: At least one layer.
  /// - Throws: `ConfigurationError` naming the layer.
  public static func read(from section: Section) throws(ConfigurationError) -> [Layer] {
    try section.list("model", noun: "layer", alternatives(), meaning: "layers, in order")
  }

  /// All layers that an item of a list can be.
  private static func alternatives() -> [Alternative<Layer>] {
    let affine = Alternative<Layer>(
      "affine", primary: "units", meaning: "y = x·Wᵀ + b, of flattened rows"
    ) { (section) throws(ConfigurationError) in
      let units = try section.integer(
        "units", in: .between(1, 1 << 24), meaning: "number of outputs")
      let bias = try section.boolean("bias", default: true, meaning: "whether b is added")
      let weight = try Initializer.read(
        "weight", from: section, default: "he_uniform", meaning: "initial values of W")
      let biasValue = try Initializer.read(
        "bias_value", from: section, default: "zeros", meaning: "initial values of b")
      return try read(
        .affine(
          units: units, bias: bias, weight: weight, biasValue: biasValue,
          weightNorm: try readWeightNorm(section)), beside: section)
    }
    let activations = Activation.allCases.map { activation in
      Alternative<Layer>(activation.rawValue, meaning: activation.formula) {
        (section) throws(ConfigurationError) in
        try read(.activation(activation), beside: section)
      }
    }
    let images = imageAlternatives { (kind, section) throws(ConfigurationError) in
      try read(kind, beside: section)
    }
    let structure = structureAlternatives { (kind, section) throws(ConfigurationError) in
      try read(kind, beside: section)
    }
    let block = Alternative<Layer>("repeat", meaning: "layers several times, one after the other") {
      (section) throws(ConfigurationError) in
      let times = try section.integer(
        "times", in: .between(1, 1 << 16), meaning: "how often the layers are there")
      let layers = try section.list(
        "layers", noun: "layer", alternatives(), listedAs: "a list of layers",
        meaning:
          "layers, in order; they are named NAME.1.LAYER and so on, and 'from: input' is what the block "
          + "is given")
      return try read(.repeated(times: times, layers: layers), beside: section)
    }
    return [affine] + activations + images + structure + [block]
  }

  /// A layer with what its item holds beside the kind.
  private static func read(
    _ kind: Kind, beside section: Section
  ) throws(ConfigurationError) -> Layer {
    let item = section.beside
    let share = try item.optionalString(
      "share", expected: "the name of a layer", unset: "none",
      meaning: "layer before it whose parameters it uses")
    return Layer(
      kind, name: try readName(section),
      from: try item.value(
        "from",
        [
          .unset([]), .strings(expected: "the name of a layer", counts: 1...1024) { $0 },
        ], default: .null, unset: "the layer before it",
        meaning: "layers before it that it takes; 'samples' is what the model is given"),
      share: share,
      learningRateFactor: try item.number(
        "learning_rate", default: 1, in: .positive,
        meaning: "factor of the learning rate for the parameters of the layer"),
      isFrozen: try item.boolean(
        "frozen", default: false,
        meaning: "whether the parameters of the layer keep their initial values"))
  }

  static func readWeightNorm(_ section: Section) throws(ConfigurationError) -> Bool {
    try section.boolean(
      "weight_norm", default: false,
      meaning: "whether W is g·v / ‖v‖ for each output, g and v trained")
  }

  private static func readName(_ section: Section) throws(ConfigurationError) -> String? {
    let name = try section.beside.optionalString(
      "name", unset: "the kind of layer and its number",
      meaning: "name of the layer in files, messages and pictures")
    if let name, name.contains("/") || name == "." || name == ".." {
      throw section.beside.unusable(
        "name", found: "'\(name)'",
        expected: "a name without '/', since it is part of paths")
    }
    return name
  }
}

extension Layer.Activation {
  /// The formula, for lists of layers.
  public var formula: String {
    switch self {
    case .relu: "max(x, 0)"
    case .sigmoid: "1 / (1 + e^-x)"
    case .tanh: "hyperbolic tangent of x"
    case .exp: "e^x"
    case .log: "natural logarithm of x"
    case .square: "x²"
    case .softmax: "e^xᵢ / Σⱼ e^xⱼ over the last axis"
    case .logSoftmax: "xᵢ − log Σⱼ e^xⱼ over the last axis"
    }
  }
}

extension Initializer {
  /// Reads how a parameter starts.
  static func read(
    _ key: String, from section: Section, default name: String, meaning: String
  ) throws(ConfigurationError) -> Initializer {
    var alternatives: [Alternative<Initializer>] = [
      Alternative("zeros", meaning: "all zeros") { (_) throws(ConfigurationError) in .zeros },
      Alternative("constant", primary: "value", meaning: "one number") {
        (section) throws(ConfigurationError) in
        .constant(try section.number("value", meaning: "the number"))
      },
      Alternative("uniform", meaning: "uniform between two bounds") {
        (section) throws(ConfigurationError) in
        let low = try section.number("low", default: -0.05, meaning: "lower bound")
        let high = try section.number("high", default: 0.05, meaning: "upper bound")
        guard low <= high || section.isListing else {
          throw section.unusable("high", found: "\(high)", expected: "at least 'low', \(low)")
        }
        return .uniform(low: low, high: high)
      },
      Alternative("normal", meaning: "normal distribution") {
        (section) throws(ConfigurationError) in
        .normal(
          mean: try section.number("mean", default: 0, meaning: "mean"),
          deviation: try section.number(
            "deviation", default: 0.05, in: .nonNegative, meaning: "standard deviation"))
      },
    ]
    for rule in VarianceRule.allCases {
      for distribution in Distribution.allCases {
        alternatives.append(
          Alternative(
            "\(rule.rawValue)_\(distribution.rawValue)",
            meaning: "\(distribution.rawValue), mean 0, variance \(rule.formula)"
          ) { (_) throws(ConfigurationError) in .scaled(rule, distribution) })
      }
    }
    return try section.oneOf(
      key, noun: "initializer", alternatives, default: name, meaning: meaning)
  }
}

extension Initializer.VarianceRule {
  fileprivate var formula: String {
    switch self {
    case .glorot: "2 / (in + out)"
    case .he: "2 / in"
    case .lecun: "1 / in"
    }
  }
}

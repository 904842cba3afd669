import Configuration
import Models
import Testing

/// Reads the layers of a configuration.
private func layers(_ text: String) throws(ConfigurationError) -> [Layer] {
  let tree = try ConfigurationTree(text: text, source: "run.yaml", folder: "/data", overrides: [])
  let reader = ConfigurationReader(tree)
  let layers = try Layer.read(from: reader.root)
  _ = try reader.finish()
  return layers
}

private func problem(_ text: String) -> String {
  do {
    _ = try layers(text)
    return "no error"
  } catch {
    return "\(error)"
  }
}

/// Every loss, with the numbers that configurations leave out.
let plainLosses: [Loss] = [
  .softmaxCrossEntropy, .meanSquaredError, .squaredNorm, .meanAbsoluteError, .huber(delta: 1),
  .binaryCrossEntropy,
]

@Suite("Layers of configurations")
struct LayerConfigurationTests {
  @Test("layers with and without keys of their own")
  func layersAsWritten() throws {
    let found = try layers(
      """
      model:
        - affine: 512
        - relu
        - affine: { units: 64, bias: false, weight: glorot_normal }
          name: middle
        - tanh:
          name: squash
        - affine: { units: 10, weight: { uniform: { low: -1, high: 2 } }, bias_value: { constant: 3 } }
        - log_softmax
      """)
    #expect(
      found == [
        .affine(512), .activation(.relu),
        .affine(64, bias: false, weight: .scaled(.glorot, .normal), name: "middle"),
        .activation(.tanh, name: "squash"),
        Layer(
          .affine(
            units: 10, bias: true, weight: .uniform(low: -1, high: 2), biasValue: .constant(3))),
        .activation(.logSoftmax),
      ])
  }

  @Test("what is said of a layer's parameters")
  func parameters() throws {
    let kind = Layer.Affine(units: 3)
    #expect(
      try layers("model: [{ affine: 3, frozen: true }, { affine: 3, learning_rate: 0.1 }]")
        == [Layer(kind, isFrozen: true), Layer(kind, learningRateFactor: 0.1)])
    #expect(
      problem("model: [{ affine: 3, learning_rate: 0 }]")
        == "run.yaml:1: 'model.0.learning_rate': found 0, expected a positive number")
  }

  @Test("every activation and every initializer has its name")
  func words() throws {
    for activation in Layer.Activation.allCases {
      let name = activation.configurationName
      #expect(try layers("model: [\(name)]") == [.activation(activation)])
      #expect(Layer.activation(activation).configurationName == name)
      #expect(!activation.formula.isEmpty)
    }
    for rule in Initializer.VarianceRule.allCases {
      for distribution in Initializer.Distribution.allCases {
        let word = "\(rule.rawValue)_\(distribution.rawValue)"
        #expect(
          try layers("model: [{ affine: { units: 2, weight: \(word) } }]")
            == [.affine(2, weight: .scaled(rule, distribution))])
      }
    }
    let named: [(String, Initializer)] = [
      ("zeros", .zeros), ("{ constant: 0.5 }", .constant(0.5)),
      ("uniform", .uniform(low: -0.05, high: 0.05)),
      ("{ normal: { deviation: 2 } }", .normal(mean: 0, deviation: 2)),
    ]
    for (text, initializer) in named {
      #expect(
        try layers("model: [{ affine: { units: 2, weight: \(text) } }]")
          == [.affine(2, weight: initializer)])
    }
  }

  @Test("losses have their names, and know their targets")
  func losses() {
    #expect(
      plainLosses.map(\.configurationName)
        == [
          "softmax_cross_entropy", "mean_squared_error", "squared_norm", "mean_absolute_error",
          "huber", "binary_cross_entropy",
        ])
    #expect(plainLosses.map(\.takesLabels) == [true, false, false, false, false, false])
  }

  @Test("losses with keys of their own")
  func lossKeys() throws {
    func read(_ text: String) throws(ConfigurationError) -> Loss {
      let reader = ConfigurationReader(
        try ConfigurationTree(text: text, source: "run.yaml", folder: "/data", overrides: []))
      let kind = try Loss.read(from: reader.root)
      _ = try reader.finish()
      return kind
    }
    func problem(_ text: String) -> String {
      do { return "\(try read(text))" } catch { return "\(error)" }
    }
    #expect(try read("{}") == .softmaxCrossEntropy)
    for loss in plainLosses { #expect(try read("loss: \(loss.configurationName)") == loss) }
    #expect(
      try read("loss: { softmax_cross_entropy: { label_smoothing: 0.1, class_weights: [1, 2] } }")
        == .crossEntropy(labelSmoothing: 0.1, classWeights: [1, 2]))
    #expect(try read("loss: { huber: 2 }") == .huber(delta: 2))
    #expect(
      problem("loss: hubert") == "run.yaml:1: 'loss': unknown loss 'hubert'; did you mean 'huber'?")
    #expect(
      problem("loss: { huber: { delta: 0 } }")
        == "run.yaml:1: 'loss.huber.delta': found 0, expected a positive number")
    #expect(
      problem("loss: { softmax_cross_entropy: { class_weights: [1, 0] } }")
        == "run.yaml:1: 'loss.softmax_cross_entropy.class_weights': found [1, 0], "
        + "expected a positive number or a list of 2 to 16777216 of them")
    #expect(
      problem("loss: { softmax_cross_entropy: { label_smoothing: 1.5 } }")
        == "run.yaml:1: 'loss.softmax_cross_entropy.label_smoothing': found 1.5, "
        + "expected a number from 0.0 to 1.0")
  }

  @Test("words that are none: the nearest is suggested")
  func misspelt() {
    #expect(
      problem("model:\n  - affine: 3\n  - rleu\n")
        == "run.yaml:3: 'model.1': unknown layer 'rleu'; did you mean 'relu'?")
    #expect(
      problem("model: [{ afine: 3 }]")
        == "run.yaml:1: 'model.0': unknown layer 'afine'; did you mean 'affine'?")
    #expect(
      problem("model: [{ affine: { units: 3, weight: he_unifrom } }]")
        == "run.yaml:1: 'model.0.affine.weight': unknown initializer 'he_unifrom'; "
        + "did you mean 'he_uniform'?")
    #expect(
      problem("model: [{ affine: { units: 3, unit: 4 } }]")
        == "run.yaml:1: unknown key 'model.0.affine.unit'; did you mean 'units'?")
    #expect(
      problem("model: [{ relu: { slope: 4 } }]")
        == "run.yaml:1: unknown key 'model.0.relu.slope'")
  }

  @Test("values that cannot be: units, names, bounds")
  func unusable() {
    for (units, shown) in [("0", "0"), ("-3", "-3"), ("2.5", "2.5"), ("many", "many")] {
      #expect(
        problem("model: [affine: \(units)]")
          == "run.yaml:1: 'model.0.affine.units': found \(shown), "
          + "expected an integer from 1 to 16777216")
    }
    #expect(
      problem("model: [affine]")
        == "run.yaml:1: missing key 'model.0.affine.units', "
        + "expected an integer from 1 to 16777216")
    for name in ["a/b", "..", "."] {
      #expect(
        problem("model: [{ relu: , name: '\(name)' }]")
          == "run.yaml:1: 'model.0.name': found '\(name)', "
          + "expected a name without '/', since it is part of paths")
    }
    #expect(
      problem("model: [{ affine: { units: 2, weight: { uniform: { low: 2, high: 1 } } } }]")
        == "run.yaml:1: 'model.0.affine.weight.uniform.high': found 1.0, "
        + "expected at least 'low', 2.0")
    #expect(
      problem("model: [{ affine: { units: 2, weight: { normal: { deviation: -1 } } } }]")
        == "run.yaml:1: 'model.0.affine.weight.normal.deviation': found -1, "
        + "expected a number of 0 or more")
    #expect(
      problem("model: []") == "run.yaml:1: 'model': found an empty list, expected a list of layers")
    #expect(problem("{}") == "run.yaml: missing key 'model', expected a list of layers")
  }
}

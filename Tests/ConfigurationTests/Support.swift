// A small configuration of every kind of key, as the modules above would read it.

import Configuration
import TestSupport

enum Optimizer: Equatable {
  case sgd(learningRate: Double, momentum: Double)
  case adam(learningRate: Double, betas: [Double])
}

enum Layer: Equatable {
  case affine(units: Int, bias: Bool, name: String?)
  case relu(name: String?)
  case pool(kernel: [Int])
}

enum Every: Equatable {
  case epoch
  case steps(Int)
}

enum Validation: Equatable {
  case none
  case fraction(Double)
  case file(String)
}

enum Shuffle: String, CaseIterable {
  case full, `false`
}

struct Sample: Equatable {
  var train: String
  var validation: Validation
  var shuffle: Shuffle
  var layers: [Layer]
  var optimizer: Optimizer
  var batchSize: Int
  var microbatches: Int?
  var nesterov: Bool
  var every: Every

  init(_ root: Section) throws(ConfigurationError) {
    let data = try root.section("data")
    train = try data.path("train", meaning: "the rows to train on")
    validation = try data.value(
      "validation",
      [
        .unset(.none), .number(.fraction) { .fraction($0) },
        .path(expected: "a file") { .file($0) },
      ], default: .null, meaning: "rows to choose by")
    shuffle = try data.choice("shuffle", default: .full, meaning: "the order of rows")
    layers = try root.list("model", noun: "layer", Sample.layers, meaning: "layers in order")
    optimizer = try root.oneOf(
      "optimizer", Sample.optimizers, default: "sgd", meaning: "how parameters change")
    batchSize = try root.integer(
      "batch_size", default: 256, in: .positive, meaning: "rows of a step")
    microbatches = try root.optionalInteger(
      "microbatches", in: .positive, unset: "chosen", meaning: "parts of a batch")
    nesterov = try root.boolean("nesterov", default: false, meaning: "look ahead")
    every = try root.section("evaluation", shorthand: "every").value(
      "every", [.word("epoch", .epoch), .integer(.positive) { .steps($0) }], default: "epoch",
      meaning: "how often")
  }

  static let layers: [Alternative<Layer>] = [
    Alternative("affine", primary: "units", meaning: "x·Wᵀ + b") {
      section throws(ConfigurationError) in
      let units = try section.integer("units", in: .positive, meaning: "outputs")
      let bias = try section.boolean("bias", default: true, meaning: "whether b is there")
      let name = try section.beside.optionalString("name", meaning: "the layer's name")
      return .affine(units: units, bias: bias, name: name)
    },
    Alternative("relu", meaning: "max(x, 0)") { section throws(ConfigurationError) in
      .relu(name: try section.beside.optionalString("name", meaning: "the layer's name"))
    },
    Alternative("max_pool2d", primary: "kernel", meaning: "maxima") {
      section throws(ConfigurationError) in
      let kernel = try section.integers(
        "kernel", default: [2], in: .positive, counts: 1...2, meaning: "extents")
      return .pool(kernel: kernel)
    },
  ]

  static let optimizers: [Alternative<Optimizer>] = [
    Alternative("sgd", meaning: "stochastic gradient descent") {
      section throws(ConfigurationError) in
      .sgd(
        learningRate: try section.number(
          "learning_rate", default: 0.1, in: .positive, meaning: "step size"),
        momentum: try section.number(
          "momentum", default: 0, in: .belowOne, meaning: "share kept of the last step"))
    },
    Alternative("adam", meaning: "Adam") { section throws(ConfigurationError) in
      .adam(
        learningRate: try section.number(
          "learning_rate", default: 0.001, in: .positive, meaning: "step size"),
        betas: try section.numbers(
          "betas", default: [0.9, 0.999], in: .belowOne, counts: 2...2, meaning: "decay"))
    },
  ]
}

/// Reads the sample configuration from a text and overrides.
func read(
  _ text: String, set overrides: [String] = []
) throws(ConfigurationError) -> (sample: Sample, resolved: ResolvedConfiguration) {
  let tree = try ConfigurationTree(
    text: text, source: "run.yaml", folder: "/data", overrides: overrides)
  let reader = ConfigurationReader(tree)
  let sample = try Sample(reader.root)
  return (sample, try reader.finish())
}

/// The error that reading ends with, as it is printed.
func problem(_ text: String, set overrides: [String] = []) -> String {
  message { _ = try read(text, set: overrides) }
}

/// The two lines that every complete configuration needs.
let required = "data: { train: a.h5 }\nmodel: [relu]\n"

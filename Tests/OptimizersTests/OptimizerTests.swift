// The optimisers against six steps of PyTorch's and of NumPy's, made by Tests/Reference/optimizers.py.

import CPUBackend
import Foundation
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite("Optimiser")
struct OptimizerTests {
  private struct Reference: Decodable {
    var count: Int
    var steps: Int
    var parameters: [String: [Double]]
    var several: [String: Steps]

    struct Steps: Decodable {
      var parameters: [Double]
      /// The norms of the gradients, where they were clipped by it.
      var norms: [Double]
    }

    static func read() throws -> Reference {
      let path = repository.appendingPathComponent("Tests/Reference/optimizers.json")
      return try JSONDecoder().decode(Reference.self, from: try Data(contentsOf: path))
    }
  }

  private static let cases: [(String, OptimizerRule)] = [
    ("sgd", .sgd(momentum: 0, nesterov: false, weightDecay: 0)),
    ("sgd, decay", .sgd(momentum: 0, nesterov: false, weightDecay: 0.01)),
    ("sgd, momentum", .sgd(momentum: 0.9, nesterov: false, weightDecay: 0.003)),
    ("sgd, nesterov", .sgd(momentum: 0.8, nesterov: true, weightDecay: 0.003)),
    ("adam", .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0)),
    ("adam, decay", .adam(beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.05)),
    ("adamw", .adamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01)),
    ("adamw, decay", .adamW(beta1: 0.7, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.2)),
  ]

  @Test("goes where PyTorch's goes, from the sum of gradients over 4 rows", arguments: cases)
  func equalsPyTorch(name: String, rule: OptimizerRule) throws {
    let reference = try Reference.read()
    let expected = try #require(reference.parameters[name])
    let parameters = FloatBuffer(count: reference.count)
    for i in 0..<reference.count { parameters.pointer[i] = Float(i * 7 % 11 - 5) / 8 }
    let optimizer = Optimizer(
      rule, learningRate: 0.05, count: reference.count,
      arithmetic: CPU().arithmetic)
    let gradient = FloatBuffer(count: reference.count)
    for step in 1...reference.steps {
      for i in 0..<reference.count {
        gradient.pointer[i] = 4 * Float((i * 5 + step * 3) % 13 - 6) / 16
      }
      optimizer.takeStep(parameters, gradient: gradient.pointer, scale: 0.25, step: step)
    }
    for i in 0..<reference.count {
      #expect(abs(Double(parameters.pointer[i]) - expected[i]) <= 3e-7, "element \(i)")
    }
  }

  /// A weight, a bias and a scale of a normalisation, as in the script.
  private static let layout = FlatLayout([("a", [40]), ("b", [19]), ("c", [3])])

  private static func settings(
    _ rule: OptimizerRule, l1: Double = 0, clipping: OptimizerSettings.Clipping = .none
  ) -> OptimizerSettings {
    var settings = OptimizerSettings(rule, learningRate: 0.05)
    settings.l1 = l1
    settings.clipping = clipping
    return settings
  }

  /// Settings, and whether decay and trust ratios leave out all arrays but the first.
  private static let severalCases: [(String, OptimizerSettings, leavesOut: Bool)] = [
    (
      "sgd, l1", settings(.sgd(momentum: 0.9, nesterov: false, weightDecay: 0.01), l1: 0.02), false
    ),
    (
      "adam, l1",
      settings(.adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01), l1: 0.02), false
    ),
    (
      "adamw, l1",
      settings(.adamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1), l1: 0.02), false
    ),
    (
      "sgd, clipped by norm",
      settings(
        .sgd(momentum: 0.9, nesterov: false, weightDecay: 0.01), clipping: .norm(0.7)), false
    ),
    (
      "adam, clipped by a norm never reached",
      settings(
        .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0), clipping: .norm(70)), false
    ),
    (
      "sgd, clipped by value",
      settings(
        .sgd(momentum: 0.9, nesterov: false, weightDecay: 0.01), clipping: .value(0.2)), false
    ),
    (
      "adamw, clipped by norm",
      settings(
        .adamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1), clipping: .norm(0.3)),
      false
    ),
    (
      "no decay of some",
      settings(.adamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.3)), true
    ),
    ("lars", settings(.lars(momentum: 0.9, trust: 0.02, weightDecay: 0.05)), true),
    (
      "lars of all, clipped by norm",
      settings(.lars(momentum: 0.8, trust: 0.02, weightDecay: 0.05), clipping: .norm(0.5)), false
    ),
    (
      "lamb", settings(.lamb(beta1: 0.9, beta2: 0.999, epsilon: 1e-6, weightDecay: 0.1)), true
    ),
    (
      "lamb of all, clipped by norm",
      settings(
        .lamb(beta1: 0.8, beta2: 0.99, epsilon: 1e-6, weightDecay: 0.1), clipping: .norm(0.5)),
      false
    ),
  ]

  @Test(
    "goes where the reference goes with penalties, clipping and trust ratios",
    arguments: severalCases)
  func equalsReference(name: String, settings: OptimizerSettings, leavesOut: Bool) throws {
    let reference = try Reference.read()
    let expected = try #require(reference.several[name])
    let layout = OptimizerTests.layout
    let ranges = UpdateRanges(layout) { number, _ in
      .learn(
        isDecayed: number == 0 || !leavesOut,
        trustRatioIndex: settings.rule.usesTrustRatio && (number == 0 || !leavesOut) ? number : nil)
    }
    let optimizer = Optimizer(
      settings, ranges: ranges, arithmetic: CPU().arithmetic)
    let parameters = FloatBuffer(count: layout.count)
    let gradient = FloatBuffer(count: layout.count)
    for (k, array) in layout.ranges.enumerated() {
      for i in 0..<array.count {
        parameters.pointer[array.offset + i] = Float((i * 7 + k) % 11 - 5) / 8
      }
    }
    var norms: [Double] = []
    for step in 1...reference.steps {
      for (k, array) in layout.ranges.enumerated() {
        for i in 0..<array.count {
          gradient.pointer[array.offset + i] = 4 * Float((i * 5 + step * 3 + k) % 13 - 6) / 16
        }
      }
      let norm = optimizer.takeStep(
        parameters, gradient: gradient.pointer, scale: 0.25, step: step)
      if let norm { norms.append(norm) }
    }
    let found = layout.ranges.flatMap { Array(parameters.elements[$0.indices]) }
    #expect(found.count == expected.parameters.count)
    for (i, (one, other)) in zip(found, expected.parameters).enumerated() {
      #expect(abs(Double(one) - other) <= 4e-7, "element \(i)")
    }
    #expect(norms.count == expected.norms.count)
    for (one, other) in zip(norms, expected.norms) { #expect(abs(one - other) <= 1e-6) }
  }

  @Test("has a trust ratio of 1 where a parameter or its direction is 0")
  func zeroNorms() throws {
    for rule in [
      OptimizerRule.lars(momentum: 0, trust: 0.5, weightDecay: 0.1),
      .lamb(beta1: 0, beta2: 0, epsilon: 0, weightDecay: 0.1),
    ] {
      let ranges = UpdateRanges(OptimizerTests.layout) { number, _ in
        .learn(trustRatioIndex: number)
      }
      let optimizer = Optimizer(
        OptimizerTests.settings(rule), ranges: ranges, arithmetic: CPU().arithmetic)
      let parameters = FloatBuffer(count: ranges.count)
      let gradient = FloatBuffer(count: ranges.count)
      gradient.pointer[0] = 1
      optimizer.takeStep(parameters, gradient: gradient.pointer, scale: 1, step: 1)
      #expect(parameters.pointer[0] == -0.05)
    }
  }

  @Test("carries a vector per moment, plain gradient descent none")
  func slots() {
    #expect(OptimizerTests.cases.map(\.1.slotNames.count) == [0, 0, 1, 1, 2, 2, 2, 2])
  }
}

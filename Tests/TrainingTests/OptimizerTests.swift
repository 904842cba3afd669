// The optimisers against six steps of PyTorch's, made by Tests/Reference/optimizers.py.

import Foundation
import Tensors
import TestSupport
import Testing
import Training

@Suite("Optimiser")
struct OptimizerTests {
  private struct Reference: Decodable {
    var count: Int
    var steps: Int
    var parameters: [String: [Double]]
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
    let path = repository.appendingPathComponent("Tests/Reference/optimizers.json")
    let reference = try JSONDecoder().decode(Reference.self, from: try Data(contentsOf: path))
    let expected = try #require(reference.parameters[name])
    let parameters = FloatBuffer(count: reference.count)
    for i in 0..<reference.count { parameters.pointer[i] = Float(i * 7 % 11 - 5) / 8 }
    let optimizer = Optimizer(rule, learningRate: 0.05, count: reference.count)
    let gradient = FloatBuffer(count: reference.count)
    for step in 1...reference.steps {
      for i in 0..<reference.count {
        gradient.pointer[i] = 4 * Float((i * 5 + step * 3) % 13 - 6) / 16
      }
      optimizer.update(
        parameters, gradient: gradient.pointer, elements: 0..<7, scale: 0.25, step: step)
      optimizer.update(
        parameters, gradient: gradient.pointer, elements: 7..<reference.count, scale: 0.25,
        step: step)
    }
    for i in 0..<reference.count {
      #expect(abs(Double(parameters.pointer[i]) - expected[i]) <= 3e-7, "element \(i)")
    }
  }

  @Test("carries a vector per moment, plain gradient descent none")
  func slots() {
    #expect(OptimizerTests.cases.map(\.1.slotNames.count) == [0, 0, 1, 1, 2, 2, 2, 2])
  }
}

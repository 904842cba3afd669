// Learning rates against PyTorch's, made by Tests/Reference/schedules.py.

import Foundation
import Optimizers
import TestSupport
import Testing

@Suite("Learning rate schedule")
struct ScheduleTests {
  private struct Reference: Decodable {
    var stepsPerEpoch: Int
    /// The factor of each step, of schedulers that are asked at the end of an epoch.
    var epochs: [String: [Double]]
    /// The factor of each step, of schedulers that are asked after each.
    var steps: [String: [Double]]

    static func read() throws -> Reference {
      let path = repository.appendingPathComponent("Tests/Reference/schedules.json")
      return try JSONDecoder().decode(Reference.self, from: try Data(contentsOf: path))
    }
  }

  private static let shapes: [(String, LearningRateSchedule.Shape)] = [
    ("step", .step(epochs: 3, factor: 0.5)),
    ("multi_step", .multiStep(epochs: [2, 5, 6], factor: 0.3)),
    ("exponential", .exponential(factor: 0.9)), ("cosine", .cosine(epochs: 10, last: 0.125)),
    ("linear", .linear(epochs: 10, last: 0.25)),
    ("polynomial", .polynomial(epochs: 10, power: 1.7, last: 0)),
    ("one_cycle", .oneCycle(.init(epochs: 15))),
    (
      "one_cycle, lines",
      .oneCycle(.init(epochs: 15, rise: 0.45, first: 0.1, last: 0.001, isLinear: true))
    ),
  ]

  @Test("has PyTorch's factor in every step", arguments: shapes)
  func equalsPyTorch(name: String, shape: LearningRateSchedule.Shape) throws {
    let reference = try Reference.read()
    let schedule = LearningRateSchedule(shape)
    let expected = try #require(reference.steps[name] ?? reference.epochs[name])
    for (index, value) in expected.enumerated() {
      let factor = schedule.factor(step: index + 1, stepsPerEpoch: reference.stepsPerEpoch)
      // PyTorch's cosine rises again after its end, and its exponential is a staircase.
      if name == "cosine", index > 40 {
        #expect(factor == 0.125)
      } else if name != "exponential" || index % reference.stepsPerEpoch == 0 {
        #expect(abs(factor - value) <= 1e-12 + 1e-14 / max(value, 1e-9), "step \(index + 1)")
      }
    }
  }

  @Test("falls smoothly by a factor an epoch, and by a line to a power to its last factor")
  func curves() {
    let exponential = LearningRateSchedule(.exponential(factor: 0.25))
    #expect(abs(exponential.factor(step: 3, stepsPerEpoch: 4) - 0.5) < 1e-15)
    let polynomial = LearningRateSchedule(.polynomial(epochs: 2, power: 2, last: 0.5))
    #expect(abs(polynomial.factor(step: 5, stepsPerEpoch: 4) - 0.625) < 1e-15)
    for step in 9...12 { #expect(polynomial.factor(step: step, stepsPerEpoch: 4) == 0.5) }
  }

  @Test("rises from 0 along a line before or over any shape", arguments: shapes)
  func warmup(name: String, shape: LearningRateSchedule.Shape) {
    let schedule = LearningRateSchedule(shape, warmupEpochs: 2.5)
    let plain = LearningRateSchedule(shape)
    for step in 1...20 {
      let expected = min(1, Double(step) / 10) * plain.factor(step: step, stepsPerEpoch: 4)
      #expect(abs(schedule.factor(step: step, stepsPerEpoch: 4) - expected) < 1e-15)
    }
  }

  @Test("of one cycle in a step or two, or with nothing of a rise, has no hole")
  func shortCycle() {
    for (epochs, rise) in [(0.25, 0.3), (0.5, 0.5), (0.5, 1), (2, 0), (2, 1), (0.01, 0.5)] {
      let schedule = LearningRateSchedule(.oneCycle(.init(epochs: epochs, rise: rise)))
      for step in 1...12 {
        let factor = schedule.factor(step: step, stepsPerEpoch: 4)
        #expect(factor >= 0 && factor <= 1)
      }
    }
  }
}

// Norms over elements: the pieces follow from the layout, whoever adds which of them.

import CPUBackend
import Foundation
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite("Norms")
struct NormTests {
  /// Arrays that begin and end in the middle of blocks, within one, and over several.
  private static let layout = FlatLayout([
    ("a", [5000]), ("b", [3]), ("c", [4096]), ("d", [100, 101]), ("e", [1]), ("f", [8192]),
  ])

  private func filled(_ offset: Int) -> FloatBuffer {
    let vector = FloatBuffer(count: NormTests.layout.count)
    for array in NormTests.layout.ranges {
      for i in array.indices { vector.pointer[i] = Float((i * 37 + offset) % 101 - 50) / 64 }
    }
    return vector
  }

  private func norm(_ vector: FloatBuffer, _ arrays: [FlatLayout.Range]) -> Double {
    arrays.flatMap { Array($0.indices) }.reduce(0.0) { sum, i in
      sum + Double(vector.pointer[i]) * Double(vector.pointer[i])
    }.squareRoot()
  }

  @Test("of the gradient are over all parameters but frozen ones, each element once")
  func clipping() throws {
    for frozen in [[], ["b"], ["a", "d"], ["f"]] {
      var settings = OptimizerSettings(
        .sgd(momentum: 0, nesterov: false, weightDecay: 0), learningRate: 1)
      settings.clipping = .norm(2)
      let ranges = UpdateRanges(NormTests.layout) { _, array in
        frozen.contains(array.name) ? .keep : .learn()
      }
      let optimizer = Optimizer(
        settings, ranges: ranges, arithmetic: CPU().arithmetic)
      let (parameters, gradient) = (filled(3), filled(17))
      let before = Array(parameters.elements)
      let found = try #require(
        optimizer.takeStep(parameters, gradient: gradient.pointer, scale: 0.25, step: 1))
      let learned = NormTests.layout.ranges.filter { !frozen.contains($0.name) }
      let expected = norm(gradient, learned) / 4
      #expect(isClose(found, expected, tolerance: 1e-12))
      #expect(found > 2)
      let factor = 0.25 * 2 / (expected + 1e-6)
      for array in NormTests.layout.ranges {
        for i in array.indices {
          let change = frozen.contains(array.name) ? 0 : factor * Double(gradient.pointer[i])
          #expect(abs(Double(before[i]) - change - Double(parameters.pointer[i])) < 1e-6)
        }
      }
    }
  }

  @Test("of each parameter make its own trust ratio")
  func trustRatios() throws {
    let settings = OptimizerSettings(
      .lars(momentum: 0, trust: 0.5, weightDecay: 0.25), learningRate: 1)
    let ranges = UpdateRanges(NormTests.layout) { number, _ in .learn(trustRatioIndex: number) }
    let optimizer = Optimizer(
      settings, ranges: ranges, arithmetic: CPU().arithmetic)
    let (parameters, gradient) = (filled(3), filled(17))
    let before = Array(parameters.elements)
    optimizer.takeStep(parameters, gradient: gradient.pointer, scale: 1, step: 1)
    for array in NormTests.layout.ranges {
      let p = array.indices.reduce(0.0) { $0 + Double(before[$1]) * Double(before[$1]) }
        .squareRoot()
      let ratio = 0.5 * p / (norm(gradient, [array]) + 0.25 * p)
      for i in array.indices {
        let slope = Double(gradient.pointer[i]) + 0.25 * Double(before[i])
        #expect(
          abs(Double(before[i]) - ratio * slope - Double(parameters.pointer[i])) < 1e-6,
          "\(array.name)")
      }
    }
  }

  @Test("that are no finite number change nothing of a step by one hand")
  func notFinite() throws {
    var settings = OptimizerSettings(
      .sgd(momentum: 0.9, nesterov: false, weightDecay: 0), learningRate: 1)
    settings.clipping = .norm(2)
    let optimizer = Optimizer(
      settings, ranges: UpdateRanges(count: 32), arithmetic: CPU().arithmetic)
    let (parameters, gradient) = (FloatBuffer(count: 32), FloatBuffer(count: 32))
    for bad in [Float.infinity, .nan] {
      gradient.pointer[7] = bad
      let norm = optimizer.takeStep(parameters, gradient: gradient.pointer, scale: 1, step: 1)
      #expect(norm?.isFinite == false)
      #expect(parameters.elements.allSatisfy { $0 == 0 })
    }
  }
}

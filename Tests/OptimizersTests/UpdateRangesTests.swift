// What a step does to which elements.

import CPUBackend
import Optimizers
import Tensors
import Testing

@Suite("Update ranges")
struct UpdateRangesTests {
  private let layout = FlatLayout([
    ("a/weight", [5, 7]), ("a/bias", [5]), ("b/weight", [3, 5]), ("b/bias", [3]),
  ])

  private func parts(
    _ ranges: UpdateRanges, _ elements: Range<Int>
  ) -> [(UpdateRanges.Action, Range<Int>)] {
    var parts: [(UpdateRanges.Action, Range<Int>)] = []
    ranges.forEach(in: elements) { parts.append(($0, $1)) }
    return parts
  }

  @Test("are one where the same happens to all, and none of no elements")
  func merged() {
    #expect(UpdateRanges(layout) { _, _ in .learn() } == UpdateRanges(count: layout.count))
    #expect(UpdateRanges(count: layout.count).rangeCount == 1)
    #expect(UpdateRanges(count: 0).rangeCount == 0)
    #expect(parts(UpdateRanges(count: 0), 0..<0).isEmpty)
  }

  @Test("cut any range of elements where something else begins to happen")
  func parts() {
    let ranges = UpdateRanges(layout) { _, array in
      array.name.hasPrefix("b") ? .keep : .learn(isDecayed: array.name.hasSuffix("weight"))
    }
    // Of 48, 16, 16 and 16 elements with their padding; the last two are one range.
    #expect(ranges.rangeCount == 3)
    for start in 0...layout.count {
      for end in start...layout.count {
        var next = start
        for (action, part) in parts(ranges, start..<end) {
          #expect(part.lowerBound == next && !part.isEmpty)
          for element in part {
            let expected: UpdateRanges.Action =
              element < 64 ? .learn(isDecayed: element < 48) : .keep
            #expect(action == expected)
          }
          next = part.upperBound
        }
        #expect(next == end)
      }
    }
  }

  @Test("keep what is frozen, scale rates and leave out decay")
  func update() throws {
    let count = 64
    let ranges = UpdateRanges(FlatLayout([("x", [16]), ("y", [16]), ("z", [16]), ("t", [16])])) {
      _, array in
      switch array.name {
      case "x": .learn()
      case "y": .keep
      case "z": .learn(rateFactor: 0.5)
      default: .learn(isDecayed: false)
      }
    }
    let rules: [@Sendable (_ weightDecay: Double) -> OptimizerRule] = [
      { .sgd(momentum: 0.9, nesterov: false, weightDecay: $0) },
      { .adamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: $0) },
      { .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: $0) },
    ]
    for ruleOfDecay in rules {
      let rule = ruleOfDecay(0.1)
      func run(_ ranges: UpdateRanges, _ rule: OptimizerRule, learningRate: Double) throws
        -> [Float]
      {
        let parameters = FloatBuffer(count: count)
        let gradient = FloatBuffer(count: count)
        for i in 0..<count { parameters.pointer[i] = 1 + Float(i % 16) }
        let optimizer = Optimizer(
          OptimizerSettings(rule, learningRate: learningRate), ranges: ranges,
          arithmetic: CPU().arithmetic)
        for step in 1...3 {
          for i in 0..<count { gradient.pointer[i] = Float((i + step) % 16) - 7 }
          optimizer.takeStep(parameters, gradient: gradient.pointer, scale: 0.5, step: step)
        }
        return Array(parameters.elements)
      }
      let all = UpdateRanges(count: count)
      let result = try run(ranges, rule, learningRate: 0.25)
      #expect(try result[..<16] == run(all, rule, learningRate: 0.25)[..<16])
      #expect(result[16..<32].elementsEqual((0..<16).map { 1 + Float($0) }))
      #expect(try result[32..<48] == run(all, rule, learningRate: 0.125)[32..<48])
      #expect(try result[48...] == run(all, ruleOfDecay(0), learningRate: 0.25)[48...])
    }
  }
}

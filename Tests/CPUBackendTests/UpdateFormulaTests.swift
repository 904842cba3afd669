// Updates by formulas: on the CPU as element by element in `Double`, and in parts as at once.

import CPUBackend
import Execution
import Numerics
import Tensors
import TestSupport
import Testing

@Suite("Update formulas")
struct UpdateFormulaTests {
  typealias Formula = ElementwiseFormula

  /// Uses every function, place and number: momentum with a largest square, and a decay that is bounded.
  private static let formula = Formula(
    Formula.penalizedGradient(into: 0, spare: 1) + [
      .init(.multiply, .slot(0), .number(.own(0)), into: .slot(0)),
      .init(.add, .slot(0), .register(0), into: .slot(0)),
      .init(.multiply, .register(0), .register(0), into: .register(1)),
      .init(.maximum, .slot(1), .register(1), into: .slot(1)),
      .init(.squareRoot, .slot(1), into: .register(1)),
      .init(.add, .register(1), .number(.own(7)), into: .register(1)),
      .init(.divide, .slot(0), .register(1), into: .register(1)),
      .init(.absolute, .register(0), into: .register(2)),
      .init(.sign, .register(1), into: .register(0)),
      .init(.multiply, .register(2), .register(0), into: .register(2)),
      .init(.add, .register(1), .register(2), into: .register(1)),
      .init(.multiply, .register(1), .number(.learningRate), into: .register(1)),
      .init(.subtract, .parameters, .register(1), into: .parameters),
    ])

  /// Takes three steps over the parts of a vector and returns parameters and state.
  private func run(
    _ arithmetic: any FlatArithmetic, count: Int, parts: [Range<Int>]
  ) -> [Float] {
    var numbers = TestNumbers("formula", "\(count)")
    let vectors = (0..<4).map { _ in FloatBuffer(count: count) }
    for i in 0..<count {
      vectors[0].pointer[i] = Float(numbers.uniform())
      vectors[1].pointer[i] = Float(numbers.uniform())
    }
    var own = SIMD8<Double>.zero
    (own[0], own[7]) = (0.9, 1e-3)
    let factors = UpdateFactors(
      learningRate: 0.01, weightDecay: 0.1, l1: 0.02, gradientScale: 0.25)
    for _ in 0..<3 {
      for part in parts {
        let elements = UpdatedElements(
          part, parameters: vectors[0], gradient: vectors[1].pointer,
          slots: Array(vectors[2...]))
        arithmetic.update(
          elements, by: UpdateFormulaTests.formula, Formula.Numbers(factors, own: own))
      }
    }
    return [0, 2, 3].flatMap { Array(vectors[$0].elements) }
  }

  @Test("agree with Double on every length, and have the same bits in parts")
  func agrees() {
    for count in Array(1...70) + [127, 128, 129, 1000] {
      let whole = run(CPU().arithmetic, count: count, parts: [0..<count])
      let expected = run(PlainArithmetic(), count: count, parts: [0..<count])
      #expect(zip(whole, expected).allSatisfy { abs($0 - $1) <= 1e-5 }, "\(count) elements")
      let middle = count / 3
      #expect(
        run(CPU().arithmetic, count: count, parts: [middle..<count, 0..<middle]) == whole,
        "\(count) elements")
    }
  }

  @Test("count their registers, slots and numbers")
  func counts() {
    let formula = UpdateFormulaTests.formula
    #expect(formula.registerCount == 3)
    #expect(formula.slotCount == 2)
    #expect(
      formula.numbers == [.gradientScale, .weightDecay, .l1, .own(0), .own(7), .learningRate])
  }
}

// Numbers for tests: seeded by words, and exact in `Float`, so that plans and oracles see the same.

import Numerics
public import Tensors

/// A sequence of random numbers that its words decide.
public struct TestNumbers: Sendable {
  private let draws: RandomDraws
  private var index = 0

  /// Starts the sequence of some words, such as the name of a test and of an operand.
  public init(_ words: String...) {
    draws = RandomDraws(seed: 1, stream: randomStream("test", words.joined(separator: "/")))
  }

  /// The next number uniform in a range, rounded to `Float`.
  public mutating func uniform(_ range: ClosedRange<Double> = -1...1) -> Double {
    index += 1
    let unit = Double(draws.uniform(at: index))
    return Double(Float(range.lowerBound + (range.upperBound - range.lowerBound) * unit))
  }

  /// The next whole number from 0 up to `count`.
  public mutating func below(_ count: Int) -> Int {
    index += 1
    return Int(draws.bits(at: index)[1]) % count
  }

  /// The next element of a collection.
  public mutating func element<Element>(of elements: [Element]) -> Element {
    elements[below(elements.count)]
  }

  /// The next tensor, of numbers whose magnitude is in a range.
  public mutating func tensor(
    _ shape: Shape, magnitudes: ClosedRange<Double> = 0...1, signed: Bool = true
  ) -> Tensor {
    var values: [Double] = []
    for _ in 0..<shape.count {
      let magnitude = uniform(magnitudes)
      values.append(signed && below(2) == 0 ? -magnitude : magnitude)
    }
    return Tensor(shape: shape, values: values)
  }
}

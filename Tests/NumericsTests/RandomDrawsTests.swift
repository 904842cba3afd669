import Numerics
import Testing

/// Expected values: Tests/Reference/numerics.py, with its own Philox and logarithms of many digits.
@Suite("Random draws")
struct RandomDrawsTests {
  private let draws = RandomDraws(
    seed: 42, stream: randomStream("initial value", "affine1/weight"), step: 3, position: 7)

  @Test("give each element its number")
  func reference() {
    let elements = [
      0, 1, 2, 3, 1000, 4294967295, 4294967296, 4294967297,
    ]
    let uniform: [Float] = [
      0.7795845866203308, 0.08358556032180786, 0.004490852355957031, 0.8693888783454895,
      0.43052273988723755, 0.937430202960968, 0.5640380382537842, 0.3234262466430664,
    ]
    let normal: [Float] = [
      -0.58015424, -1.0797216, -1.5949923, -0.4444362, 1.2918959, -0.33362707, -0.22035602,
      -0.7890949,
    ]
    for (i, element) in elements.enumerated() {
      #expect(draws.uniform(at: element) == uniform[i])
      #expect(draws.normal(at: element) == normal[i])
    }
  }

  @Test("have the moments of their distributions")
  func moments() {
    let count = 20_000
    let uniform = (0..<count).map { Double(draws.uniform(at: $0, from: -1, to: 3)) }
    let normal = (0..<count).map { Double(draws.normal(at: $0)) }
    #expect(uniform.allSatisfy { $0 >= -1 && $0 <= 3 })
    #expect(abs(mean(uniform) - 1) < 0.03)
    #expect(abs(mean(uniform.map { ($0 - 1) * ($0 - 1) }) - 16.0 / 12) < 0.03)
    #expect(abs(mean(normal)) < 0.03)
    #expect(abs(mean(normal.map { $0 * $0 }) - 1) < 0.04)
    #expect(abs(mean(normal.map { $0 * $0 * $0 * $0 }) - 3) < 0.3)
  }

  @Test("differ by seed, stream, step and position")
  func counters() {
    let others = [
      RandomDraws(seed: 2, stream: 1), RandomDraws(seed: 1, stream: 2),
      RandomDraws(seed: 1, stream: 1, step: 1), RandomDraws(seed: 1, stream: 1, position: 1),
    ]
    let first = RandomDraws(seed: 1, stream: 1).bits(at: 0)
    for other in others { #expect(other.bits(at: 0) != first) }
    #expect(RandomDraws(seed: 1, stream: 1).bits(at: 1) != first)
  }

  private func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
}

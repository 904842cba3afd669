import Kernels
import Numerics
import Testing

@Suite("Elementwise kernels")
struct ElementwiseTests {
  typealias Pointer = UnsafePointer<Float>
  typealias Target = UnsafeMutablePointer<Float>

  /// A kernel of two operands, the second of which it may ignore, and what it does to one element.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let kernel: @Sendable (Pointer, Pointer, Target, Int) -> Void
    let naive: @Sendable (Float, Float) -> Float

    init(
      _ name: String, _ kernel: @escaping @Sendable (Pointer, Pointer, Target, Int) -> Void,
      _ naive: @escaping @Sendable (Float, Float) -> Float
    ) {
      (testDescription, self.kernel, self.naive) = (name, kernel, naive)
    }

    init(
      _ code: ElementCode, _ number: Double, _ naive: @escaping @Sendable (Float, Float) -> Float
    ) {
      self.init(
        number == 0 ? "\(code)" : "\(code) \(number)",
        { a, b, c, count in
          if code.takesTwo {
            Elementwise.apply(code, a, b, into: c, count: count)
          } else {
            Elementwise.apply(code, number: number, a, into: c, count: count)
          }
        }, naive)
    }
  }

  static let cases: [Case] =
    ElementCode.allCases.flatMap { code in formulas(of: code).map { Case(code, $0, $1) } } + [
      Case("copy", { a, _, c, n in Elementwise.copy(a, into: c, count: n) }) { a, _ in a },
      Case("fill", { _, _, c, n in Elementwise.fill(1.5, into: c, count: n) }) { _, _ in 1.5 },
    ]

  /// The formula of a code, for one or more numbers.
  private static func formulas(
    of code: ElementCode
  ) -> [(Double, @Sendable (Float, Float) -> Float)] {
    switch code {
    case .scale: [(0.3, { a, _ in a * 0.3 })]
    case .exp: [(0, { a, _ in Elementary.exp(a) })]
    case .log: [(0, { a, _ in Elementary.log(a) })]
    case .expm1: [(0, { a, _ in Elementary.expm1(a) })]
    case .log1p: [(0, { a, _ in Elementary.log1p(a) })]
    case .softplus: [(0, { a, _ in Elementary.softplus(a) })]
    case .cap: [(0.7, { a, _ in a > 0.7 ? 0.7 : a })]
    case .square: [(0, { a, _ in a * a })]
    case .sigmoid: [(0, { a, _ in Elementary.sigmoid(a) })]
    case .tanh: [(0, { a, _ in Elementary.tanh(a) })]
    case .relu: [(0, { a, _ in a < 0 ? 0 : a })]
    case .sqrt: [(0, { a, _ in a.squareRoot() })]
    case .abs: [(0, { a, _ in a.magnitude })]
    case .sign: [(0, { a, _ in a > 0 ? 1 : a < 0 ? -1 : a })]
    case .erf: [(0, { a, _ in Elementary.erf(a) })]
    case .power:
      [
        (3, { a, _ in a * (a * a) }), (-2, { a, _ in 1 / (a * a) }),
        (1.5, { a, _ in Elementary.exp(1.5 * Elementary.log(a)) }),
      ]
    case .add: [(0, { $0 + $1 })]
    case .subtract: [(0, { $0 - $1 })]
    case .multiply: [(0, { $0 * $1 })]
    case .divide: [(0, { $0 / $1 })]
    case .maximum:
      [(0, { a, b in a.isNaN || b.isNaN ? .nan : a == b ? a * 0.5 + b * 0.5 : max(a, b) })]
    case .reluGradient: [(0, { $1 > 0 ? $0 : 0 })]
    case .sigmoidGradient: [(0, { $0 * ($1 * (1 - $1)) })]
    case .tanhGradient: [(0, { $0 * (1 - $1 * $1) })]
    }
  }

  @Test("give each element what the formula gives, at any count and alignment", arguments: cases)
  func formula(_ test: Case) {
    for count in extents {
      let expected = zip(operand(count, 1), operand(count, 2)).map { test.naive($0, $1) }
      for offset in [0, 1, 3, 5] {
        let a = Vector(operand(count, 1), offset: offset)
        let b = Vector(operand(count, 2), offset: offset + 2)
        let c = Vector(count: count, offset: 7 - offset)
        test.kernel(a.pointer, b.pointer, c.pointer, count)
        #expect(isSame(c.values, expected), "count \(count), offset \(offset)")
        #expect(c.isIntact)
      }
    }
  }

  @Test("may overwrite either operand", arguments: cases)
  func inPlace(_ test: Case) {
    for count in extents {
      let expected = zip(operand(count, 1), operand(count, 2)).map { test.naive($0, $1) }
      let (a, b) = (Vector(operand(count, 1)), Vector(operand(count, 2)))
      test.kernel(a.pointer, b.pointer, a.pointer, count)
      #expect(isSame(a.values, expected), "count \(count)")
      let (first, second) = (Vector(operand(count, 1)), Vector(operand(count, 2)))
      test.kernel(first.pointer, second.pointer, second.pointer, count)
      #expect(isSame(second.values, expected), "count \(count)")
    }
  }

  /// Ordinary numbers with the odd ones among them.
  private func operand(_ count: Int, _ stream: UInt32) -> [Float] {
    let tiny = 700 * Float.leastNonzeroMagnitude
    let odd: [Float] = [0, -0.0, .infinity, -.infinity, .nan, tiny, -tiny, 100, -100]
    return numbers(count, stream: stream, scale: 4).enumerated().map { i, x in
      i % 5 == 4 ? odd[(i / 5 + Int(stream)) % odd.count] : x
    }
  }

  private func isSame(_ a: [Float], _ b: [Float]) -> Bool {
    a.count == b.count
      && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) }
  }
}

extension ElementCode {
  fileprivate var takesTwo: Bool { rawValue >= ElementCode.add.rawValue }
}

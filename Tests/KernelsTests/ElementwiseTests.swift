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
  }

  static let cases: [Case] = [
    Case("add", { Elementwise.add($0, $1, into: $2, count: $3) }, { $0 + $1 }),
    Case("subtract", { Elementwise.subtract($0, $1, into: $2, count: $3) }, { $0 - $1 }),
    Case("multiply", { Elementwise.multiply($0, $1, into: $2, count: $3) }, { $0 * $1 }),
    Case("scale", { a, _, c, n in Elementwise.scale(a, by: 0.3, into: c, count: n) }) { a, _ in
      a * 0.3
    },
    Case("exp", { a, _, c, n in Elementwise.exp(a, into: c, count: n) }) { a, _ in
      Elementary.exp(a)
    },
    Case("log", { a, _, c, n in Elementwise.log(a, into: c, count: n) }) { a, _ in
      Elementary.log(a)
    },
    Case("expm1", { a, _, c, n in Elementwise.expm1(a, into: c, count: n) }) { a, _ in
      Elementary.expm1(a)
    },
    Case("log1p", { a, _, c, n in Elementwise.log1p(a, into: c, count: n) }) { a, _ in
      Elementary.log1p(a)
    },
    Case("softplus", { a, _, c, n in Elementwise.softplus(a, into: c, count: n) }) { a, _ in
      Elementary.softplus(a)
    },
    Case("cap", { a, _, c, n in Elementwise.cap(a, at: 0.7, into: c, count: n) }) { a, _ in
      a > 0.7 ? 0.7 : a
    },
    Case("square", { a, _, c, n in Elementwise.square(a, into: c, count: n) }) { a, _ in a * a },
    Case("sigmoid", { a, _, c, n in Elementwise.sigmoid(a, into: c, count: n) }) { a, _ in
      Elementary.sigmoid(a)
    },
    Case("tanh", { a, _, c, n in Elementwise.tanh(a, into: c, count: n) }) { a, _ in
      Elementary.tanh(a)
    },
    Case("relu", { a, _, c, n in Elementwise.relu(a, into: c, count: n) }) { a, _ in
      a < 0 ? 0 : a
    },
    Case("sqrt", { a, _, c, n in Elementwise.sqrt(a, into: c, count: n) }) { a, _ in
      a.squareRoot()
    },
    Case("abs", { a, _, c, n in Elementwise.abs(a, into: c, count: n) }) { a, _ in a.magnitude },
    Case("sign", { a, _, c, n in Elementwise.sign(a, into: c, count: n) }) { a, _ in
      a > 0 ? 1 : a < 0 ? -1 : a
    },
    Case("cube", { a, _, c, n in Elementwise.power(a, 3, into: c, count: n) }) { a, _ in
      a * (a * a)
    },
    Case("inverse square", { a, _, c, n in Elementwise.power(a, -2, into: c, count: n) }) { a, _ in
      1 / (a * a)
    },
    Case("power", { a, _, c, n in Elementwise.power(a, 1.5, into: c, count: n) }) { a, _ in
      Elementary.exp(1.5 * Elementary.log(a))
    },
    Case("relu gradient", { Elementwise.reluGradient($0, output: $1, into: $2, count: $3) }) {
      $1 > 0 ? $0 : 0
    },
    Case(
      "sigmoid gradient", { Elementwise.sigmoidGradient($0, output: $1, into: $2, count: $3) }
    ) { $0 * ($1 * (1 - $1)) },
    Case("tanh gradient", { Elementwise.tanhGradient($0, output: $1, into: $2, count: $3) }) {
      $0 * (1 - $1 * $1)
    },
    Case("copy", { a, _, c, n in Elementwise.copy(a, into: c, count: n) }) { a, _ in a },
    Case("fill", { _, _, c, n in Elementwise.fill(1.5, into: c, count: n) }) { _, _ in 1.5 },
  ]

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

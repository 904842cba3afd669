import Foundation
import Kernels
import Tensors
import Testing

/// The layouts of both operands in memory.
struct Storage: Sendable, CustomTestStringConvertible {
  let lhs: Bool
  let rhs: Bool
  var testDescription: String { (lhs ? "Aᵀ" : "A") + "·" + (rhs ? "Bᵀ" : "B") }
  static let all = [
    Storage(lhs: false, rhs: false), Storage(lhs: false, rhs: true),
    Storage(lhs: true, rhs: false), Storage(lhs: true, rhs: true),
  ]

  /// The bits of a product, each element one chain in a plain loop; what is no number has no sign that counts.
  func chains(_ a: [Float], _ b: [Float], rows m: Int, columns n: Int, depth k: Int) -> [UInt32] {
    var bits: [UInt32] = []
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        for i in 0..<m {
          for j in 0..<n {
            var sum: Float = 0
            for l in 0..<k {
              sum.addProduct(a[lhs ? l * m + i : i * k + l], b[rhs ? j * k + l : l * n + j])
            }
            bits.append(sum.isNaN ? Float.nan.bitPattern : sum.bitPattern)
          }
        }
      }
    }
    return bits
  }
}

extension Vector {
  /// The bits of the elements; what is no number has no sign that counts.
  var plainBits: [UInt32] {
    values.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern }
  }
}

@Suite("Matrix products")
struct MatmulTests {
  static let shapes = [
    (1, 1, 1), (10, 8, 2), (10, 1, 8), (7, 9, 13), (15, 17, 16), (16, 16, 17), (17, 31, 33),
    (33, 2, 65), (2, 512, 3), (64, 10, 127), (16, 33, 100), (15, 20, 70),
  ]
  static let levels = InstructionSet.allCases.filter(\.isSupported)

  @Test("agree with sums in Double at every activation and alignment", arguments: Storage.all)
  func naive(_ storage: Storage) {
    for (m, n, k) in MatmulTests.shapes {
      let (a, b) = (numbers(m * k), numbers(k * n, stream: 2, scale: 0.25))
      let bias = numbers(n, stream: 3)
      for activation in [Matmul.Activation.none, .relu, .tanh, .sigmoid] {
        for hasBias in [false, true] {
          let matmul = Matmul(
            rows: m, columns: n, depth: k, transposeLHS: storage.lhs, transposeRHS: storage.rhs,
            bias: hasBias, activation: activation)
          var expected: [Double] = []
          for i in 0..<m {
            for j in 0..<n {
              var sum = hasBias ? Double(bias[j]) : 0
              for l in 0..<k {
                sum +=
                  Double(a[storage.lhs ? l * m + i : i * k + l])
                  * Double(b[storage.rhs ? j * k + l : l * n + j])
              }
              expected.append(apply(activation, sum))
            }
          }
          var bits: Set<[UInt32]> = []
          for offset in [0, 1, 5] {
            let (x, y) = (Vector(a, offset: offset), Vector(b, offset: 3 - offset / 2))
            let (z, c) = (Vector(bias, offset: offset), Vector(count: m * n, offset: offset + 2))
            matmul.run(
              lhs: x.pointer, rhs: y.pointer, bias: hasBias ? z.pointer : nil, into: c.pointer)
            #expect(distance(c.values, expected) < 2e-6, "[\(m), \(k)]·[\(k), \(n)] \(activation)")
            #expect(c.isIntact)
            bits.insert(c.bits)
          }
          #expect(bits.count == 1, "alignment shows in [\(m), \(k)]·[\(k), \(n)]")
        }
      }
    }
  }

  @Test("are one chain an element, for 1 to 130 rows at every level", arguments: Storage.all)
  func rows(_ storage: Storage) {
    for (n, k) in [(1, 3), (37, 29), (67, 131)] {
      let b = numbers(k * n, stream: 2)
      for m in 1...130 where k < 100 || m % 9 == 4 {
        let a = numbers(m * k)
        let expected = storage.chains(a, b, rows: m, columns: n, depth: k)
        for level in MatmulTests.levels {
          let c = product(a, b, m, n, k, storage, level, offset: m % 5)
          #expect(c == expected, "[\(m), \(k)]·[\(k), \(n)] at \(level)")
        }
      }
    }
  }

  @Test(
    "are one chain an element where operands go in blocks", arguments: Storage.all,
    [
      (300, 65, 70), (3, 70, 1100), (40, 130, 1025), (130, 530, 40), (9, 9, 5000), (14, 2500, 850),
      (1030, 1025, 9),
    ])
  func blocks(_ storage: Storage, _ extents: (m: Int, n: Int, k: Int)) {
    let (m, n, k) = extents
    let (a, b) = (numbers(m * k), numbers(k * n, stream: 2))
    let expected = storage.chains(a, b, rows: m, columns: n, depth: k)
    for level in MatmulTests.levels {
      let c = product(a, b, m, n, k, storage, level, offset: 1)
      #expect(c == expected, "\(level)")
    }
  }

  @Test("of a row alone are those of the row among others, at every level", arguments: levels)
  func alone(level: InstructionSet) {
    let (m, n, k) = (83, 45, 77)
    let (a, b) = (numbers(m * k), numbers(k * n, stream: 2))
    for rhs in [false, true] {
      let storage = Storage(lhs: false, rhs: rhs)
      let all = product(a, b, m, n, k, storage, level, offset: 0)
      for i in 0..<m {
        let row = product(Array(a[i * k..<(i + 1) * k]), b, 1, n, k, storage, level, offset: i % 3)
        #expect(row == Array(all[i * n..<(i + 1) * n]), "row \(i)")
      }
    }
  }

  @Test("keep what is infinite or no number in its row and column", arguments: Storage.all)
  func nonFinite(_ storage: Storage) {
    let (m, n, k) = (21, 35, 19)
    var (a, b) = (numbers(m * k), numbers(k * n, stream: 2))
    a[40] = .nan
    a[123] = .infinity
    b[77] = -.infinity
    b[310] = .nan
    a[3] = -0.0
    b[5] = .greatestFiniteMagnitude
    let expected = storage.chains(a, b, rows: m, columns: n, depth: k)
    #expect(expected.contains(Float.nan.bitPattern))
    for level in MatmulTests.levels {
      #expect(product(a, b, m, n, k, storage, level, offset: 2) == expected, "\(level)")
    }
    let relu = Matmul(
      rows: m, columns: n, depth: k, transposeLHS: storage.lhs, transposeRHS: storage.rhs,
      bias: false, activation: .relu)
    let c = Vector(count: m * n)
    relu.run(lhs: a, rhs: b, bias: nil, into: c.pointer)
    #expect(zip(c.plainBits, expected).allSatisfy { ($0 == $1) || Float(bitPattern: $1) < 0 })
  }

  @Test("of negative zeros are +0, as chains begin at +0", arguments: levels)
  func zeros(level: InstructionSet) {
    let storage = Storage(lhs: false, rhs: true)
    let zeros = product([-0.0, 0], [1, 1], 2, 2, 1, storage, level, offset: 0)
    #expect(zeros == [0, 0, 0, 0])
  }

  @Test("without terms are the bias under the activation, without elements nothing")
  func empty() {
    let bias = Vector([-1, 0, 2])
    let c = Vector([9, 9, 9, 9, 9, 9])
    let matmul = Matmul(
      rows: 2, columns: 3, depth: 0, transposeLHS: false, transposeRHS: true, bias: true,
      activation: .relu)
    matmul.run(lhs: c.pointer, rhs: c.pointer, bias: bias.pointer, into: c.pointer)
    #expect(c.values == [0, 0, 2, 0, 0, 2])
    for storage in Storage.all {
      for (m, n) in [(0, 3), (3, 0)] {
        let none = Matmul(
          rows: m, columns: n, depth: 4, transposeLHS: storage.lhs, transposeRHS: storage.rhs,
          bias: true, activation: .none)
        none.run(lhs: c.pointer, rhs: c.pointer, bias: bias.pointer, into: c.pointer)
      }
    }
    #expect(c.values == [0, 0, 2, 0, 0, 2])
  }

  @Test(
    "apply activations within a few units of the last place",
    arguments: [(Matmul.Activation.tanh, 2.0), (.sigmoid, 6.0)])
  func activations(activation: Matmul.Activation, bound: Double) {
    let m = 4096
    let matmul = Matmul(
      rows: m, columns: 16, depth: 1, transposeLHS: false, transposeRHS: true, bias: false,
      activation: activation)
    let (ones, c) = (Vector([Float](repeating: 1, count: 16)), Vector(count: 16 * m))
    for scale in [Float(0.01), 1, 10, 85] {
      let x = Vector(numbers(m, scale: scale))
      matmul.run(lhs: x.pointer, rhs: ones.pointer, bias: nil, into: c.pointer)
      var worst = 0.0
      for i in 0..<m {
        let exact = apply(activation, Double(x.pointer[i]))
        let ulp = max(Float(exact).ulp, .leastNonzeroMagnitude)
        worst = max(worst, abs(Double(c.pointer[16 * i]) - exact) / Double(ulp))
      }
      #expect(worst <= bound, "\(activation) to \(scale)")
    }
  }

  /// Returns the bits of a product at a level, written between sentinels.
  private func product(
    _ a: [Float], _ b: [Float], _ m: Int, _ n: Int, _ k: Int, _ storage: Storage,
    _ level: InstructionSet, offset: Int
  ) -> [UInt32] {
    let (x, y) = (Vector(a, offset: offset), Vector(b, offset: 7 - offset))
    let c = Vector(count: m * n, offset: 2 * offset + 1)
    let matmul = Matmul(
      rows: m, columns: n, depth: k, transposeLHS: storage.lhs, transposeRHS: storage.rhs,
      bias: false, activation: .none, on: level)
    matmul.run(lhs: x.pointer, rhs: y.pointer, bias: nil, into: c.pointer)
    #expect(c.isIntact)
    return c.plainBits
  }

  private func apply(_ activation: Matmul.Activation, _ x: Double) -> Double {
    switch activation {
    case .none: x
    case .relu: max(x, 0)
    case .tanh: Foundation.tanh(x)
    case .sigmoid: 1 / (1 + Foundation.exp(-x))
    }
  }
}

import Foundation
import Kernels
import OneDNN
import Tensors
import Testing

@Suite("Matrix products")
struct MatmulTests {
  /// The layouts of both operands in memory.
  struct Storage: Sendable, CustomTestStringConvertible {
    let lhs: Bool
    let rhs: Bool
    var testDescription: String { (lhs ? "Aᵀ" : "A") + "·" + (rhs ? "Bᵀ" : "B") }
    static let all = [
      Storage(lhs: false, rhs: false), Storage(lhs: false, rhs: true),
      Storage(lhs: true, rhs: false),
      Storage(lhs: true, rhs: true),
    ]
  }

  static let shapes = [
    (1, 1, 1), (10, 8, 2), (10, 1, 8), (7, 9, 13), (15, 17, 16), (16, 16, 17), (17, 31, 33),
    (33, 2, 65), (2, 512, 3), (64, 10, 127), (16, 33, 100), (15, 20, 70),
  ]

  @Test("agree with sums in Double at every activation and alignment", arguments: Storage.all)
  func naive(_ storage: Storage) throws {
    for (m, n, k) in MatmulTests.shapes {
      let (a, b) = (numbers(m * k), numbers(k * n, stream: 2, scale: 0.25))
      let bias = numbers(n, stream: 3)
      for activation in [Matmul.Activation.none, .relu, .tanh, .sigmoid] {
        for hasBias in [false, true] {
          let matmul = try Matmul(
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

  @Test("without terms are the bias under the activation, without elements nothing")
  func empty() throws {
    let bias = Vector([-1, 0, 2])
    let c = Vector([9, 9, 9, 9, 9, 9])
    let matmul = try Matmul(
      rows: 2, columns: 3, depth: 0, transposeLHS: false, transposeRHS: true, bias: true,
      activation: .relu)
    matmul.run(lhs: c.pointer, rhs: c.pointer, bias: bias.pointer, into: c.pointer)
    #expect(c.values == [0, 0, 2, 0, 0, 2])
    let none = try Matmul(
      rows: 0, columns: 3, depth: 4, transposeLHS: false, transposeRHS: true, bias: true,
      activation: .none)
    none.run(lhs: c.pointer, rhs: c.pointer, bias: bias.pointer, into: c.pointer)
    #expect(c.values == [0, 0, 2, 0, 0, 2])
  }

  @Test("give every thread the same bits", arguments: [(128, 64, 300), (10, 8, 8), (64, 512, 10)])
  func threads(m: Int, n: Int, k: Int) async throws {
    let (a, b, bias) = (numbers(m * k), numbers(n * k, stream: 2), numbers(n, stream: 3))
    let results = try await withThrowingTaskGroup(of: [UInt32].self) { group in
      for _ in 0..<4 {
        group.addTask {
          prepareWorker()
          let matmul = try Matmul(
            rows: m, columns: n, depth: k, transposeLHS: false, transposeRHS: true, bias: true,
            activation: .tanh)
          let c = Vector(count: m * n)
          matmul.run(lhs: a, rhs: b, bias: bias, into: c.pointer)
          return c.bits
        }
      }
      return try await group.reduce(into: Set<[UInt32]>()) { $0.insert($1) }
    }
    #expect(results.count == 1)
  }

  @Test(
    "apply activations within the bounds stated for oneDNN",
    arguments: [(Matmul.Activation.tanh, 2.0), (.sigmoid, 6.0)])
  func fused(activation: Matmul.Activation, bound: Double) throws {
    let m = 4096
    let matmul = try Matmul(
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

  @Test("name the library, its instruction set and what it refuses")
  func library() {
    #expect(OneDNN.version().split(separator: ".").count == 3)
    #expect(!OneDNN.describeISA().isEmpty)
    do {
      _ = try MatmulPrimitive(
        rows: -1, columns: 2, depth: 3, transposeLHS: false, transposeRHS: false, bias: false,
        activation: .none)
      Issue.record("a negative extent was accepted")
    } catch {
      #expect(
        error.description
          == "product [-1, 3] · [3, 2]: dnnl_memory_desc_create: invalid_arguments")
    }
  }

  private func prepareWorker() { Kernels.prepareThread() }

  private func apply(_ activation: Matmul.Activation, _ x: Double) -> Double {
    switch activation {
    case .none: x
    case .relu: max(x, 0)
    case .tanh: Foundation.tanh(x)
    case .sigmoid: 1 / (1 + Foundation.exp(-x))
    }
  }
}

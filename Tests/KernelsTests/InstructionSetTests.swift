import Kernels
import Testing
import VectorKernels

@Suite("Instruction sets")
struct InstructionSetTests {
  /// Those of this CPU but the baseline, which the others are compared with.
  static let supported = InstructionSet.allCases.filter { $0.isSupported && $0 != .baseline }

  @Test("the baseline is always there, and the best is the last that is")
  func best() {
    #expect(InstructionSet.baseline.isSupported)
    #expect(InstructionSet.best == (InstructionSetTests.supported.last ?? .baseline))
  }

  @Test("give the bits of the baseline, at every count and alignment", arguments: supported)
  func bits(set: InstructionSet) {
    for count in extents + [1000] {
      for offset in [0, 3] {
        let (found, expected) = (
          results(set.kernels, count, offset), results(InstructionSet.baseline.kernels, count, 1)
        )
        for (index, values) in found.enumerated() {
          #expect(values == expected[index], "result \(index) of \(count)")
        }
      }
    }
  }

  /// What all kernels make of some numbers.
  private func results(
    _ kernels: any VectorKernels.Type, _ count: Int, _ offset: Int
  ) -> [[UInt32]] {
    let a = Vector(numbers(count, scale: 9), offset: offset)
    let b = Vector(numbers(count, stream: 2, scale: 9), offset: offset + 1)
    var all: [[UInt32]] = []
    func keep(_ body: (_ c: UnsafeMutablePointer<Float>) -> Void) {
      let c = Vector(count: count, offset: offset)
      body(c.pointer)
      #expect(c.isIntact)
      // A result that is not a number has no sign that counts.
      all.append(c.values.map { $0.isNaN ? Float.nan.bitPattern : $0.bitPattern })
    }
    keep { kernels.exp(a.pointer, into: $0, count: count) }
    keep { kernels.log(a.pointer, into: $0, count: count) }
    keep { kernels.expm1(a.pointer, into: $0, count: count) }
    keep { kernels.log1p(a.pointer, into: $0, count: count) }
    keep { kernels.softplus(a.pointer, into: $0, count: count) }
    keep { kernels.cap(a.pointer, at: 0.7, into: $0, count: count) }
    keep { kernels.square(a.pointer, into: $0, count: count) }
    keep { kernels.sigmoid(a.pointer, into: $0, count: count) }
    keep { kernels.erf(a.pointer, into: $0, count: count) }
    keep { kernels.tanh(a.pointer, into: $0, count: count) }
    keep { kernels.relu(a.pointer, into: $0, count: count) }
    keep { kernels.sqrt(a.pointer, into: $0, count: count) }
    keep { kernels.abs(a.pointer, into: $0, count: count) }
    keep { kernels.sign(a.pointer, into: $0, count: count) }
    keep { kernels.add(a.pointer, b.pointer, into: $0, count: count) }
    keep { kernels.subtract(a.pointer, b.pointer, into: $0, count: count) }
    keep { kernels.multiply(a.pointer, b.pointer, into: $0, count: count) }
    keep { kernels.reluGradient(a.pointer, output: b.pointer, into: $0, count: count) }
    keep { kernels.sigmoidGradient(a.pointer, output: b.pointer, into: $0, count: count) }
    keep { kernels.tanhGradient(a.pointer, output: b.pointer, into: $0, count: count) }
    keep { kernels.scale(a.pointer, by: 0.3, into: $0, count: count) }
    keep { kernels.power(a.pointer, 3, into: $0, count: count) }
    keep { kernels.power(a.pointer, -0.7, into: $0, count: count) }
    for columns in [1, 7, 10, 16, 17, 100] where columns <= count {
      let rows = count / columns
      let labels = UnsafeMutablePointer<Int32>.allocate(capacity: rows)
      defer { labels.deallocate() }
      for i in 0..<rows { labels[i] = Int32(i * 3 % columns) }
      keep { kernels.softmax(a.pointer, rows: rows, columns: columns, into: $0) }
      keep { kernels.logSoftmax(a.pointer, rows: rows, columns: columns, into: $0) }
      keep { kernels.logSumExp(a.pointer, rows: rows, columns: columns, into: $0) }
      keep {
        kernels.softmaxCrossEntropy(
          logits: a.pointer, labels: labels, rows: rows, classes: columns, into: $0)
      }
      keep {
        kernels.softmaxCrossEntropyGradient(
          cotangent: b.pointer, logits: a.pointer, labels: labels, rows: rows, classes: columns,
          losses: nil, into: $0)
      }
    }
    return all
  }
}

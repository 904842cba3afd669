import Kernels
import Numerics
import Testing

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

  @Test(
    "give every element the bits that the function of one number gives",
    arguments: InstructionSet.allCases.filter(\.isSupported))
  func numbersAlone(set: InstructionSet) {
    let functions: [(ElementCode, (Float) -> Float)] = [
      (.exp, Elementary.exp), (.expm1, Elementary.expm1), (.log, Elementary.log),
      (.log1p, Elementary.log1p), (.softplus, Elementary.softplus), (.tanh, Elementary.tanh),
      (.erf, Elementary.erf), (.sigmoid, Elementary.sigmoid),
    ]
    // A prime stride visits every exponent with other fractions each time.
    let floats = stride(from: 0, to: 1 << 32, by: 65_537).map { Float(bitPattern: UInt32($0)) }
    for (code, function) in functions {
      let c = Vector(count: floats.count)
      set.kernels.apply(code, 0, floats, floats, into: c.pointer, count: floats.count)
      let differ = zip(floats, c.values).first { x, y in
        let alone = function(x)
        return alone.bitPattern != y.bitPattern && !(alone.isNaN && y.isNaN)
      }
      #expect(differ == nil, "\(code)")
    }
  }

  /// Runs all kernels on some numbers and returns the bits of their results.
  private func results(
    _ kernels: VectorKernels, _ count: Int, _ offset: Int
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
    for code in ElementCode.allCases {
      for number in code == .power ? [3, -0.7] : [0.3] {
        keep { kernels.apply(code, number, a.pointer, b.pointer, into: $0, count: count) }
      }
    }
    for columns in [1, 3, 16, 17] where count % columns == 0 {
      let rows = count / columns
      let matrix = BroadcastMatrix(
        rows: rows, columns: columns, aStride: columns, bStride: 1, aIsColumn: false,
        bIsColumn: true)
      for code in [ElementCode.add, .divide, .maximum] {
        keep { kernels.apply(code, a.pointer, b.pointer, into: $0, over: matrix) }
        keep {
          kernels.apply(code, a.pointer, row: b.pointer, into: $0, rows: rows, columns: columns)
        }
      }
    }
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

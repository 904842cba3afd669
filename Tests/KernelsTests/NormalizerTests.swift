import Kernels
import Testing

@Suite("Normalisation kernels")
struct NormalizerTests {
  /// Rows alone, columns alone, and columns of several matrices, either side of blocks and vectors.
  static let shapes = [
    (1, 1, 1), (3, 2, 1), (2, 17, 1), (4, 513, 1), (2, 1600, 1), (1, 1, 5), (1, 31, 16),
    (1, 33, 17), (2, 64, 33), (3, 7, 48), (1, 1025, 15), (1, 2100, 32), (2, 1, 20),
  ]

  @Test("agree with Double, with a mean far from zero too", arguments: shapes)
  func formulas(outer: Int, middle: Int, inner: Int) {
    let (count, groups) = (outer * middle * inner, outer * inner)
    let epsilon = 1e-5
    for centre in [Float(0), 30] {
      let x = numbers(count).map { $0 + centre }
      let cotangent = numbers(count, stream: 2)
      let (scale, shift) = (numbers(groups, stream: 3), numbers(groups, stream: 4))
      var mean = Array(repeating: 0.0, count: groups)
      var variance = mean
      var (s, t) = (mean, mean)
      func group(_ i: Int) -> Int { i / (middle * inner) * inner + i % inner }
      for i in 0..<count { mean[group(i)] += Double(x[i]) / Double(middle) }
      for i in 0..<count {
        let deviation = Double(x[i]) - mean[group(i)]
        variance[group(i)] += deviation * deviation / Double(middle)
      }
      func normal(_ i: Int) -> Double {
        (Double(x[i]) - mean[group(i)]) / (variance[group(i)] + epsilon).squareRoot()
      }
      for i in 0..<count {
        s[group(i)] += Double(cotangent[i]) * normal(i)
        t[group(i)] += Double(cotangent[i])
      }
      let y = (0..<count).map { normal($0) * Double(scale[group($0)]) + Double(shift[group($0)]) }
      let d = (0..<count).map { i in
        let g = group(i)
        let inner =
          Double(cotangent[i]) - t[g] / Double(middle) - normal(i) * s[g] / Double(middle)
        return Double(scale[g]) / (variance[g] + epsilon).squareRoot() * inner
      }
      // The deviation of few elements around 30 is what is left of numbers rounded to 2e-6.
      let limit = centre == 0 ? 2e-6 : 1e-3
      var bits: [[UInt32]] = []
      for offset in [0, 5] {
        let normalizer = Normalizer(outer: outer, middle: middle, inner: inner, epsilon: epsilon)
        let images = Vector(x, offset: offset)
        let given = Vector(cotangent, offset: offset + 1)
        let (a, b) = (Vector(scale, offset: 1), Vector(shift, offset: offset))
        let (result, sums) = (
          Vector(count: count, offset: offset), Vector(count: groups, offset: 3)
        )
        let memory = (0..<5).map { Vector(count: groups, offset: $0) }
        let statistics = Normalizer.Statistics(
          means: memory[0].pointer, variances: memory[1].pointer, inverses: memory[2].pointer,
          share: memory[3].pointer, sums: memory[4].pointer)
        normalizer.variances(images.pointer, means: memory[0].pointer, into: sums.pointer)
        #expect(distance(sums.values, variance) < limit)
        normalizer.measure(images.pointer, into: statistics)
        normalizer.normalize(
          images.pointer, statistics, scale: a.pointer, shift: b.pointer, into: result.pointer)
        #expect(distance(result.values, y) < limit)
        var found = [result.bits]
        normalizer.scaleGradient(given.pointer, images.pointer, statistics, into: sums.pointer)
        #expect(distance(sums.values, s) < limit)
        let shifts = Vector(t.map { Float($0) })
        normalizer.inputGradient(
          given.pointer, images.pointer, statistics, scale: a.pointer, scaleGradient: sums.pointer,
          shiftGradient: shifts.pointer, into: result.pointer)
        if middle > 1 { #expect(distance(result.values, d) < limit) }
        #expect(result.isIntact && sums.isIntact && memory.allSatisfy(\.isIntact))
        found += [sums.bits, result.bits]
        bits.append(found.flatMap { $0 })
      }
      #expect(bits[0] == bits[1])
    }
  }
}

import Kernels
import Testing

@Suite("Tables of vectors")
struct EmbeddingTests {
  /// Numbers that name rows, some several times, and some that name none.
  private static let strange: [Float] = [-1, 0.5, .nan, .infinity, -.infinity, -0.25, 1e30]

  private func names(_ count: Int, below rows: Int) -> [Float] {
    (0..<count).map { i in
      i % 5 == 4 ? EmbeddingTests.strange[i / 5 % 7] : Float(i * 7919 % rows)
    }
  }

  @Test(
    "give the row that each number names, NaN for one that names none",
    arguments: [1, 2, 7, 16, 17], [1, 2, 13])
  func rows(units: Int, count: Int) {
    let table = Vector(numbers(count * units))
    for numberCount in [0, 1, 2, 31] {
      let indices = Vector(names(numberCount, below: count) + [-0.0, Float(count)])
      let found = Vector(count: indices.count * units)
      Embedding.rows(
        of: table.pointer, count: count, units: units, numbers: indices.pointer,
        numberCount: indices.count, into: found.pointer)
      for (i, number) in indices.values.enumerated() {
        let row = (0..<count).first { Float($0) == number }
        for unit in 0..<units {
          let value = found.pointer[i * units + unit]
          let expected = row.map { table.pointer[$0 * units + unit] } ?? .nan
          #expect(value == expected || value.isNaN && expected.isNaN, "number \(number)")
        }
      }
      #expect(found.isIntact)
    }
  }

  @Test(
    "add what comes back in the order of the numbers, nothing for those that name none",
    arguments: [1, 2, 7, 16, 17], [1, 2, 13])
  func sums(units: Int, count: Int) {
    for numberCount in [0, 1, 2, 31] {
      let indices = Vector(names(numberCount, below: count))
      let a = Vector(numbers(numberCount * units, stream: 2))
      let found = Vector(Array(repeating: 3, count: count * units))
      Embedding.sums(
        a.pointer, numbers: indices.pointer, numberCount: numberCount, count: count, units: units,
        into: found.pointer)
      var expected = [Float](repeating: 0, count: count * units)
      for (i, number) in indices.values.enumerated() {
        guard let row = (0..<count).first(where: { Float($0) == number }) else { continue }
        for unit in 0..<units { expected[row * units + unit] += a.pointer[i * units + unit] }
      }
      #expect(found.values == expected)
      #expect(found.isIntact)
    }
  }
}

import Kernels
import Testing

@Suite("Sums")
struct ReductionTests {
  @Test(
    "over an axis are right at every extent and alignment", arguments: [1, 2, 3, 16, 17, 33, 70])
  func sums(inner: Int) {
    for outer in [1, 3] {
      for middle in [0, 1, 2, 5, 15, 16, 17, 31, 32, 33, 65, 100, 1000] {
        let a = numbers(outer * middle * inner)
        var expected = [Double](repeating: 0, count: outer * inner)
        for i in 0..<outer {
          for j in 0..<middle {
            for k in 0..<inner {
              expected[i * inner + k] += 0.5 * Double(a[(i * middle + j) * inner + k])
            }
          }
        }
        var bits: [[UInt32]] = []
        for offset in [0, 1, 6] {
          let (x, c) = (Vector(a, offset: offset), Vector(count: outer * inner, offset: offset + 1))
          Reduction.sum(
            x.pointer, outer: outer, middle: middle, inner: inner, into: c.pointer, scale: 0.5)
          #expect(distance(c.values, expected) < 1e-6, "[\(outer), \(middle), \(inner)]")
          #expect(c.isIntact)
          bits.append(c.bits)
        }
        #expect(Set(bits).count == 1, "alignment shows in [\(outer), \(middle), \(inner)]")
      }
    }
  }

  @Test("of a column do not depend on the other columns")
  func columns() {
    for columns in [15, 16, 17, 32, 33, 49] {
      let a = numbers(100 * columns)
      let (x, all) = (Vector(a), Vector(count: columns))
      Reduction.sum(x.pointer, outer: 1, middle: 100, inner: columns, into: all.pointer)
      // Two columns of their own, as one would be a row.
      for j in [0, columns - 2] {
        let two = Vector((0..<200).map { a[$0 / 2 * columns + j + $0 % 2] })
        let sums = Vector(count: 2)
        Reduction.sum(two.pointer, outer: 1, middle: 100, inner: 2, into: sums.pointer)
        #expect(sums.bits == Array(all.bits[j..<j + 2]))
      }
    }
  }

  @Test("of a million alike lose nothing")
  func manyAlike() {
    let count = 1 << 20
    let x = Vector([Float](repeating: 0.1, count: count))
    let sum = Vector(count: 1)
    Reduction.sum(x.pointer, outer: 1, middle: count, inner: 1, into: sum.pointer)
    #expect(abs(Double(sum.values[0]) / (Double(Float(0.1)) * Double(count)) - 1) < 2e-6)
  }
}

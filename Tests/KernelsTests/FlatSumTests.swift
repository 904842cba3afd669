import Kernels
import Numerics
import Testing

@Suite("Sums of flat vectors")
struct FlatSumTests {
  @Test("add the right to the left", arguments: extents)
  func adding(count: Int) {
    let (a, b) = (Vector(numbers(count), offset: 1), Vector(numbers(count, stream: 2)))
    let expected = zip(a.values, b.values).map { $0 + $1 }
    FlatSum.add(a.pointer, b.pointer, count: count)
    #expect(a.values == expected)
    #expect(a.isIntact)
  }

  @Test(
    "of squares are those of the blocks in the tree of neighbours",
    arguments: [0, 1, 15, 16, 17, 4095, 4096, 4097, 12_288, 20_000, 70_001])
  func squares(count: Int) {
    let a = numbers(count)
    let exact = a.reduce(0.0) { $0 + Double($1) * Double($1) }
    let length = FlatSum.blockLength
    var results: Set<UInt64> = []
    for offset in [0, 1, 5] {
      let x = Vector(a, offset: offset)
      var level = stride(from: 0, to: count, by: length).map {
        FlatSum.sumOfSquares(ofBlock: x.pointer + $0, count: min(length, count - $0))
      }
      let whole = neighborTreeSum(level, count: level.count)
      #expect(abs(whole - exact) <= 1e-12 * exact)
      results.insert(whole.bitPattern)
      // The tree of DESIGN, written as it is stated: neighbours added, an odd one passed on.
      while level.count > 1 {
        level = stride(from: 0, to: level.count, by: 2).map {
          $0 + 1 < level.count ? level[$0] + level[$0 + 1] : level[$0]
        }
      }
      results.insert((level.first ?? 0).bitPattern)
    }
    #expect(results.count == 1)
  }

  @Test(
    "see one element that is not finite, wherever it stands", arguments: [1, 16, 17, 4097, 9000])
  func finite(count: Int) {
    let x = Vector(numbers(count, scale: 1.5e38), offset: 1)
    #expect(FlatSum.isFinite(x.pointer, count: count))
    for place in Set([0, count / 2, count - 1]) {
      for value in [Float.infinity, -.infinity, .nan] {
        let saved = x.pointer[place]
        x.pointer[place] = value
        #expect(!FlatSum.isFinite(x.pointer, count: count))
        x.pointer[place] = saved
      }
    }
    #expect(FlatSum.isFinite(x.pointer, count: 0))
  }
}

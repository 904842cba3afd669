import Kernels
import Numerics
import Testing

@Suite("Masks of dropout")
struct DropoutTests {
  @Test(
    "are 0 where the word of the element is below the threshold", arguments: extents + [64, 65])
  func words(columns: Int) {
    let draws = Draws(seed: 11, step: 4, firstRow: Int(UInt32.max) - 1)
    let threshold: UInt32 = 0x6000_0000
    for offset in [0, 1] {
      let mask = Vector(count: 3 * columns, offset: offset)
      Dropout.mask(
        rows: 3, columns: columns, threshold: threshold, scale: 1.6, stream: 21, draws: draws,
        into: mask.pointer)
      for index in 0..<3 * columns {
        let word = draws.word(at: index % columns, row: index / columns, stream: 21)
        #expect(mask.values[index] == (word < threshold ? 0 : 1.6))
      }
      #expect(mask.isIntact)
    }
  }

  @Test("have their rate, and differ by row, step, seed and stream")
  func rate() {
    func mask(_ draws: Draws, stream: UInt32 = 1) -> [Float] {
      let mask = Vector(count: 100 * 200)
      Dropout.mask(
        rows: 100, columns: 200, threshold: UInt32(0.3 * 0x1p31) << 1, scale: 1, stream: stream,
        draws: draws, into: mask.pointer)
      return mask.values
    }
    let first = mask(Draws(seed: 1, step: 1))
    // 20,000 draws: a standard deviation of 0.0032.
    #expect(abs(Double(first.count { $0 == 0 }) / 20_000 - 0.3) < 0.01)
    #expect(mask(Draws(seed: 1, step: 1)) == first)
    #expect(Array(first[..<200]) != Array(first[200..<400]))
    #expect(mask(Draws(seed: 1, step: 2)) != first)
    #expect(mask(Draws(seed: 2, step: 1)) != first)
    #expect(mask(Draws(seed: 1, step: 1), stream: 2) != first)
    // A row's mask does not depend on which rows are computed with it.
    #expect(
      Array(mask(Draws(seed: 1, step: 1, firstRow: 40))[..<200]) == Array(first[8000..<8200]))
  }
}

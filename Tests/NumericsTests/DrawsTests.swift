import Numerics
import Testing

@Suite("Draws of a step")
struct DrawsTests {
  @Test("sixteen counters at once give what each gives alone", arguments: [0, 3, UInt32.max - 5])
  func sixteen(first: UInt32) {
    let philox = Philox(seed: 0x1234_5678_9ABC_DEF0)
    let words = philox.sixteen(from: first, 7, 0xFFFF_FFFF, 0x8000_0001)
    for lane in 0..<16 {
      let alone = philox.bits(first &+ UInt32(lane), 7, 0xFFFF_FFFF, 0x8000_0001)
      #expect(SIMD4(words.0[lane], words.1[lane], words.2[lane], words.3[lane]) == alone)
    }
  }

  @Test("elements of a row are the words of neighbouring counters")
  func words() {
    let draws = Draws(seed: 5, step: 9, firstRow: 100)
    let philox = Philox(seed: 5)
    #expect(draws.word(at: 0, row: 0, stream: 3) == philox.bits(0, 100, 9, 3)[0])
    #expect(draws.word(at: 15, row: 2, stream: 3) == philox.bits(15, 102, 9, 3)[0])
    #expect(draws.word(at: 16, row: 2, stream: 3) == philox.bits(0, 102, 9, 3)[1])
    #expect(draws.word(at: 63, row: 2, stream: 3) == philox.bits(15, 102, 9, 3)[3])
    #expect(draws.word(at: 64, row: 2, stream: 3) == philox.bits(16, 102, 9, 3)[0])
  }

  @Test("no two elements of a step share a word")
  func different() {
    let draws = Draws(seed: 1, step: 2, firstRow: 3)
    var seen: Set<UInt32> = []
    for row in 0..<20 {
      for element in 0..<500 { seen.insert(draws.word(at: element, row: row, stream: 1)) }
    }
    // By chance about one in a hundred draws of this many words has two alike.
    #expect(seen.count > 9_997)
  }
}

// Masks of dropout: random words compared with a threshold.

public import Numerics

/// The kernel of dropout masks.
public enum Dropout {
  /// Writes 0 for each element whose random word is below a threshold, else a scale.
  ///
  /// - Parameters:
  ///   - rows: The rows, placed in the global batch one after another.
  ///   - columns: The elements of a row, numbered as they lie.
  ///   - threshold: The least word that keeps an element; even.
  ///   - scale: The value of a kept element.
  ///   - stream: The stream of the words.
  ///   - draws: The step, and the place of the first row.
  ///   - mask: `rows · columns` elements.
  /// - Complexity: One call of Philox for four elements; no allocation.
  public static func mask(
    rows: Int, columns: Int, threshold: UInt32, scale: Float, stream: UInt32, draws: Draws,
    into mask: UnsafeMutablePointer<Float>
  ) {
    precondition(threshold % 2 == 0, "an odd threshold, \(threshold)")
    let philox = Philox(seed: draws.seed)
    for row in 0..<rows {
      let position = draws.firstRow &+ UInt32(truncatingIfNeeded: row)
      let start = mask + row &* columns
      var (place, counter) = (0, UInt32(0))
      while place < columns {
        let words = philox.sixteen(from: counter, position, draws.step, stream)
        counter &+= 16
        if place &+ 64 <= columns {
          store(kept(words.0, threshold, scale), start + place)
          store(kept(words.1, threshold, scale), start + place + 16)
          store(kept(words.2, threshold, scale), start + place + 32)
          store(kept(words.3, threshold, scale), start + place + 48)
        } else {
          let kept = (
            kept(words.0, threshold, scale), kept(words.1, threshold, scale),
            kept(words.2, threshold, scale), kept(words.3, threshold, scale)
          )
          let (next, left) = (start + place, columns &- place)
          store(kept.0, next, first: min(left, 16))
          if left > 16 { store(kept.1, next + 16, first: min(left &- 16, 16)) }
          if left > 32 { store(kept.2, next + 32, first: min(left &- 32, 16)) }
          if left > 48 { store(kept.3, next + 48, first: left &- 48) }
        }
        place &+= 64
      }
    }
  }

  /// By the sign of a difference, since comparisons of lanes are taken apart by the compiler.
  @inline(__always)
  private static func kept(
    _ words: SIMD16<UInt32>, _ threshold: UInt32, _ scale: Float
  ) -> Lanes {
    let half = unsafeBitCast(words &>> SIMD16(repeating: 1), to: SIMD16<Int32>.self)
    let difference = half &- SIMD16(repeating: Int32(bitPattern: threshold >> 1))
    let isBelow = difference &>> SIMD16(repeating: 31)
    let bits = SIMD16<Int32>(repeating: Int32(bitPattern: scale.bitPattern))
    return Lanes(bits: bits & ~isBelow)
  }
}

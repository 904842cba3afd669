// The order of rows in an epoch, and the split of rows in two: pure functions, no lists.

internal import Numerics

/// The order in which an epoch visits rows: a pure function of (seed, epoch, index).
///
/// A permutation in O(1) memory: a Feistel network over the numbers of the fewest bits that hold all
/// rows, applied again while its result is no row (cycle walking). Any rank can compute any index. For up to
/// 32 rows, where the halves of the network are too narrow to make all orders equally likely, rows are drawn
/// one by one.
/// Sources: Black and Rogaway, *Ciphers with Arbitrary Finite Domains* (2002), method 2 and 3,
/// https://doi.org/10.1007/3-540-45760-7_9; Durstenfeld, *Algorithm 235: Random permutation* (1964),
/// https://doi.org/10.1145/364520.364540; keys and draws from Philox.
public struct RowOrder: Hashable, Sendable {
  /// The number of rows.
  public let count: Int
  private let bijection: Bijection?

  /// Creates the order of one epoch.
  ///
  /// - Parameters:
  ///   - count: The number of rows.
  ///   - seed: The seed of the run.
  ///   - epoch: The number of the epoch.
  ///   - shuffle: False for the order of the file, in every epoch.
  public init(count: Int, seed: UInt64, epoch: Int, shuffle: Bool = true) {
    self.count = count
    bijection =
      shuffle
      ? Bijection(count: count, seed: seed, epoch: epoch, stream: randomStream("shuffle")) : nil
  }

  /// The row at a position of the epoch.
  ///
  /// - Complexity: O(1): a lookup in the list, or fewer than two passes of eight rounds on average, about 20 ns.
  public subscript(index: Int) -> Int {
    precondition(0 <= index && index < count, "index \(index) of \(count) rows")
    guard let bijection else { return index }
    return bijection[index]
  }
}

/// A subset of the rows of a data set, by position in the subset.
public struct RowSelection: Hashable, Sendable {
  /// The number of rows selected.
  public let count: Int
  /// The position of the first row in the bijection; nil there means the rows in file order.
  private let start: Int
  private let bijection: Bijection?

  /// Returns the selection of all rows, in file order.
  public static func all(of count: Int) -> RowSelection {
    RowSelection(count: count, start: 0, bijection: nil)
  }

  /// Splits rows in two at random, the same way for the whole run.
  ///
  /// - Parameters:
  ///   - count: The number of rows, at least 2.
  ///   - fraction: The fraction for validation; rounded to whole rows, at least one on either side.
  ///   - seed: The seed of the run.
  /// - Returns: The rows to train on and the rows to validate on; every row is in exactly one of them.
  /// - Throws: ``DatasetError/badFraction(found:rows:)``.
  public static func split(
    _ count: Int, validation fraction: Double, seed: UInt64
  ) throws(DatasetError) -> (train: RowSelection, validation: RowSelection) {
    guard fraction > 0, fraction < 1, count >= 2 else {
      throw .badFraction(found: fraction, rows: count)
    }
    let validation = min(max(1, Int((fraction * Double(count)).rounded())), count - 1)
    let bijection = Bijection(
      count: count, seed: seed, epoch: 0, stream: randomStream("validation"))
    return (
      RowSelection(count: count - validation, start: validation, bijection: bijection),
      RowSelection(count: validation, start: 0, bijection: bijection)
    )
  }

  /// The row at a position of the selection.
  ///
  /// - Complexity: O(1).
  public subscript(index: Int) -> Int {
    precondition(0 <= index && index < count, "index \(index) of \(count) selected rows")
    guard let bijection else { return start + index }
    return bijection[start + index]
  }
}

/// A keyed permutation of `0..<count`.
private struct Bijection: Hashable, Sendable {
  let count: Int
  /// The numbers of bits of the low and the high part: together the fewest that hold `count − 1`, at least 2.
  private let lowBits: UInt64
  private let highBits: UInt64
  private let keys: SIMD8<UInt64>
  /// The order itself, for few rows.
  private let list: SIMD32<UInt8>

  /// The maximum number of rows whose order is drawn row by row.
  private static let listLimit = 32

  init(count: Int, seed: UInt64, epoch: Int, stream: UInt32) {
    precondition(count > 0, "no rows to order")
    self.count = count
    // Two bits at least: each part needs one.
    let bits = UInt64(max(2, Int.bitWidth - (count - 1).leadingZeroBitCount))
    lowBits = bits / 2
    highBits = bits - bits / 2
    let philox = Philox(seed: seed)
    var keys: SIMD8<UInt64> = .zero
    for round in 0..<8 {
      let bits = philox.bits(UInt32(round), 0, UInt32(truncatingIfNeeded: epoch), stream)
      keys[round] = UInt64(bits[0]) | UInt64(bits[1]) << 32
    }
    self.keys = keys
    list = count <= Bijection.listLimit ? Bijection.list(count, philox, epoch, stream) : .zero
  }

  /// Draws each row from the remaining ones with equal probability: ⌊(their number) · word / 2³²⌋.
  ///
  /// Probabilities differ from the exact ones by a factor within 2⁻²⁷ of 1.
  private static func list(
    _ count: Int, _ philox: Philox, _ epoch: Int, _ stream: UInt32
  ) -> SIMD32<UInt8> {
    var list = SIMD32<UInt8>()
    for row in 0..<count { list[row] = UInt8(row) }
    for position in 0..<count - 1 {
      let words = philox.bits(
        UInt32(position / 4), 1, UInt32(truncatingIfNeeded: epoch), stream)
      let chosen = position + Int((UInt64(words[position % 4]) * UInt64(count - position)) >> 32)
      (list[position], list[chosen]) = (list[chosen], list[position])
    }
    return list
  }

  subscript(index: Int) -> Int {
    guard count > Bijection.listLimit else { return Int(list[index]) }
    var value = UInt64(index)
    repeat { value = permute(value) } while value >= UInt64(count)
    return Int(value)
  }

  /// Applies eight rounds; the parts swap in each, so their widths are restored after an even number.
  @inline(__always)
  private func permute(_ value: UInt64) -> UInt64 {
    var (width, otherWidth) = (highBits, lowBits)
    var (high, low) = (value >> lowBits, value & (1 << lowBits - 1))
    for round in 0..<8 {
      (high, low) = (low, high ^ (mix(low ^ keys[round]) & (1 << width - 1)))
      (width, otherWidth) = (otherWidth, width)
    }
    return high << lowBits | low
  }

  /// Applies variant 13 of Stafford's 64-bit finalisers, as in SplitMix64.
  @inline(__always)
  private func mix(_ x: UInt64) -> UInt64 {
    var x = x &+ 0x9E37_79B9_7F4A_7C15
    x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
    x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
    return x ^ (x >> 31)
  }
}

// The counter-based random numbers behind initial values, the order of rows and noise.

/// The Philox 4x32-10 generator: a pure function from a key and a counter to 128 random bits.
///
/// Nothing is carried from one draw to the next, so any element of any stream can be computed by any
/// rank, in any order, at the cost of one call.
/// Source: Salmon, Moraes, Dror and Shaw, *Parallel Random Numbers: As Easy as 1, 2, 3* (2011),
/// https://doi.org/10.1145/2063384.2063405.
public struct Philox: Sendable, Hashable {
  let key: (UInt32, UInt32)

  /// Creates the generator whose key is `seed`.
  public init(seed: UInt64) {
    key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
  }

  /// Returns the 128 bits at a counter.
  ///
  /// - Complexity: ten rounds of two multiplications; no allocation.
  public func bits(_ c0: UInt32, _ c1: UInt32, _ c2: UInt32, _ c3: UInt32) -> SIMD4<UInt32> {
    var (x0, x1, x2, x3) = (c0, c1, c2, c3)
    var (k0, k1) = key
    for _ in 0..<10 {
      let p0 = UInt64(x0) &* 0xD251_1F53
      let p1 = UInt64(x2) &* 0xCD9E_8D57
      (x0, x1, x2, x3) = (
        UInt32(truncatingIfNeeded: p1 >> 32) ^ x1 ^ k0, UInt32(truncatingIfNeeded: p1),
        UInt32(truncatingIfNeeded: p0 >> 32) ^ x3 ^ k1, UInt32(truncatingIfNeeded: p0)
      )
      k0 &+= 0x9E37_79B9
      k1 &+= 0xBB67_AE85
    }
    return SIMD4(x0, x1, x2, x3)
  }

  /// Returns true if two generators have the same seed.
  public static func == (lhs: Philox, rhs: Philox) -> Bool { lhs.key == rhs.key }

  /// Feeds the seed into a hasher.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(key.0)
    hasher.combine(key.1)
  }
}

/// The number of a random stream, from what it is for.
///
/// 32-bit FNV-1a over the UTF-8 bytes of `purpose`, a zero byte, and `name`. It is written into
/// what a seed means, so it never changes.
///
/// - Parameters:
///   - purpose: The purpose of the numbers, such as `initial value`.
///   - name: The layer or parameter they belong to, empty for the whole run.
/// - Returns: The last word of the counter.
public func randomStream(_ purpose: String, _ name: String = "") -> UInt32 {
  var hash: UInt32 = 0x811C_9DC5
  for byte in Array(purpose.utf8) + [0] + Array(name.utf8) {
    hash = (hash ^ UInt32(byte)) &* 0x0100_0193
  }
  return hash
}

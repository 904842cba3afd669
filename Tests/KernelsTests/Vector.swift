import Numerics

/// A buffer for tests that stands at a chosen offset from a cache line, between sentinels.
final class Vector {
  /// The first element.
  let pointer: UnsafeMutablePointer<Float>
  let count: Int
  private let memory: UnsafeMutablePointer<Float>
  private let length: Int
  private static let margin = 32
  private static let sentinel = Float(bitPattern: 0x7FC1_2345)

  init(count: Int, offset: Int = 0) {
    length = count + offset + 2 * Vector.margin
    memory = UnsafeMutableRawPointer.allocate(byteCount: length * 4, alignment: 64)
      .bindMemory(to: Float.self, capacity: length)
    memory.initialize(repeating: Vector.sentinel, count: length)
    pointer = memory + Vector.margin + offset
    self.count = count
    for i in 0..<count { pointer[i] = 0 }
  }

  convenience init(_ values: [Float], offset: Int = 0) {
    self.init(count: values.count, offset: offset)
    for (i, value) in values.enumerated() { pointer[i] = value }
  }

  deinit { memory.deallocate() }

  var values: [Float] { (0..<count).map { pointer[$0] } }
  var bits: [UInt32] { values.map(\.bitPattern) }

  /// True if nothing was written before the first element or after the last.
  var isIntact: Bool {
    let first = pointer - memory
    return (0..<length).allSatisfy {
      (first..<first + count).contains($0) || memory[$0].bitPattern == Vector.sentinel.bitPattern
    }
  }
}

/// Extents at which vector code goes wrong: 0, 1, 2, primes, and one either side of vector widths.
let extents = [0, 1, 2, 3, 5, 7, 8, 9, 13, 15, 16, 17, 31, 32, 33, 47, 49, 127]

/// Numbers uniform in −2 ..< 2, the same in every run.
func numbers(_ count: Int, stream: UInt32 = 1, scale: Float = 2) -> [Float] {
  let draws = RandomDraws(seed: 7, stream: stream)
  return (0..<count).map { draws.uniform(at: $0, from: -scale, to: scale) }
}

/// The largest difference of two lists, relative to the largest magnitude, 1 at least.
func distance(_ a: [Float], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  var worst = 0.0
  for (x, y) in zip(a, b) {
    let error = abs(Double(x) - y)
    if error.isNaN { return .infinity }
    worst = max(worst, error)
  }
  return worst / max(b.map(abs).max() ?? 0, 1)
}

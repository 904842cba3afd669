// Sixteen floats at a time over pointers: what the loops of all kernels are made of.

/// The vector of the kernels: one AVX-512 register, two of AVX2, four of SSE or NEON.
typealias Lanes = SIMD16<Float>

/// The number of floats in ``Lanes``.
let laneCount = 16

extension SIMD16<Float> {
  /// The lanes with these bit patterns.
  @inline(__always)
  init(bits: SIMD16<Int32>) { self = unsafeBitCast(bits, to: SIMD16<Float>.self) }

  /// `yes` in the lanes where `x < y`, `no` elsewhere, also where either is not a number.
  @inline(__always)
  static func choose(_ yes: Lanes, where x: Lanes, isBelow y: Lanes, else no: Lanes) -> Lanes {
    no.replacing(with: yes, where: x .< y)
  }
}

/// Loads sixteen floats from any address.
@inline(__always)
func load(_ p: UnsafePointer<Float>) -> Lanes {
  UnsafeRawPointer(p).loadUnaligned(as: Lanes.self)
}

/// Stores sixteen floats at any address.
@inline(__always)
func store(_ x: Lanes, _ p: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(p).storeBytes(of: x, as: Lanes.self)
}

/// Loads sixteen floats or fewer; the other lanes are `filler`.
@inline(__always)
func load(_ p: UnsafePointer<Float>, first count: Int, filler: Float = 0) -> Lanes {
  var x = Lanes(repeating: filler)
  withUnsafeMutableBytes(of: &x) { copy(UnsafeRawPointer(p), to: $0.baseAddress, floats: count) }
  return x
}

/// Stores the first lanes, sixteen or fewer.
@inline(__always)
func store(_ x: Lanes, _ p: UnsafeMutablePointer<Float>, first count: Int) {
  withUnsafeBytes(of: x) {
    guard let lanes = $0.baseAddress else { return }
    copy(lanes, to: UnsafeMutableRawPointer(p), floats: count)
  }
}

/// Copies up to sixteen floats as two pieces that may overlap: half the time of memmove.
@inline(__always)
private func copy(
  _ a: UnsafeRawPointer, to destination: UnsafeMutableRawPointer?, floats count: Int
) {
  guard let c = destination else { return }
  @inline(__always) func pieces<Piece: BitwiseCopyable>(_ type: Piece.Type, _ floats: Int) {
    let rest = (count &- floats) &* 4
    let (first, last) = (a.loadUnaligned(as: type), a.loadUnaligned(fromByteOffset: rest, as: type))
    c.storeBytes(of: first, as: type)
    c.storeBytes(of: last, toByteOffset: rest, as: type)
  }
  if count >= 8 {
    pieces(SIMD8<Float>.self, 8)
  } else if count >= 4 {
    pieces(SIMD4<Float>.self, 4)
  } else if count >= 2 {
    pieces(SIMD2<Float>.self, 2)
  } else if count == 1 {
    pieces(Float.self, 1)
  }
}

/// The reading and writing of sixteen elements, or of the fewer that are left.
protocol Access {
  func read(_ p: UnsafePointer<Float>) -> Lanes
  func write(_ x: Lanes, _ p: UnsafeMutablePointer<Float>)
}

/// All sixteen.
struct AllLanes: Access {
  @inline(__always) func read(_ p: UnsafePointer<Float>) -> Lanes { load(p) }
  @inline(__always) func write(_ x: Lanes, _ p: UnsafeMutablePointer<Float>) { store(x, p) }
}

/// The first of them.
struct FirstLanes: Access {
  let count: Int
  @inline(__always) func read(_ p: UnsafePointer<Float>) -> Lanes { load(p, first: count) }
  @inline(__always) func write(_ x: Lanes, _ p: UnsafeMutablePointer<Float>) {
    store(x, p, first: count)
  }
}

/// The sum of the lanes in a fixed tree: eight plus eight, four plus four, and so on.
@inline(__always)
func laneSum(_ x: Lanes) -> Float {
  let x8 = x.lowHalf + x.highHalf
  let x4 = x8.lowHalf + x8.highHalf
  let x2 = x4.lowHalf + x4.highHalf
  return x2[0] + x2[1]
}

/// The larger of each lane; `b` where either is not a number.
@inline(__always)
func larger(_ a: Lanes, _ b: Lanes) -> Lanes {
  Lanes.choose(a, where: b, isBelow: a, else: b)
}

/// Applies a function of one argument to `count` elements; `into` may be the operand itself.
///
/// The last sixteen elements are read before anything is written and written last, so that the
/// vector that holds the rest may overlap the one before, also in place.
@inline(__always)
func forEachLanes(
  _ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>, count: Int,
  _ apply: (Lanes) -> Lanes
) {
  guard count >= laneCount else {
    guard count > 0 else { return }
    store(apply(load(a, first: count)), c, first: count)
    return
  }
  let last = count &- laneCount
  let rest = apply(load(a + last))
  var i = 0
  while i < last {
    store(apply(load(a + i)), c + i)
    i &+= laneCount
  }
  store(rest, c + last)
}

/// Applies a function of two arguments to `count` elements; `into` may be either operand.
@inline(__always)
func forEachLanes(
  _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
  count: Int, _ apply: (Lanes, Lanes) -> Lanes
) {
  guard count >= laneCount else {
    guard count > 0 else { return }
    store(apply(load(a, first: count), load(b, first: count)), c, first: count)
    return
  }
  let last = count &- laneCount
  let rest = apply(load(a + last), load(b + last))
  var i = 0
  while i < last {
    store(apply(load(a + i), load(b + i)), c + i)
    i &+= laneCount
  }
  store(rest, c + last)
}

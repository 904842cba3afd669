// Sums in a fixed order: what every kernel that adds many elements stands on.

/// Sixteen terms of a sum at a time.
protocol LaneTerms {
  /// The terms from `i` on.
  func lanes(at i: Int) -> Lanes
  /// The terms from `i` on, of which only the first `count` exist; the others are zero.
  func lanes(at i: Int, first count: Int) -> Lanes
}

/// The elements themselves.
struct Elements: LaneTerms {
  let a: UnsafePointer<Float>
  @inline(__always) func lanes(at i: Int) -> Lanes { load(a + i) }
  @inline(__always) func lanes(at i: Int, first count: Int) -> Lanes { load(a + i, first: count) }
}

/// The squares of the elements.
struct Squares: LaneTerms {
  let a: UnsafePointer<Float>
  @inline(__always) func lanes(at i: Int) -> Lanes {
    let x = load(a + i)
    return x * x
  }
  @inline(__always) func lanes(at i: Int, first count: Int) -> Lanes {
    let x = load(a + i, first: count)
    return x * x
  }
}

/// The squares of the differences of two vectors.
struct SquaredDifferences: LaneTerms {
  let a: UnsafePointer<Float>
  let b: UnsafePointer<Float>
  @inline(__always) func lanes(at i: Int) -> Lanes {
    let x = load(a + i) - load(b + i)
    return x * x
  }
  @inline(__always) func lanes(at i: Int, first count: Int) -> Lanes {
    let x = load(a + i, first: count) - load(b + i, first: count)
    return x * x
  }
}

/// The elements of a leaf of ``orderedSum(_:count:)``: 32 vectors.
private let leafLength = 32 * laneCount

/// The sum of the first `count` terms.
///
/// Term i goes to lane i mod 16; a lane adds 32 terms in order into a leaf, leaves are added in the
/// tree of neighbours (an odd one is passed on), the lanes at last in halves. So the order follows
/// from the count alone, and the error grows with its logarithm.
@inline(__always)
func orderedSum<Terms: LaneTerms>(_ terms: Terms, count: Int) -> Float {
  laneSum(count <= leafLength ? leafSum(terms, from: 0, count) : treeSum(terms, from: 0, count))
}

@inline(__always)
private func leafSum<Terms: LaneTerms>(_ terms: Terms, from start: Int, _ count: Int) -> Lanes {
  var sum = Lanes(repeating: 0)
  var i = start
  let end = start &+ count
  while i &+ laneCount <= end {
    sum = sum + terms.lanes(at: i)
    i &+= laneCount
  }
  if i < end { sum = sum + terms.lanes(at: i, first: end &- i) }
  return sum
}

@inline(never)
private func treeSum<Terms: LaneTerms>(_ terms: Terms, from start: Int, _ count: Int) -> Lanes {
  guard count > leafLength else { return leafSum(terms, from: start, count) }
  let left = powerOfTwo(below: (count &+ leafLength &- 1) / leafLength) &* leafLength
  return treeSum(terms, from: start, left)
    + treeSum(terms, from: start &+ left, count &- left)
}

/// The largest power of two below `count`, which is 2 or more: where a tree of neighbours splits.
@inline(__always)
func powerOfTwo(below count: Int) -> Int {
  1 &<< (Int.bitWidth &- 1 &- (count &- 1).leadingZeroBitCount)
}

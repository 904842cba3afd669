// Two operands of different shapes: how their axes line up, and the loops over them.

import Numerics
public import Tensors

/// What a broadcast combines its operands with.
public enum Broadcast {
  /// An elementwise operation of two operands.
  public enum Operation: Hashable, Sendable {
    /// `a + b`.
    case add
    /// `a − b`.
    case subtract
    /// `a · b`.
    case multiply
    /// `a / b`.
    case divide
    /// `max(a, b)`, NaN where either is.
    case maximum
  }

  /// Adds one row to each row of a matrix, in place.
  @inline(never)
  static func addRow(
    _ row: UnsafePointer<Float>, to c: UnsafeMutablePointer<Float>, rows: Int, columns: Int
  ) {
    combineRows(c, row, into: c, rows: rows, columns: columns) { $0 + $1 }
  }

  /// Combines each row of `a`, `[rows, columns]`, with `row`; `c` may be `a`.
  @inline(__always)
  static func combineRows(
    _ a: UnsafePointer<Float>, _ row: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
    rows: Int, columns: Int, _ apply: (Lanes, Lanes) -> Lanes
  ) {
    guard columns < laneCount, rows > 1 else {
      for i in 0..<rows {
        forEachLanes(a + i &* columns, row, into: c + i &* columns, count: columns, apply)
      }
      return
    }
    // Narrow rows: sixteen of them are a whole number of vectors, so the row is written out sixteen
    // times (at most 960 bytes, on the stack) and the matrix is taken as one run of elements.
    let period = columns &* laneCount
    withUnsafeTemporaryAllocation(of: Float.self, capacity: laneCount * laneCount) { repeated in
      guard let pattern = repeated.baseAddress else { return }
      let count = rows &* columns
      for i in 0..<min(rows, laneCount) {
        for j in 0..<columns { pattern[i &* columns &+ j] = row[j] }
      }
      var start = 0
      while start < count {
        forEachLanes(
          a + start, pattern, into: c + start, count: min(period, count &- start), apply)
        start &+= period
      }
    }
  }
}

/// How the axes of two operands line up under NumPy's rules of broadcasting.
///
/// Made once from two shapes, then run any number of times. Neighbouring axes on which both operands
/// advance alike are one axis here, so the usual cases have one or two.
/// Source: https://numpy.org/doc/stable/user/basics.broadcasting.html.
public struct BroadcastPlan: Sendable {
  /// The shape of the result.
  public let shape: Shape
  /// The number of axes left, at least 1.
  private let axisCount: Int
  /// The length of each axis left, and by how much each operand advances along it: 0 repeats.
  private let extents: SIMD8<Int>
  private let aStrides: SIMD8<Int>
  private let bStrides: SIMD8<Int>

  /// The most axes that two shapes may differ on after neighbours have been joined.
  private static let limit = 8

  /// Lines up two shapes.
  ///
  /// - Parameters:
  ///   - a: The shape of the first operand.
  ///   - b: The shape of the second; from the last axis on, extents are equal or one of them is 1.
  public init(_ a: Shape, _ b: Shape) {
    let axes = max(a.axisCount, b.axisCount)
    var extents: [Int] = []
    var joined: [(extent: Int, a: Int, b: Int)] = []
    var (aStride, bStride) = (1, 1)
    for fromLast in 1...max(axes, 1) {
      let aExtent = fromLast <= a.axisCount ? a[a.axisCount - fromLast] : 1
      let bExtent = fromLast <= b.axisCount ? b[b.axisCount - fromLast] : 1
      precondition(
        aExtent == bExtent || aExtent == 1 || bExtent == 1, "shapes \(a) and \(b) do not broadcast")
      let extent = aExtent == 1 ? bExtent : aExtent
      if fromLast <= axes { extents.append(extent) }
      let axis = (
        extent: extent, a: aExtent == 1 ? 0 : aStride, b: bExtent == 1 ? 0 : bStride
      )
      aStride *= aExtent
      bStride *= bExtent
      guard extent != 1 else { continue }
      if let inner = joined.last, axis.a == inner.a * inner.extent,
        axis.b == inner.b * inner.extent
      {
        joined[joined.count - 1].extent *= extent
      } else {
        joined.append(axis)
      }
    }
    if joined.isEmpty { joined.append((extent: 1, a: 1, b: 1)) }
    precondition(joined.count <= BroadcastPlan.limit, "too many axes to broadcast \(a) and \(b)")
    shape = Shape(extents.reversed())
    axisCount = joined.count
    var (sizes, aSteps, bSteps) = (SIMD8<Int>(), SIMD8<Int>(), SIMD8<Int>())
    for (i, axis) in joined.reversed().enumerated() {
      sizes[i] = axis.extent
      aSteps[i] = axis.a
      bSteps[i] = axis.b
    }
    (self.extents, aStrides, bStrides) = (sizes, aSteps, bSteps)
  }

  /// Combines two operands of the plan's shapes.
  ///
  /// - Parameters:
  ///   - operation: What combines two elements.
  ///   - a: The first operand.
  ///   - b: The second.
  ///   - c: Where the result goes; may be an operand that has the result's shape.
  /// - Complexity: one pass over the result; allocates nothing.
  public func run(
    _ operation: Broadcast.Operation, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>
  ) {
    switch operation {
    case .add: run(a, b, into: c) { $0 + $1 }
    case .subtract: run(a, b, into: c) { $0 - $1 }
    case .multiply: run(a, b, into: c) { $0 * $1 }
    case .divide: run(a, b, into: c) { $0 / $1 }
    case .maximum:
      let half = Lanes(repeating: 0.5)
      run(a, b, into: c) { a, b in
        // Equal, or not numbers.
        let rest = a * half + b * half
        return Lanes.choose(
          b, where: a, isBelow: b, else: Lanes.choose(a, where: b, isBelow: a, else: rest))
      }
    }
  }

  /// Copies the first operand to the shape of the result.
  ///
  /// - Parameters:
  ///   - a: The first operand.
  ///   - c: Where the result goes.
  /// - Complexity: one pass over the result; allocates nothing.
  public func expand(_ a: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>) {
    let inner = axisCount &- 1
    let columns = extents[inner]
    let repeats = aStrides[inner] == 0
    walk(outerAxes: inner) { aOffset, _, cOffset in
      if repeats {
        (c + cOffset).update(repeating: a[aOffset], count: columns)
      } else {
        (c + cOffset).update(from: a + aOffset, count: columns)
      }
    }
  }

  @inline(__always)
  private func run(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, into c: UnsafeMutablePointer<Float>,
    _ apply: (Lanes, Lanes) -> Lanes
  ) {
    let inner = axisCount &- 1
    let columns = extents[inner]
    if axisCount == 2, aStrides[0] == columns, aStrides[1] == 1, bStrides[0] == 0, bStrides[1] == 1
    {
      Broadcast.combineRows(a, b, into: c, rows: extents[0], columns: columns, apply)
      return
    }
    switch (aStrides[inner] == 0, bStrides[inner] == 0) {
    case (false, false):
      walk(outerAxes: inner) { i, j, k in
        forEachLanes(a + i, b + j, into: c + k, count: columns, apply)
      }
    case (false, true):
      walk(outerAxes: inner) { i, j, k in
        let value = Lanes(repeating: b[j])
        forEachLanes(a + i, into: c + k, count: columns) { apply($0, value) }
      }
    case (true, false):
      walk(outerAxes: inner) { i, j, k in
        let value = Lanes(repeating: a[i])
        forEachLanes(b + j, into: c + k, count: columns) { apply(value, $0) }
      }
    case (true, true):
      // Both repeat only where the axis has one element, and such axes are left out.
      preconditionFailure("an axis on which both operands repeat")
    }
  }

  /// Calls `body` with the offsets of both operands and of the result for each innermost run.
  @inline(__always)
  private func walk(outerAxes: Int, _ body: (Int, Int, Int) -> Void) {
    let columns = extents[outerAxes]
    var remaining = columns
    for axis in 0..<outerAxes { remaining &*= extents[axis] }
    var index = SIMD8<Int>()
    var (aOffset, bOffset, cOffset) = (0, 0, 0)
    while remaining > 0 {
      body(aOffset, bOffset, cOffset)
      remaining &-= columns
      cOffset &+= columns
      var axis = outerAxes &- 1
      while axis >= 0 {
        aOffset &+= aStrides[axis]
        bOffset &+= bStrides[axis]
        index[axis] &+= 1
        if index[axis] < extents[axis] { break }
        aOffset &-= aStrides[axis] &* extents[axis]
        bOffset &-= bStrides[axis] &* extents[axis]
        index[axis] = 0
        axis &-= 1
      }
    }
  }
}

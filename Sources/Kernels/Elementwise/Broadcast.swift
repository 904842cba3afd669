// Two operands of different shapes: how their axes line up, and the loops over them.

public import Tensors

/// The alignment of the axes of two operands under NumPy's rules of broadcasting.
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
  /// The last two axes, or the only one.
  private let matrix: BroadcastMatrix

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
    let (columns, rows) = (joined[0], joined.count > 1 ? joined[1] : (extent: 1, a: 0, b: 0))
    matrix = BroadcastMatrix(
      rows: rows.extent, columns: columns.extent, aStride: rows.a, bStride: rows.b,
      aIsColumn: columns.a == 0, bIsColumn: columns.b == 0)
  }

  /// Combines two operands of the plan's shapes.
  ///
  /// - Parameters:
  ///   - operation: An elementwise operation of two operands.
  ///   - a: The first operand.
  ///   - b: The second.
  ///   - c: The result; may be an operand that has the result's shape.
  /// - Complexity: one pass over the result; allocates nothing.
  package func run(
    _ operation: ElementCode, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>
  ) {
    let outer = max(axisCount &- 2, 0)
    if outer == 0, matrix.repeatsRow {
      return kernels.apply(
        operation, a, row: b, into: c, rows: matrix.rows, columns: matrix.columns)
    }
    guard outer > 0 else { return kernels.apply(operation, a, b, into: c, over: matrix) }
    walk(outerAxes: outer) { i, j, k in
      kernels.apply(operation, a + i, b + j, into: c + k, over: matrix)
    }
  }

  /// Copies the first operand to the shape of the result.
  ///
  /// - Parameters:
  ///   - a: The first operand.
  ///   - c: The result.
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

  /// Calls `body` with the offsets of both operands and of the result for each run of the
  /// axes that are not outer ones.
  @inline(__always)
  private func walk(outerAxes: Int, _ body: (Int, Int, Int) -> Void) {
    var length = 1
    for axis in outerAxes..<axisCount { length &*= extents[axis] }
    var remaining = length
    for axis in 0..<outerAxes { remaining &*= extents[axis] }
    var index = SIMD8<Int>()
    var (aOffset, bOffset, cOffset) = (0, 0, 0)
    while remaining > 0 {
      body(aOffset, bOffset, cOffset)
      remaining &-= length
      cOffset &+= length
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

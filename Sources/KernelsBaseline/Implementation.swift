// Elementwise kernels, built once for each instruction set.

package import VectorKernels

/// The kernels, for the instruction set that this module is built for.
package enum Implementation: VectorKernels {
  package static func apply(
    _ code: ElementCode, _ number: Double, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, count: Int
  ) { code.apply(number, by: ContiguousLoops(a: a, b: b, c: c, count: count)) }

  package static func apply(
    _ code: ElementCode, _ a: UnsafePointer<Float>, row b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, rows: Int, columns: Int
  ) {
    if rows == 1 { return apply(code, 0, a, b, into: c, count: columns) }
    guard columns < laneCount else {
      for i in 0..<rows {
        apply(code, 0, a + i &* columns, b, into: c + i &* columns, count: columns)
      }
      return
    }
    // Narrow rows: sixteen of them are a whole number of vectors, so the row is written out sixteen
    // times (on the stack) and the matrix is taken as one run of elements.
    withUnsafeTemporaryAllocation(of: Float.self, capacity: laneCount * laneCount) { repeated in
      guard let pattern = repeated.baseAddress else { return }
      let row = load(b, first: columns)
      // What each store writes too much, the next one overwrites.
      for i in 0..<min(rows, laneCount) { store(row, pattern + i &* columns) }
      code.apply(
        0,
        by: PeriodicLoops(
          a: a, b: pattern, c: c, period: columns &* laneCount, count: rows &* columns))
    }
  }

  package static func apply(
    _ code: ElementCode, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
    into c: UnsafeMutablePointer<Float>, over matrix: BroadcastMatrix
  ) { code.apply(0, by: RowLoops(a: a, b: b, c: c, matrix: matrix)) }

  package static func run(
    _ steps: UnsafePointer<ElementStep>, stepCount: Int, _ places: UnsafePointer<ElementPlace>,
    count: Int, block: Int
  ) {
    var start = 0
    while start < count {
      let length = min(block, count &- start)
      for index in 0..<stepCount {
        let step = steps[index]
        apply(
          step.code, step.number, pointer(places[step.a], start), pointer(places[step.b], start),
          into: pointer(places[step.c], start), count: length)
      }
      start &+= block
    }
  }

  @inline(__always)
  private static func pointer(_ position: ElementPlace, _ start: Int) -> UnsafeMutablePointer<Float>
  {
    position.isWhole ? position.pointer + start : position.pointer
  }
}

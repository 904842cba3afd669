// The loops that elementwise functions are applied by.

import VectorKernels

/// Loops over the elements of operands and a result.
protocol ElementLoops {
  /// Applies a function of one argument.
  func unary(_ apply: (Lanes) -> Lanes)
  /// Applies a function of two arguments.
  func binary(_ apply: (Lanes, Lanes) -> Lanes)
}

/// Operands and a result of the same number of elements.
struct ContiguousLoops: ElementLoops {
  let a: UnsafePointer<Float>
  let b: UnsafePointer<Float>
  let c: UnsafeMutablePointer<Float>
  let count: Int

  @inline(__always)
  func unary(_ apply: (Lanes) -> Lanes) { forEachLanes(a, into: c, count: count, apply) }

  @inline(__always)
  func binary(_ apply: (Lanes, Lanes) -> Lanes) { forEachLanes(a, b, into: c, count: count, apply) }
}

/// The rows of a matrix, each made from a row or an element of either operand.
struct RowLoops: ElementLoops {
  let a: UnsafePointer<Float>
  let b: UnsafePointer<Float>
  let c: UnsafeMutablePointer<Float>
  let matrix: BroadcastMatrix

  @inline(__always)
  func unary(_ apply: (Lanes) -> Lanes) { preconditionFailure("one operand does not broadcast") }

  @inline(__always)
  func binary(_ apply: (Lanes, Lanes) -> Lanes) {
    var (a, b, c) = (a, b, c)
    for _ in 0..<matrix.rows {
      if matrix.aIsColumn {
        let value = Lanes(repeating: a[0])
        forEachLanes(b, into: c, count: matrix.columns) { apply(value, $0) }
      } else if matrix.bIsColumn {
        let value = Lanes(repeating: b[0])
        forEachLanes(a, into: c, count: matrix.columns) { apply($0, value) }
      } else {
        forEachLanes(a, b, into: c, count: matrix.columns, apply)
      }
      a += matrix.aStride
      b += matrix.bStride
      c += matrix.columns
    }
  }
}

/// A second operand of fewer elements, which begins again after a period.
struct PeriodicLoops: ElementLoops {
  let a: UnsafePointer<Float>
  let b: UnsafePointer<Float>
  let c: UnsafeMutablePointer<Float>
  let period: Int
  let count: Int

  @inline(__always)
  func unary(_ apply: (Lanes) -> Lanes) { preconditionFailure("one operand does not broadcast") }

  @inline(__always)
  func binary(_ apply: (Lanes, Lanes) -> Lanes) {
    var start = 0
    while start < count {
      forEachLanes(a + start, b, into: c + start, count: min(period, count &- start), apply)
      start &+= period
    }
  }
}

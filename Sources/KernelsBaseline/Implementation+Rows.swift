// Kernels over the rows of `[rows, columns]`, built once for each instruction set.

extension Implementation {
  package static func softmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    guard columns > NarrowRows.limit else {
      NarrowRows.forEach(a, rows: rows, columns: columns) { block in
        for j in 0..<columns {
          let p = block.powers + j &* laneCount
          store(load(p) / block.sum, p)
        }
        block.write(c, columns: columns)
      }
      return
    }
    for i in 0..<rows { softmaxRow(a + i &* columns, columns, into: c + i &* columns) }
  }

  package static func logSoftmax(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<rows {
      let row = a + i &* columns
      let largest = maximum(row, columns)
      let shift = Lanes(repeating: largest)
      let sum = orderedSum(Exponentials(a: row, shift: shift), count: columns)
      let logarithm = Lanes(repeating: Elementary.log(sum))
      forEachLanes(row, into: c + i &* columns, count: columns) { ($0 - shift) - logarithm }
    }
  }

  package static func logSumExp(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<rows {
      let row = a + i &* columns
      let largest = maximum(row, columns)
      let sum = orderedSum(
        Exponentials(a: row, shift: Lanes(repeating: largest)), count: columns)
      // Rows whose largest is infinite have that as their result, not the NaN of ∞ − ∞.
      c[i] = largest.isInfinite ? largest : largest + Elementary.log(sum)
    }
  }

  package static func softmaxCrossEntropy(
    logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>, rows: Int, classes: Int,
    into c: UnsafeMutablePointer<Float>
  ) {
    guard classes > NarrowRows.limit else {
      NarrowRows.forEach(logits, rows: rows, columns: classes) { block in
        store(losses(block, logits, labels, classes), c + block.first, first: block.count)
      }
      return
    }
    for i in 0..<rows {
      let row = logits + i &* classes
      let label = index(labels[i], classes)
      let largest = maximum(row, classes)
      let sum = orderedSum(
        Exponentials(a: row, shift: Lanes(repeating: largest)), count: classes)
      c[i] = Elementary.log(sum) - (row[label] - largest)
    }
  }

  package static func softmaxCrossEntropyGradient(
    cotangent: UnsafePointer<Float>, logits: UnsafePointer<Float>, labels: UnsafePointer<Int32>,
    rows: Int, classes: Int, losses: UnsafeMutablePointer<Float>?,
    into c: UnsafeMutablePointer<Float>
  ) {
    guard classes > NarrowRows.limit else {
      NarrowRows.forEach(logits, rows: rows, columns: classes) { block in
        if let losses {
          store(
            Implementation.losses(block, logits, labels, classes), losses + block.first,
            first: block.count)
        }
        for j in 0..<classes {
          let p = block.powers + j &* laneCount
          store(load(p) / block.sum, p)
        }
        for i in 0..<block.count {
          block.powers[index(labels[block.first &+ i], classes) &* laneCount &+ i] -= 1
        }
        let factor = load(cotangent + block.first, first: block.count)
        for j in 0..<classes {
          let p = block.powers + j &* laneCount
          store(load(p) * factor, p)
        }
        block.write(c, columns: classes)
      }
      return
    }
    for i in 0..<rows {
      let label = index(labels[i], classes)
      let (row, out) = (logits + i &* classes, c + i &* classes)
      // Read before the row may be written over.
      let chosen = row[label]
      let (largest, sum) = softmaxRow(row, classes, into: out)
      if let losses { losses[i] = Elementary.log(sum) - (chosen - largest) }
      out[label] -= 1
      let factor = Lanes(repeating: cotangent[i])
      forEachLanes(out, into: out, count: classes) { $0 * factor }
    }
  }

  /// The cross-entropies of narrow rows, one per lane.
  @inline(__always)
  private static func losses(
    _ block: NarrowRows, _ logits: UnsafePointer<Float>, _ labels: UnsafePointer<Int32>,
    _ classes: Int
  ) -> Lanes {
    var chosen = Lanes(repeating: 0)
    withUnsafeMutableBytes(of: &chosen) { chosen in
      for i in 0..<block.count {
        let row = block.first &+ i
        let label = index(labels[row], classes)
        chosen.storeBytes(
          of: logits[row &* classes &+ label], toByteOffset: i &* 4, as: Float.self)
      }
    }
    return Elementary.log(block.sum) - (chosen - block.largest)
  }

  /// Writes the softmax of one row; returns the largest of it and the sum that it is divided by.
  @inline(__always) @discardableResult
  private static func softmaxRow(
    _ row: UnsafePointer<Float>, _ columns: Int, into c: UnsafeMutablePointer<Float>
  ) -> (largest: Float, sum: Float) {
    let largest = maximum(row, columns)
    let shift = Lanes(repeating: largest)
    forEachLanes(row, into: c, count: columns) { Elementary.exp($0 - shift) }
    let sum = orderedSum(Elements(a: c), count: columns)
    let divisor = Lanes(repeating: sum)
    forEachLanes(c, into: c, count: columns) { $0 / divisor }
    return (largest, sum)
  }

  /// The largest of a row; NaN is passed over.
  @inline(__always)
  private static func maximum(_ row: UnsafePointer<Float>, _ columns: Int) -> Float {
    guard columns >= laneCount else {
      return laneMaximum(load(row, first: columns, filler: -.infinity))
    }
    var result = load(row + (columns &- laneCount))
    var i = 0
    while i &+ laneCount <= columns {
      result = larger(load(row + i), result)
      i &+= laneCount
    }
    return laneMaximum(result)
  }

  @inline(__always)
  private static func index(_ label: Int32, _ classes: Int) -> Int {
    precondition(label >= 0 && Int(label) < classes, "label \(label) is not below \(classes)")
    return Int(label)
  }
}

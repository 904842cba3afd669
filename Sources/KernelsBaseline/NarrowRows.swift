// Softmax of rows of sixteen columns or fewer, sixteen rows side by side.

/// The exponentials of up to sixteen narrow rows, column by column, one row per lane.
///
/// One row at a time such a row costs a whole vector for every function and several trips between
/// lanes: 78 ns for ten classes, against 19 so. A lane holds one row, so rows do not depend on their
/// neighbours.
struct NarrowRows {
  /// The most columns of a narrow row.
  static let limit = laneCount

  /// `e^(x − largest)` at [column · 16 + row].
  let powers: UnsafeMutablePointer<Float>
  /// The sum of each row's powers, columns in order.
  let sum: Lanes
  /// The largest of each row.
  let largest: Lanes
  /// The index of the first row, and the number of rows.
  let first: Int
  let count: Int

  /// Calls `body` for every sixteen rows of `a`, and for the rest; allocates on the stack alone.
  @inline(__always)
  static func forEach(
    _ a: UnsafePointer<Float>, rows: Int, columns: Int, _ body: (NarrowRows) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: limit * laneCount) { storage in
      guard let powers = storage.baseAddress else { return }
      // Lanes without a row are computed too, from zeros.
      powers.update(repeating: 0, count: limit * laneCount)
      var first = 0
      while first < rows {
        let count = min(laneCount, rows &- first)
        body(NarrowRows(a, first: first, count: count, columns: columns, in: powers))
        first &+= laneCount
      }
    }
  }

  @inline(__always)
  private init(
    _ a: UnsafePointer<Float>, first: Int, count: Int, columns: Int,
    in powers: UnsafeMutablePointer<Float>
  ) {
    self.powers = powers
    self.first = first
    self.count = count
    for i in 0..<count {
      let row = a + (first &+ i) &* columns
      for j in 0..<columns { powers[j &* laneCount &+ i] = row[j] }
    }
    var largest = load(powers)
    for j in 1..<columns { largest = larger(load(powers + j &* laneCount), largest) }
    var sum = Lanes(repeating: 0)
    for j in 0..<columns {
      let power = Elementary.exp(load(powers + j &* laneCount) - largest)
      store(power, powers + j &* laneCount)
      sum = sum + power
    }
    self.largest = largest
    self.sum = sum
  }

  /// Writes what is in place of the powers back as rows of `c`.
  @inline(__always)
  func write(_ c: UnsafeMutablePointer<Float>, columns: Int) {
    for i in 0..<count {
      let row = c + (first &+ i) &* columns
      for j in 0..<columns { row[j] = powers[j &* laneCount &+ i] }
    }
  }
}

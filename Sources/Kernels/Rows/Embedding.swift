// Rows of a table that numbers name, and the sum of what comes back for each row.

/// Kernels for tables of `[count, units]` whose rows are named by whole numbers kept as `Float`.
public enum Embedding {
  /// The row that a number names; nil for a number that names none.
  private static func row(_ number: Float, count: Int) -> Int? {
    guard number >= 0, number < Float(count), number == number.rounded(.towardZero) else {
      return nil
    }
    let row = Int(number)
    return row < count ? row : nil
  }

  /// Writes the row of `table` that each number names; NaN for a number that names none.
  public static func rows(
    of table: UnsafePointer<Float>, count: Int, units: Int, numbers: UnsafePointer<Float>,
    numberCount: Int, into c: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<numberCount {
      let target = c + i &* units
      if let row = row(numbers[i], count: count) {
        target.update(from: table + row &* units, count: units)
      } else {
        target.update(repeating: .nan, count: units)
      }
    }
  }

  /// Writes, for each row of the table, the sum of the rows of `a` whose numbers name it, in their order.
  ///
  /// Cotangents of numbers that name no row are dropped: the values that they came from are NaN.
  public static func sums(
    _ a: UnsafePointer<Float>, numbers: UnsafePointer<Float>, numberCount: Int, count: Int,
    units: Int, into c: UnsafeMutablePointer<Float>
  ) {
    c.update(repeating: 0, count: count &* units)
    for i in 0..<numberCount {
      guard let row = row(numbers[i], count: count) else { continue }
      let (source, target) = (a + i &* units, c + row &* units)
      for unit in 0..<units { target[unit] += source[unit] }
    }
  }
}

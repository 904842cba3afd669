// Stored numbers that mark missing values, by netCDF and the CF conventions.

internal import HDF5

/// The stored numbers that mark missing values, and the attributes that define them.
///
/// Source: CF conventions 1.11, section 2.5.1; they apply to numbers before scale and bias.
struct MissingValues: Sendable {
  private var values: [(value: Double, attribute: String)] = []
  private var lower: (value: Double, attribute: String)?
  private var upper: (value: Double, attribute: String)?

  /// Reads the attributes of an array; nil if none of them marks missing values.
  init?(_ header: ArrayHeader) {
    // A mark is often stored with more digits than the numbers to compare with it.
    func numbers(_ name: String) -> [Double]? {
      header.attribute(name)?.doubleValues.map { $0.map(header.type.rounded) }
    }
    for name in ["_FillValue", "missing_value"] {
      // NaN is refused anyway.
      values += (numbers(name) ?? []).filter { !$0.isNaN }.map { ($0, name) }
    }
    if let range = numbers("valid_range"), range.count == 2 {
      (lower, upper) = ((range[0], "valid_range"), (range[1], "valid_range"))
    } else {
      lower = numbers("valid_min")?.first.map { ($0, "valid_min") }
      upper = numbers("valid_max")?.first.map { ($0, "valid_max") }
    }
    if values.isEmpty, lower == nil, upper == nil { return nil }
  }

  /// Returns the attribute by which a stored number marks a missing value, or nil.
  func attribute(marking value: Double) -> String? {
    if let mark = values.first(where: { $0.value == value }) { return mark.attribute }
    if let lower, value < lower.value { return lower.attribute }
    if let upper, value > upper.value { return upper.attribute }
    return nil
  }

  /// Refuses a row with a missing value.
  ///
  /// - Throws: ``DatasetError/missingValue(path:dataset:row:found:attribute:)``.
  func requireNone(
    in raw: UnsafeRawPointer, _ conversion: RowConversion, row: Int, of dataset: String,
    path: String
  ) throws(DatasetError) {
    guard let found = conversion.firstRaw(raw, where: { attribute(marking: $0) != nil }),
      let attribute = attribute(marking: found)
    else { return }
    throw .missingValue(
      path: path, dataset: dataset, row: row, found: plain(found), attribute: attribute)
  }
}

extension HDF5ScalarType {
  /// Returns a number rounded to the precision of this type.
  fileprivate func rounded(_ number: Double) -> Double {
    switch (kind, byteCount) {
    case (.float, 4): Double(Float(number))
    case (.float, 2): Double(Float16(number))
    default: number
    }
  }
}

/// Returns a number as text, a whole one without `.0`.
func plain(_ number: Double) -> String { Int(exactly: number).map { "\($0)" } ?? "\(number)" }

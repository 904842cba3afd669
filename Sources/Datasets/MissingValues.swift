// Stored numbers that stand for no number, as netCDF and the CF conventions mark them.

internal import HDF5

/// The stored numbers that mean that there is none, by the attribute that says so.
///
/// Source: CF conventions 1.11, section 2.5.1; they speak of numbers before scale and bias.
struct MissingValues: Sendable {
  private var values: [(value: Double, attribute: String)] = []
  private var lower: (value: Double, attribute: String)?
  private var upper: (value: Double, attribute: String)?

  /// Looks at the attributes of an array; nil where none of them marks anything.
  init?(_ header: ArrayHeader) {
    // A mark is often stored with more digits than the numbers it is compared with.
    func numbers(_ name: String) -> [Double]? {
      header.attribute(name)?.doubleValues.map { $0.map(header.type.rounded) }
    }
    for name in ["_FillValue", "missing_value"] {
      // What is not a number is refused wherever it stands.
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

  /// The attribute that says that a stored number stands for none.
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
  /// Returns a number as an array of this type holds it.
  fileprivate func rounded(_ number: Double) -> Double {
    switch (kind, byteCount) {
    case (.float, 4): Double(Float(number))
    case (.float, 2): Double(Float16(number))
    default: number
    }
  }
}

/// A number without the fraction of a whole one.
func plain(_ number: Double) -> String { Int(exactly: number).map { "\($0)" } ?? "\(number)" }

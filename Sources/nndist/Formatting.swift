// Formatting of numbers and tables for people.
import Foundation

/// Returns a number of bytes in binary units: `1.5 MiB`.
func formatted(bytes: Int) -> String {
  var value = Double(bytes)
  for unit in ["B", "KiB", "MiB", "GiB"] {
    if value < 1024 || unit == "GiB" {
      return unit == "B" ? "\(bytes) B" : "\(formatted(value, digits: 1)) \(unit)"
    }
    value /= 1024
  }
  return "\(bytes) B"
}

/// Returns a count with commas between thousands: `535,818`.
func formatted(count: Int) -> String {
  let digits = String(abs(count))
  var result = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
    result.append(digit)
  }
  return count < 0 ? "-\(result)" : result
}

/// Returns a number with a fixed number of digits after the point.
func formatted(_ value: Double, digits: Int) -> String {
  value.isNaN ? "nan" : String(format: "%.\(digits)f", value)
}

/// Returns the shortest text that reads back as the same number; NaN has no sign.
func formatted(_ value: Double) -> String { value.isNaN ? "nan" : "\(value)" }

/// Returns a number with the given count of significant digits, without trailing zeros.
func formatted(_ value: Double, significant digits: Int) -> String {
  value.isNaN ? "nan" : String(format: "%.\(digits)g", value)
}

/// Returns a duration: `850 ms`, `12.3 s`, `5 min 12 s`, `2 h 05 min`.
func formatted(seconds: Double) -> String {
  switch seconds {
  case ..<1: return "\(Int((seconds * 1000).rounded())) ms"
  case ..<60: return "\(formatted(seconds, digits: 1)) s"
  case ..<3600: return "\(Int(seconds) / 60) min \(Int(seconds) % 60) s"
  default:
    return "\(Int(seconds) / 3600) h \(String(format: "%02d", Int(seconds) % 3600 / 60)) min"
  }
}

/// Returns a count with its noun: `one` for 1, `many` for any other number.
func counted(_ count: Int, _ one: String, _ many: String? = nil) -> String {
  "\(formatted(count: count)) \(count == 1 ? one : many ?? one + "s")"
}

/// Returns the rows as lines of aligned columns, those in `rightAligned` to the right.
func table(_ rows: [[String]], rightAligned: Set<Int> = []) -> [String] {
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in
    rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
  }
  return rows.map { row in
    var line = row.enumerated().map { column, cell in
      let padding = String(repeating: " ", count: widths[column] - cell.count)
      return rightAligned.contains(column) ? padding + cell : cell + padding
    }.joined(separator: "  ")
    while line.last == " " { line.removeLast() }
    return line
  }
}

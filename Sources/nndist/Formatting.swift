// Numbers as people read them.
import Foundation

/// A number of bytes in binary units: `1.5 MiB`.
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

/// A count with a thin mark between thousands: `535,818`.
func formatted(count: Int) -> String {
  let digits = String(abs(count))
  var result = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
    result.append(digit)
  }
  return count < 0 ? "-\(result)" : result
}

/// A number with a fixed number of digits behind the point.
func formatted(_ value: Double, digits: Int) -> String {
  value.isNaN ? "nan" : String(format: "%.\(digits)f", value)
}

/// The shortest number that is read as the same; what is not a number has no sign.
func formatted(_ value: Double) -> String { value.isNaN ? "nan" : "\(value)" }

/// A number with so many digits that count, none of them a zero at the end.
func formatted(_ value: Double, significant digits: Int) -> String {
  value.isNaN ? "nan" : String(format: "%.\(digits)g", value)
}

/// A stretch of time: `850 ms`, `12.3 s`, `5 min 12 s`, `2 h 05 min`.
func formatted(seconds: Double) -> String {
  switch seconds {
  case ..<1: return "\(Int((seconds * 1000).rounded())) ms"
  case ..<60: return "\(formatted(seconds, digits: 1)) s"
  case ..<3600: return "\(Int(seconds) / 60) min \(Int(seconds) % 60) s"
  default:
    return "\(Int(seconds) / 3600) h \(String(format: "%02d", Int(seconds) % 3600 / 60)) min"
  }
}

/// `one` for 1, `many` for any other number, with the number before it.
func counted(_ count: Int, _ one: String, _ many: String? = nil) -> String {
  "\(formatted(count: count)) \(count == 1 ? one : many ?? one + "s")"
}

/// Lines of cells in aligned columns; numbers are aligned to the right.
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

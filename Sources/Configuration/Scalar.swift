// Single values: the meaning of their text, and the text that reads back as the same value.

/// A single value of a configuration, or a list of them.
public enum ConfigurationValue: Hashable, Sendable {
  /// Nothing, as of a key without a value.
  case null
  /// `true` or `false`.
  case boolean(Bool)
  /// A whole number.
  case integer(Int)
  /// Any number.
  case number(Double)
  /// Text; also words such as `full` and paths.
  case string(String)
  /// A list of single values.
  case list([ConfigurationValue])
}

extension ConfigurationValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral
{
  /// Text.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A whole number.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
}

/// The text of a single value, which quotes make a string.
struct Scalar: Hashable, Sendable {
  let text: String
  let isQuoted: Bool

  init(_ text: String, isQuoted: Bool = false) {
    self.text = text
    self.isQuoted = isQuoted
  }

  /// The value in the core schema of YAML 1.2, except that `010`, which other readers take for 8, is no number.
  var value: ConfigurationValue {
    guard !isQuoted else { return .string(text) }
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE": return .boolean(true)
    case "false", "False", "FALSE": return .boolean(false)
    case ".nan", ".NaN", ".NAN": return .number(.nan)
    case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .number(.infinity)
    case "-.inf", "-.Inf", "-.INF": return .number(-.infinity)
    default: return number ?? .string(text)
    }
  }

  private var number: ConfigurationValue? {
    if text.hasPrefix("0x") { return Int(text.dropFirst(2), radix: 16).map { .integer($0) } }
    if text.hasPrefix("0o") { return Int(text.dropFirst(2), radix: 8).map { .integer($0) } }
    let digits = text.drop { $0 == "+" || $0 == "-" }
    guard text.count - digits.count <= 1, text.allSatisfy({ "0123456789+-.eE".contains($0) }),
      digits.contains(where: { "0123456789".contains($0) })
    else { return nil }
    if digits.count > 1, digits.first == "0", digits.allSatisfy(\.isNumber) { return nil }
    if let integer = Int(text) { return .integer(integer) }
    // Swift wants a digit before the exponent's sign and accepts `.5` and `5.` alike.
    return Double(text).map { .number($0) }
  }

  /// The text as errors show it.
  var shown: String {
    if value == .null { return "nothing" }
    let line = text.prefix(60).map { $0.isNewline ? " " : String($0) }.joined()
    let cut = text.count > 60 ? line + "…" : line
    return isQuoted ? "the text '\(cut)'" : cut
  }
}

extension ConfigurationValue {
  /// The scalar that reads back as this value; not for lists.
  var scalar: Scalar {
    switch self {
    case .null: Scalar("null")
    case .boolean(let flag): Scalar(String(flag))
    case .integer(let integer): Scalar(String(integer))
    case .number(let number): Scalar(written(number))
    case .string(let text): Scalar(text, isQuoted: Scalar(text).value != .string(text))
    case .list: preconditionFailure("a list is no scalar")
    }
  }
}

/// Returns the shortest text that reads back as the same number in YAML 1.1 and in 1.2.
private func written(_ number: Double) -> String {
  if number.isNaN { return ".nan" }
  if number.isInfinite { return number < 0 ? "-.inf" : ".inf" }
  let text = number.description
  // YAML 1.1 takes `1e-05` for text: it requires the point.
  guard let exponent = text.firstIndex(of: "e"), !text.contains(".") else { return text }
  return text[..<exponent] + ".0" + text[exponent...]
}

extension Scalar {
  /// The text as YAML: plain if every reader takes it for the same value, quoted otherwise.
  var yaml: String {
    if !isQuoted, Scalar(text).value != .string(text) { return text }
    let isPlain =
      text.utf8.allSatisfy { isPlainByte($0) } && Scalar(text).value == .string(text)
      && text.first.map { $0.isLetter || $0 == "/" || $0 == "_" } == true
      && !["y", "n", "yes", "no", "on", "off"].contains(text.lowercased())
    return isPlain ? text : quoted(text)
  }
}

/// Returns a text in double quotes, with escapes that JSON and YAML share, on one line.
public func quoted(_ text: String) -> String {
  var quoted = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": quoted += "\\\""
    case "\\": quoted += "\\\\"
    case "\n": quoted += "\\n"
    case "\t": quoted += "\\t"
    case _
    where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
      || [0x2028, 0x2029, 0xFEFF].contains(scalar.value):
      let digits = String(scalar.value, radix: 16, uppercase: true)
      quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: quoted.unicodeScalars.append(scalar)
    }
  }
  return quoted + "\""
}

private func isPlainByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
    UInt8(ascii: "0")...UInt8(ascii: "9"):
    true
  case UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "/"): true
  default: false
  }
}

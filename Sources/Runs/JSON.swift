// Writing JSON: keys in the given order, numbers that read back as the same number.

import Configuration

/// A value of a record.
public enum JSONValue: Hashable, Sendable {
  /// Text.
  case string(String)
  /// A whole number.
  case integer(Int)
  /// A number; NaN and infinities, which JSON lacks, are written as `null`.
  case double(Double)
  /// A number of 32 bits, written with the fewest digits that read back as the same `Float`.
  case float(Float)
  /// A truth value.
  case boolean(Bool)
  /// Nothing.
  case null
  /// A list.
  case list([JSONValue])
  /// An object, with its keys in the given order.
  case object([JSONField])
}

/// A key of an object with its value.
public struct JSONField: Hashable, Sendable {
  let key: String
  let value: JSONValue

  /// Creates a field.
  public init(_ key: String, _ value: JSONValue) {
    self.key = key
    self.value = value
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
  /// Text.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A whole number.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .double(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  /// Nothing.
  public init(nilLiteral: ()) { self = .null }
}

extension JSONValue {
  /// The value as JSON.
  public var text: String {
    switch self {
    case .string(let text): quoted(text)
    case .integer(let integer): String(integer)
    case .double(let number): number.isFinite ? number.description : "null"
    case .float(let number): number.isFinite ? number.description : "null"
    case .boolean(let flag): String(flag)
    case .null: "null"
    case .list(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let fields): jsonObject(fields.map { ($0.key, $0.value) })
    }
  }
}

/// Returns a JSON object on one line, with its keys in the given order.
public func jsonObject(_ fields: [(key: String, value: JSONValue)]) -> String {
  "{" + fields.map { "\(quoted($0.key)):\($0.value.text)" }.joined(separator: ",") + "}"
}

// The numbers that a key accepts.

/// A range of finite numbers that a key accepts, with its name.
public struct NumberRange: Hashable, Sendable {
  private let lower: Double
  private let upper: Double
  private let includesLower: Bool
  private let includesUpper: Bool
  /// The name of the range, such as `a positive number`; it ends an error message.
  public let expected: String

  private init(
    _ lower: Double, _ upper: Double, includesLower: Bool, includesUpper: Bool, _ expected: String
  ) {
    (self.lower, self.upper) = (lower, upper)
    (self.includesLower, self.includesUpper) = (includesLower, includesUpper)
    self.expected = expected
  }

  /// Every finite number.
  public static let finite = NumberRange(
    -.infinity, .infinity, includesLower: false, includesUpper: false, "a finite number")
  /// Above 0.
  public static let positive = NumberRange(
    0, .infinity, includesLower: false, includesUpper: false, "a positive number")
  /// 0 or more.
  public static let nonNegative = NumberRange(
    0, .infinity, includesLower: true, includesUpper: false, "a number of 0 or more")
  /// Between 0 and 1, both excluded.
  public static let fraction = NumberRange(
    0, 1, includesLower: false, includesUpper: false, "a number above 0 and below 1")
  /// From 0, below 1.
  public static let belowOne = NumberRange(
    0, 1, includesLower: true, includesUpper: false, "a number from 0 to below 1")
  /// Returns the range from `lower` to `upper`, both included.
  public static func between(_ lower: Double, _ upper: Double) -> NumberRange {
    NumberRange(
      lower, upper, includesLower: true, includesUpper: true, "a number from \(lower) to \(upper)")
  }

  /// Returns whether the number is accepted; infinities and NaN never are.
  public func contains(_ number: Double) -> Bool {
    guard number.isFinite else { return false }
    return (includesLower ? number >= lower : number > lower)
      && (includesUpper ? number <= upper : number < upper)
  }

  /// A number that is accepted, for readers that only list their keys.
  var sample: Double {
    [1, 0.5, lower].first(where: contains) ?? 0
  }
}

/// A range of whole numbers that a key accepts, with its name.
public struct IntegerRange: Hashable, Sendable {
  private let bounds: ClosedRange<Int>
  /// The name of the range, such as `a positive integer`; it ends an error message.
  public let expected: String

  private init(_ bounds: ClosedRange<Int>, _ expected: String) {
    self.bounds = bounds
    self.expected = expected
  }

  /// Every integer of 64 bits.
  public static let any = IntegerRange(Int.min...Int.max, "an integer")
  /// 1 or more.
  public static let positive = IntegerRange(1...Int.max, "a positive integer")
  /// 0 or more.
  public static let nonNegative = IntegerRange(0...Int.max, "an integer of 0 or more")
  /// Returns the range of `lower` or more.
  public static func atLeast(_ lower: Int) -> IntegerRange {
    IntegerRange(lower...Int.max, "an integer of \(lower) or more")
  }
  /// Returns the range from `lower` to `upper`, both included.
  public static func between(_ lower: Int, _ upper: Int) -> IntegerRange {
    IntegerRange(lower...upper, "an integer from \(lower) to \(upper)")
  }

  /// Returns whether the integer is accepted.
  public func contains(_ integer: Int) -> Bool { bounds.contains(integer) }

  /// An integer that is accepted, for readers that only list their keys.
  var sample: Int { contains(1) ? 1 : bounds.lowerBound }
}

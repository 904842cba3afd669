// Keys whose values have a single form.

extension Section {
  /// Reads a whole number.
  public func integer(
    _ key: String, default: Int? = nil, in range: IntegerRange = .any, meaning: String
  ) throws(ConfigurationError) -> Int {
    try value(
      key, [.integer(range) { $0 }], default: `default`.map { .integer($0) }, meaning: meaning)
  }

  /// Reads a whole number that may be absent.
  public func optionalInteger(
    _ key: String, in range: IntegerRange = .any, unset: String? = nil, meaning: String
  ) throws(ConfigurationError) -> Int? {
    try value(
      key, [.unset(nil), .integer(range) { $0 }], default: .null, unset: unset, meaning: meaning)
  }

  /// Reads a finite number.
  public func number(
    _ key: String, default: Double? = nil, in range: NumberRange = .finite, meaning: String
  ) throws(ConfigurationError) -> Double {
    try value(
      key, [.number(range) { $0 }], default: `default`.map { .number($0) }, meaning: meaning)
  }

  /// Reads a finite number that may be absent.
  public func optionalNumber(
    _ key: String, in range: NumberRange = .finite, unset: String? = nil, meaning: String
  ) throws(ConfigurationError) -> Double? {
    try value(
      key, [.unset(nil), .number(range) { $0 }], default: .null, unset: unset, meaning: meaning)
  }

  /// Reads `true` or `false`.
  public func boolean(
    _ key: String, default: Bool? = nil, meaning: String
  ) throws(ConfigurationError) -> Bool {
    try value(key, [.boolean { $0 }], default: `default`.map { .boolean($0) }, meaning: meaning)
  }

  /// Reads text that is not empty.
  public func string(
    _ key: String, default: String? = nil, expected: String = "text", meaning: String
  ) throws(ConfigurationError) -> String {
    try value(
      key, [.string(expected: expected) { $0 }], default: `default`.map { .string($0) },
      meaning: meaning)
  }

  /// Reads text that may be absent.
  public func optionalString(
    _ key: String, expected: String = "text", unset: String? = nil, meaning: String
  ) throws(ConfigurationError) -> String? {
    try value(
      key, [.unset(nil), .string(expected: expected) { $0 }], default: .null, unset: unset,
      meaning: meaning)
  }

  /// Reads the path of a file and returns it absolute; it is relative to the configuration's folder.
  public func path(
    _ key: String, default: String? = nil, expected: String = "the path of a file", meaning: String
  ) throws(ConfigurationError) -> String {
    try value(
      key, [.path(expected: expected) { $0 }], default: `default`.map { .string($0) },
      meaning: meaning)
  }

  /// Reads the path of a file that may be absent.
  public func optionalPath(
    _ key: String, expected: String = "the path of a file", unset: String? = nil, meaning: String
  ) throws(ConfigurationError) -> String? {
    try value(
      key, [.unset(nil), .path(expected: expected) { $0 }], default: .null, unset: unset,
      meaning: meaning)
  }

  /// Reads one of a few words.
  public func choice(
    _ key: String, _ words: [String], default: String? = nil, meaning: String
  ) throws(ConfigurationError) -> String {
    try value(
      key, words.map { .word($0, $0) }, default: `default`.map { .string($0) }, meaning: meaning)
  }

  /// Reads one of a few words, each a case of an enumeration.
  public func choice<Choice: CaseIterable & RawRepresentable<String>>(
    _ key: String, default: Choice? = nil, meaning: String
  ) throws(ConfigurationError) -> Choice {
    try value(
      key, Choice.allCases.map { .word($0.rawValue, $0) },
      default: `default`.map { .string($0.rawValue) }, meaning: meaning)
  }

  /// Reads a list of different words out of a few; a single one needs no brackets.
  public func words(
    _ key: String, _ choices: [String], default: [String]? = nil, meaning: String
  ) throws(ConfigurationError) -> [String] {
    try value(
      key, [.words(choices) { $0 }], default: `default`.map { .list($0.map { .string($0) }) },
      meaning: meaning)
  }

  /// Reads a list of whole numbers; if one is allowed, it needs no brackets.
  public func integers(
    _ key: String, default: [Int]? = nil, in range: IntegerRange = .any,
    counts: ClosedRange<Int> = 0...Int.max, meaning: String
  ) throws(ConfigurationError) -> [Int] {
    try value(
      key, [.integers(range, counts: counts) { $0 }],
      default: `default`.map { .list($0.map { .integer($0) }) }, meaning: meaning)
  }

  /// Reads a list of numbers; if one is allowed, it needs no brackets.
  public func numbers(
    _ key: String, default: [Double]? = nil, in range: NumberRange = .finite,
    counts: ClosedRange<Int> = 0...Int.max, meaning: String
  ) throws(ConfigurationError) -> [Double] {
    try value(
      key, [.numbers(range, counts: counts) { $0 }],
      default: `default`.map { .list($0.map { .number($0) }) }, meaning: meaning)
  }
}

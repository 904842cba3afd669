// The forms that a value may take: a word, a number, a path, nothing.

import Foundation

/// One form that a key's value may take, with its conversion.
///
/// A key that takes several forms is read with ``Section/value(_:_:default:unset:meaning:)``:
///
/// ```swift
/// let every = try section.value(
///   "every", [.word("epoch", .epoch), .integer(.positive) { .steps($0) }], default: "epoch",
///   meaning: "how often to evaluate")
/// ```
public struct Form<Value> {
  /// The name of the form, such as `a positive integer`; joined by `or` in error messages and listings.
  let expected: String
  /// The words that it accepts, for suggestions.
  let words: [String]
  /// The value for a reader that only lists its keys; nil if none can be made up.
  let sample: Value?
  /// Returns the converted and the resolved value, or nil if the value does not have this form.
  let match: (_ value: ConfigurationValue, _ folder: String) -> (Value, ConfigurationValue)?

  /// Accepts nothing: the key without a value, or `null`.
  public static func unset(_ value: Value) -> Form {
    Form(expected: "nothing", words: [], sample: value) { found, _ in
      found == .null ? (value, .null) : nil
    }
  }

  /// Accepts one word; `true` and `false` may be words too, in any case.
  public static func word(_ word: String, _ value: Value) -> Form {
    Form(expected: "'\(word)'", words: [word], sample: value) { found, _ in
      let text: String? =
        switch found {
        case .string(let text): text
        case .boolean(let flag): String(flag)
        default: nil
        }
      return text == word ? (value, Scalar(word).value) : nil
    }
  }

  /// Accepts `true` or `false`.
  public static func boolean(_ make: @escaping (Bool) -> Value) -> Form {
    Form(expected: "true or false", words: ["true", "false"], sample: make(false)) { found, _ in
      guard case .boolean(let flag) = found else { return nil }
      return (make(flag), found)
    }
  }

  /// A whole number within a range.
  public static func integer(
    _ range: IntegerRange = .any, _ make: @escaping (Int) -> Value
  ) -> Form {
    Form(expected: range.expected, words: [], sample: make(range.sample)) { found, _ in
      guard case .integer(let integer) = found, range.contains(integer) else { return nil }
      return (make(integer), found)
    }
  }

  /// Accepts a number within a range, whole or not.
  public static func number(
    _ range: NumberRange = .finite, _ make: @escaping (Double) -> Value
  ) -> Form {
    Form(expected: range.expected, words: [], sample: make(range.sample)) { found, _ in
      guard let number = found.number, range.contains(number) else { return nil }
      return (make(number), .number(number))
    }
  }

  /// Accepts text that is not empty.
  public static func string(
    expected: String = "text", _ make: @escaping (String) -> Value
  ) -> Form {
    Form(expected: expected, words: [], sample: make("")) { found, _ in
      guard case .string(let text) = found, !text.isEmpty, !text.contains("\0") else { return nil }
      return (make(text), found)
    }
  }

  /// Accepts a list of texts, `counts` of them; if one is allowed, it needs no brackets.
  public static func strings(
    expected: String, counts: ClosedRange<Int>, _ make: @escaping ([String]) -> Value
  ) -> Form {
    Form(expected: listed(expected, counts), words: [], sample: make([])) { found, _ in
      var strings: [String] = []
      for element in elements(of: found, counts) {
        guard case .string(let text) = element, !text.isEmpty, !text.contains("\0") else {
          return nil
        }
        strings.append(text)
      }
      guard counts.contains(strings.count) else { return nil }
      return (make(strings), .list(strings.map { .string($0) }))
    }
  }

  /// Accepts a list of different words out of a few; a single one needs no brackets.
  public static func words(_ choices: [String], _ make: @escaping ([String]) -> Value) -> Form {
    let expected = "a list of words out of \(choices.joined(separator: ", "))"
    return Form(expected: expected, words: choices, sample: make([])) { found, _ in
      var words: [String] = []
      for element in elements(of: found, 0...choices.count) {
        guard case .string(let word) = element, choices.contains(word), !words.contains(word)
        else { return nil }
        words.append(word)
      }
      return (make(words), .list(words.map { .string($0) }))
    }
  }

  /// Accepts the path of a file, relative to the folder of the configuration, and makes it absolute.
  public static func path(
    expected: String = "the path of a file", _ make: @escaping (String) -> Value
  ) -> Form {
    Form(expected: expected, words: [], sample: make("")) { found, folder in
      guard case .string(let text) = found, !text.isEmpty, !text.contains("\0") else { return nil }
      let base = URL(fileURLWithPath: folder, isDirectory: true)
      let path = URL(fileURLWithPath: text, relativeTo: base).standardizedFileURL.path
      return (make(path), .string(path))
    }
  }

  /// Accepts a list of whole numbers, `counts` of them; if one is allowed, it needs no brackets.
  public static func integers(
    _ range: IntegerRange = .any, counts: ClosedRange<Int>, _ make: @escaping ([Int]) -> Value
  ) -> Form {
    let sample = make(Array(repeating: range.sample, count: counts.lowerBound))
    let expected = listed(range.expected, counts)
    return Form(expected: expected, words: [], sample: sample) { found, _ in
      var integers: [Int] = []
      for element in elements(of: found, counts) {
        guard case .integer(let integer) = element, range.contains(integer) else { return nil }
        integers.append(integer)
      }
      guard counts.contains(integers.count) else { return nil }
      return (make(integers), .list(integers.map { .integer($0) }))
    }
  }

  /// Accepts a list of numbers, `counts` of them; if one is allowed, it needs no brackets.
  public static func numbers(
    _ range: NumberRange = .finite, counts: ClosedRange<Int>, _ make: @escaping ([Double]) -> Value
  ) -> Form {
    let sample = make(Array(repeating: range.sample, count: counts.lowerBound))
    let expected = listed(range.expected, counts)
    return Form(expected: expected, words: [], sample: sample) { found, _ in
      var numbers: [Double] = []
      for element in elements(of: found, counts) {
        guard let number = element.number, range.contains(number) else { return nil }
        numbers.append(number)
      }
      guard counts.contains(numbers.count) else { return nil }
      return (make(numbers), .list(numbers.map { .number($0) }))
    }
  }
}

extension ConfigurationValue {
  /// The value as a number, if it is one.
  fileprivate var number: Double? {
    switch self {
    case .integer(let integer): Double(integer)
    case .number(let number): number
    default: nil
    }
  }
}

private func elements(
  of value: ConfigurationValue, _ counts: ClosedRange<Int>
) -> [ConfigurationValue] {
  if case .list(let elements) = value { return elements }
  return counts.contains(1) ? [value] : [.null]
}

/// Returns the name of a list form, such as `a positive integer or a list of 2 of them`.
private func listed(_ expected: String, _ counts: ClosedRange<Int>) -> String {
  let lower = max(counts.lowerBound, counts.contains(1) ? 2 : 0)
  if counts.upperBound <= 1 { return expected }
  let many =
    if lower >= counts.upperBound {
      "\(counts.upperBound)"
    } else if counts.upperBound == Int.max {
      "any number"
    } else {
      "\(lower) to \(counts.upperBound)"
    }
  let single = counts.contains(1) ? "\(expected) or " : ""
  return single + "a list of \(many)" + (single.isEmpty ? ", each \(expected)" : " of them")
}

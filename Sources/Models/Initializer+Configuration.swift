// Initial values as configurations write them.
public import Configuration

extension Initializer {
  /// Reads the initial values of a parameter.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - section: The section that holds it.
  ///   - name: The initializer that an absent key means.
  ///   - meaning: The purpose of the key, in a few words.
  /// - Returns: The initializer.
  /// - Throws: `ConfigurationError` naming the key.
  public static func read(
    _ key: String, from section: Section, default name: String, meaning: String
  ) throws(ConfigurationError) -> Initializer {
    var alternatives: [Alternative<Initializer>] = [
      Alternative("zeros", meaning: "all zeros") { (_) throws(ConfigurationError) in .zeros },
      Alternative("constant", primary: "value", meaning: "one number") {
        (section) throws(ConfigurationError) in
        .constant(try section.number("value", meaning: "the number"))
      },
      Alternative("uniform", meaning: "uniform between two bounds") {
        (section) throws(ConfigurationError) in
        let low = try section.number("low", default: -0.05, meaning: "lower bound")
        let high = try section.number("high", default: 0.05, meaning: "upper bound")
        guard low <= high || section.isListing else {
          throw section.unusable("high", found: "\(high)", expected: "at least 'low', \(low)")
        }
        return .uniform(low: low, high: high)
      },
      Alternative("normal", meaning: "normal distribution") {
        (section) throws(ConfigurationError) in
        .normal(
          mean: try section.number("mean", default: 0, meaning: "mean"),
          deviation: try section.number(
            "deviation", default: 0.05, in: .nonNegative, meaning: "standard deviation"))
      },
    ]
    for rule in VarianceRule.allCases {
      for distribution in Distribution.allCases {
        alternatives.append(
          Alternative(
            "\(rule.rawValue)_\(distribution.rawValue)",
            meaning: "\(distribution.rawValue), mean 0, variance \(rule.formula)"
          ) { (_) throws(ConfigurationError) in .scaled(rule, distribution) })
      }
    }
    return try section.oneOf(
      key, noun: "initializer", alternatives, default: name, meaning: meaning)
  }
}

extension Initializer.VarianceRule {
  fileprivate var formula: String {
    switch self {
    case .glorot: "2 / (in + out)"
    case .he: "2 / in"
    case .lecun: "1 / in"
    }
  }
}

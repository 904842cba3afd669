// Layers of several inputs, and layers that take or add a part of an axis, as configurations write them.
import Configuration

extension Layer {
  /// How a table starts where nothing is said.
  static let usualTable = Initializer.normal(mean: 0, deviation: 0.05)

  /// The layers that this file reads; each is given what stands beside it by `named`.
  static func structureAlternatives(
    _ named: @escaping @Sendable (Kind, Section) throws(ConfigurationError) -> Layer
  ) -> [Alternative<Layer>] {
    [
      Alternative("add", meaning: "sum of the layers in 'from'") {
        (section) throws(ConfigurationError) in try named(.add, section)
      },
      Alternative("multiply", meaning: "product of the layers in 'from', element by element") {
        (section) throws(ConfigurationError) in try named(.multiply, section)
      },
      Alternative(
        "concatenate", primary: "axis", meaning: "the layers in 'from' one after the other"
      ) { (section) throws(ConfigurationError) in
        let axis = try section.integer(
          "axis", default: 0, in: .between(0, 7), meaning: "axis of a row, from 0")
        return try named(.concatenate(axis: axis), section)
      },
      Alternative(
        "embedding", meaning: "a trained row of a table for each whole number of the samples"
      ) {
        (section) throws(ConfigurationError) in
        let count = try section.integer(
          "count", in: .between(1, 1 << 24), meaning: "rows of the table; numbers are below it")
        let units = try section.integer(
          "units", in: .between(1, 1 << 20), meaning: "numbers of a row of the table")
        let weight = try Initializer.read(
          "weight", from: section, default: "normal", meaning: "initial values of the table")
        return try named(.embedding(count: count, units: units, weight: weight), section)
      },
      Alternative("slice", meaning: "a part of an axis") {
        (section) throws(ConfigurationError) in
        let axis = try section.integer(
          "axis", default: 0, in: .between(0, 7), meaning: "axis of a row, from 0")
        let start = try section.integer(
          "start", default: 0, in: .nonNegative, meaning: "first element")
        let end = try section.optionalInteger(
          "end", in: .positive, unset: "the length of the axis",
          meaning: "element behind the last one")
        return try named(.slice(axis: axis, start: start, end: end), section)
      },
      Alternative("pad", meaning: "zeros before and after an axis") {
        (section) throws(ConfigurationError) in
        let axis = try section.integer(
          "axis", default: 0, in: .between(0, 7), meaning: "axis of a row, from 0")
        let before = try section.integer(
          "before", default: 0, in: .between(0, 1 << 24), meaning: "zeros before its elements")
        let after = try section.integer(
          "after", default: 0, in: .between(0, 1 << 24), meaning: "zeros after its elements")
        return try named(.pad(axis: axis, before: before, after: after), section)
      },
    ]
  }
}

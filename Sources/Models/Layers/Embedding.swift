// Tables whose rows are named by numbers.
public import Configuration
public import Graphs
import Tensors

extension Layer {
  /// A trained row of a table for each number; these are whole, below `count`, and from the samples.
  public struct Embedding: LayerKind {
    /// The rows of the table.
    public let count: Int
    /// The numbers of a row of the table.
    public let units: Int
    /// The initial values of the table.
    public let weight: Initializer

    /// The initial values of a table for which no others are given.
    public static let usualWeight = Initializer.normal(mean: 0, deviation: 0.05)

    /// Describes an embedding.
    ///
    /// - Parameters:
    ///   - count: The rows of the table.
    ///   - units: The numbers of a row of the table.
    ///   - weight: The initial values of the table.
    public init(count: Int, units: Int, weight: Initializer = Embedding.usualWeight) {
      self.count = count
      self.units = units
      self.weight = weight
    }

    /// The name in configurations.
    public var configurationName: String { "embedding" }

    /// The initial values of the table, unless they are the usual ones.
    public var ownInitialValues: [Initializer] {
      weight == Embedding.usualWeight ? [] : [weight]
    }

    /// Adds a row of the table for each number; indices are validated once the model is complete.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      guard count > 0, units > 0 else {
        throw builder.fault(
          found: "\(count) rows of \(units) units", expected: "at least 1 of each")
      }
      let table = try builder.parameter(
        "weight", shape: [count, units], initially: weight, kind: .weight)
      builder.requireRowNumbers(inputs[0], below: count)
      return try builder.graph.add(.embedding, [table, inputs[0]])
    }
  }
}

extension LayerKind where Self == Layer.Embedding {
  /// Describes an embedding.
  public static func embedding(
    count: Int, units: Int, weight: Initializer = Layer.Embedding.usualWeight
  ) -> Self {
    Self(count: count, units: units, weight: weight)
  }
}

extension Layer.Embedding: ConfigurableLayerKind {
  /// The keys of `embedding`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative(
        "embedding", meaning: "a trained row of a table for each whole number of the samples"
      ) { (section) throws(ConfigurationError) in
        let count = try section.integer(
          "count", in: .between(1, 1 << 24), meaning: "rows of the table; numbers are below it")
        let units = try section.integer(
          "units", in: .between(1, 1 << 20), meaning: "numbers of a row of the table")
        let weight = try Initializer.read(
          "weight", from: section, default: "normal", meaning: "initial values of the table")
        return Layer.Embedding(count: count, units: units, weight: weight)
      }
    ]
  }
}

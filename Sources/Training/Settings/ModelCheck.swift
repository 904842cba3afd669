import DataParallel
public import Graphs
import Models
import Tensors

/// The derivatives of a configured model against central differences and each other.
public enum ModelCheck {
  /// Checks the derivatives of the summed loss of a few rows with respect to every parameter and input.
  ///
  /// - Parameters:
  ///   - path: The configuration.
  ///   - overrides: Overrides of it.
  ///   - rowCount: The number of rows of the training data whose loss is computed, from the first.
  ///   - options: The extent of the comparison.
  ///   - usesJacobians: Multiplies whole Jacobians too.
  /// - Returns: The comparisons.
  /// - Throws: Errors of reading the configuration and the data.
  public static func run(
    _ path: String, overrides: [String], rowCount: Int, options: GradientCheckOptions,
    usesJacobians: Bool = false
  ) throws -> DerivativeCheck {
    let (configuration, _) = try readConfiguration(path, overrides: overrides)
    let splits = try Splits.open(configuration)
    let network = try configuration.network(
      sampleShape: splits.sampleShape, targets: splits.targets)
    try splits.validate(for: network)
    try network.requireMemory(for: configuration.optimizer, rankCount: 1)
    let rows = min(rowCount, splits.train.rowCount)
    try network.graph.requireCheckable(batch: rows)
    var values = try leaves(splits, rows: rows, network)
    let layout = network.layout
    let parameters = FloatBuffer(count: layout.count)
    network.writeInitialValues(into: parameters, seed: configuration.seed)
    for range in layout.ranges {
      values[range.name] = Tensor(
        shape: range.shape, values: parameters.elements[range.indices].map(Double.init))
    }
    let graph = network.graph
    // The loss is not differentiable in numbers that name rows of tables.
    let fixed = network.wholeNumbers.isEmpty ? nil : Network.samplesName
    let inputs = graph.nodes.filter { graph[$0].operation == .data && graph[$0].name != fixed }
    return try graph.checkDerivatives(
      of: network.loss, withRespectTo: network.parameters.map(\.node) + inputs, at: values,
      options: options, usesJacobians: usesJacobians)
  }

  /// Returns the samples and targets of the first rows.
  private static func leaves(
    _ splits: Splits, rows: Int, _ network: Network
  ) throws -> [String: Tensor] {
    let samples = FloatBuffer(count: rows * splits.sampleShape.count)
    var values: [String: Tensor] = [:]
    try Array(0..<rows).withUnsafeBufferPointer { indices in
      switch splits.targets {
      case .labels:
        var labels = [Int32](repeating: 0, count: rows)
        try labels.withUnsafeMutableBufferPointer { labels in
          guard let base = labels.baseAddress else { return }
          try splits.train.read(indices, samples: samples.pointer, targets: .labels(base))
        }
        values[Network.targetsName] = Tensor(shape: [rows], values: labels.map(Double.init))
      case .responses(let count):
        let responses = FloatBuffer(count: rows * count)
        try splits.train.read(
          indices, samples: samples.pointer, targets: .responses(responses.pointer))
        values[Network.targetsName] = Tensor(
          shape: [rows, count], values: responses.elements.map(Double.init))
      }
    }
    values[Network.samplesName] = Tensor(
      shape: Shape([rows] + splits.sampleShape.extents), values: samples.elements.map(Double.init))
    return values
  }
}

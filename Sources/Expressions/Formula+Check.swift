// Random values for the symbols of a formula, and its gradient against central differences.
public import Graphs
import Numerics
public import Tensors

extension Formula {
  /// Returns seeded random values for all symbols.
  ///
  /// Numbers come from the normal distribution; if the first output is not finite there, as with
  /// logarithms of negative numbers, from 0.5 to 1.5. Labels are below the number of classes of what
  /// they choose from.
  ///
  /// - Parameters:
  ///   - seed: The seed they are drawn from, with the name of the symbol.
  ///   - batch: The number of rows.
  /// - Returns: A tensor per symbol, by name.
  /// - Throws: `GraphError` if the formula cannot be evaluated.
  public func randomValues(
    seed: UInt64, batch: Int
  ) throws(GraphError) -> [String: Tensor] {
    try randomPoint(seed: seed, batch: batch).values
  }

  /// The values of ``randomValues(seed:batch:)``, and whether they had to be positive.
  private func randomPoint(
    seed: UInt64, batch: Int
  ) throws(GraphError) -> (values: [String: Tensor], isPositive: Bool) {
    let values = randomValues(seed, batch) { Double($0.normal(at: $1)) }
    let first = try graph.evaluate([outputs[0]], with: values, batch: batch)[0]
    if first.values.allSatisfy(\.isFinite) { return (values, false) }
    return (randomValues(seed, batch) { 0.5 + Double($0.uniform(at: $1)) }, true)
  }

  private func randomValues(
    _ seed: UInt64, _ batch: Int, _ number: (RandomDraws, Int) -> Double
  ) -> [String: Tensor] {
    var values: [String: Tensor] = [:]
    for node in graph.nodes {
      let record = graph[node]
      guard let name = record.name else { continue }
      let shape = record.shape.resolved(batch: batch)
      let draws = RandomDraws(seed: seed, stream: randomStream("expression", name))
      let classes = record.operation == .labels ? classCount(of: node) : nil
      values[name] = Tensor(
        shape: shape,
        values: (0..<shape.count).map { index in
          classes.map { Double(Int(draws.bits(at: index)[0]) % $0) } ?? number(draws, index)
        })
    }
    return values
  }

  /// The smallest number of classes that the users of a label node expect.
  private func classCount(of labels: Graph.Node) -> Int {
    var classes = Int.max
    for node in graph.nodes {
      let record = graph[node]
      guard record.inputs.contains(where: { graph.labels(behind: $0) == labels }) else { continue }
      switch record.operation {
      case .oneHot(let count): classes = min(classes, count)
      case .gather:
        if case .fixed(let count) = graph.shape(of: record.inputs[0])[0] {
          classes = min(classes, count)
        }
      case .softmaxCrossEntropy, .softmaxCrossEntropyGradient:
        let logits = record.operation == .softmaxCrossEntropy ? 0 : 1
        if case .fixed(let count)? = graph.shape(of: record.inputs[logits]).extents.last {
          classes = min(classes, count)
        }
      default: break
      }
    }
    return classes == Int.max ? 1 : max(classes, 1)
  }

  /// Compares the gradient of the first output with central differences, at random values.
  ///
  /// - Parameters:
  ///   - batch: The number of rows.
  ///   - options: The extent of the comparison, and the seed of the values.
  /// - Returns: One entry per symbol that is not labels, parameters and data alike.
  /// - Throws: `GraphError` if the formula cannot be evaluated.
  public func checkGradient(
    batch: Int, options: GradientCheckOptions
  ) throws(GraphError) -> GradientCheck {
    try graph.checkGradient(
      of: outputs[0], withRespectTo: numbers,
      at: randomValues(seed: options.seed, batch: batch), options: options)
  }

  /// Checks all derivatives of the first output, first and second, at random values.
  ///
  /// - Parameters:
  ///   - batch: The number of rows.
  ///   - options: The extent of the comparison, and the seed of the values.
  ///   - usesJacobians: True to multiply whole Jacobians too.
  /// - Returns: The comparisons, with respect to every symbol that is not labels, and whether values had
  ///   to be positive for the output to be finite.
  /// - Throws: `GraphError` if the formula cannot be evaluated, or its Jacobians are too large.
  public func checkDerivatives(
    batch: Int, options: GradientCheckOptions, usesJacobians: Bool = false
  ) throws(GraphError) -> (check: DerivativeCheck, isPositive: Bool) {
    try graph.requireCheckable(batch: batch)
    let (values, isPositive) = try randomPoint(seed: options.seed, batch: batch)
    return (
      try graph.checkDerivatives(
        of: outputs[0], withRespectTo: numbers, at: values, options: options,
        usesJacobians: usesJacobians), isPositive
    )
  }

  /// The symbols that are not labels.
  private var numbers: [Graph.Node] {
    graph.nodes.filter { graph[$0].name != nil && graph[$0].operation != .labels }
  }

  /// The name of a symbol as LaTeX sets it, such as `\theta_{1}`.
  public static func latex(_ name: String) -> String { Notations.name(name, .latex) }
}

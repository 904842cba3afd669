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
  ///   - seed: What they are drawn from, with the name of the symbol.
  ///   - batch: The number of rows.
  /// - Returns: A tensor per symbol, by name.
  /// - Throws: `GraphError` if the formula cannot be evaluated.
  public func randomValues(
    seed: UInt64, batch: Int
  ) throws(GraphError) -> [String: Tensor] {
    var values = randomValues(seed, batch) { Double($0.normal(at: $1)) }
    let first = try graph.evaluate([outputs[0]], with: values, batch: batch)[0]
    if !first.values.allSatisfy(\.isFinite) {
      values = randomValues(seed, batch) { 0.5 + Double($0.uniform(at: $1)) }
    }
    return values
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
  ///   - options: How much is compared, and the seed of the values.
  /// - Returns: One entry per symbol that is not labels, parameters and data alike.
  /// - Throws: `GraphError` if the formula cannot be evaluated.
  public func checkGradient(
    batch: Int, options: GradientCheckOptions
  ) throws(GraphError) -> GradientCheck {
    let targets = graph.nodes.filter { graph[$0].name != nil && graph[$0].operation != .labels }
    return try graph.checkGradient(
      of: outputs[0], withRespectTo: targets,
      at: randomValues(seed: options.seed, batch: batch), options: options)
  }

  /// The name of a symbol as LaTeX sets it, such as `\theta_{1}`.
  public static func latex(_ name: String) -> String { Notations.name(name, .latex) }
}

// Vector–Jacobian products against central differences, in double precision.

public import Graphs
public import Tensors

/// A vector–Jacobian product beside the central difference it must agree with.
public struct VJPComparison: CustomStringConvertible {
  /// `⟨vjp(c), d⟩`, by differentiation of the graph.
  public let product: Double
  /// The derivative of `⟨c, f⟩` along `d`, by central differences.
  public let difference: Double
  /// The sum of the magnitudes of the terms of both.
  public let size: Double

  /// The disagreement over the size of what was summed.
  public var relativeError: Double { abs(product - difference) / max(size, 1e-3) }

  /// Both numbers and how far they are apart.
  public var description: String {
    "⟨vjp(c), d⟩ = \(product), difference = \(difference), relative error \(relativeError)"
  }
}

/// Compares `⟨vjp(c), d⟩` with a central difference along `d`, for random `c` and `d`.
///
/// `(f(−2h) − 8 f(−h) + 8 f(h) − f(2h)) / 12h` with `h = 10⁻³`: for functions whose derivatives are
/// about as large as they are, the truncation error is about 10⁻¹² and the rounding error 10⁻¹³.
///
/// - Parameters:
///   - output: The node of `f`.
///   - targets: The leaves that are moved along `d`, all at once.
///   - graph: Their graph.
///   - values: A value for every leaf.
///   - batch: The rows computed at once.
///   - seed: What `c` and `d` are drawn from.
/// - Returns: Both numbers.
/// - Throws: `GraphError` if the graph cannot be differentiated or evaluated.
public func checkVJP(
  of output: Graph.Node, withRespectTo targets: [Graph.Node], in graph: Graph,
  at values: [String: Tensor], batch: Int, seed: String
) throws -> VJPComparison {
  var graph = graph
  var values = values
  let shape = graph.shape(of: output)
  var numbers = TestNumbers("vjp", seed)
  let cotangentName = "cotangent of node \(output.index)"
  let cotangent = try graph.data(cotangentName, shape: shape)
  let c = numbers.tensor(shape.resolved(batch: batch))
  values[cotangentName] = c
  let products = try graph.gradient(of: output, cotangent: cotangent, withRespectTo: targets)
  graph.verify()
  let gradients = try graph.evaluate(products, with: values, batch: batch)
  var directions: [String: Tensor] = [:]
  var product = 0.0
  var size = 0.0
  for (target, gradient) in zip(targets, gradients) {
    precondition(graph.shape(of: target).resolved(batch: batch) == gradient.shape)
    let direction = numbers.tensor(gradient.shape)
    directions[graph[target].name ?? ""] = direction
    for (g, d) in zip(gradient.values, direction.values) {
      product += g * d
      size += abs(g * d)
    }
  }
  let h = 1e-3
  var difference = 0.0
  for (step, weight) in [(-2 * h, 1.0), (-h, -8), (h, 8), (2 * h, -1)] {
    var moved = values
    for (name, direction) in directions {
      guard let value = values[name] else { throw GraphError.missingValue(name) }
      moved[name] = Tensor(
        shape: value.shape, values: zip(value.values, direction.values).map { $0 + step * $1 })
    }
    let result = try graph.evaluate([output], with: moved, batch: batch)[0]
    for (f, c) in zip(result.values, c.values) { difference += weight * f * c / (12 * h) }
  }
  return VJPComparison(product: product, difference: difference, size: size)
}

// Difference quotients of a graph's output along straight lines, and how far they can be trusted.
import Tensors

/// A graph's output along straight lines through the value of one leaf.
struct Line {
  private let graph: Graph
  private let output: Graph.Node
  private let name: String
  private let values: [String: Tensor]
  private let batch: Int
  /// The values of all nodes without a step.
  private let center: [Tensor?]
  /// Those that stay as they are.
  private let fixed: [Tensor?]
  private let isNeeded: [Bool]
  /// The nodes that depend on the leaf and have kinks.
  private let kinks: [Graph.Node]
  private let tolerance: Double
  private let smallestSize: Double

  /// The largest uncertainty of a difference quotient, over its size, that shows anything.
  private static let largestBound = 5e-6
  /// The number of step lengths, each an eighth of the one before.
  private static let stepCount = 4

  /// Prepares lines through the value of a leaf.
  ///
  /// - Parameters:
  ///   - leaf: The node that moves.
  ///   - output: The node whose sum is looked at.
  ///   - graph: The graph of both.
  ///   - values: A value for every leaf.
  ///   - center: The values of the nodes that `output` depends on.
  ///   - tolerance: The relative difference from which on smaller steps are taken.
  ///   - smallestSize: The least size that differences are relative to.
  init(
    through leaf: Graph.Node, of output: Graph.Node, in graph: Graph, values: [String: Tensor],
    center: [Tensor?], tolerance: Double, smallestSize: Double
  ) {
    (self.graph, self.output, self.values, self.center) = (graph, output, values, center)
    (self.tolerance, self.smallestSize) = (tolerance, smallestSize)
    name = graph[leaf].name ?? ""
    batch = graph.batch(of: values) ?? 1
    isNeeded = graph.isNeeded(for: [output])
    var moves = Array(repeating: false, count: graph.count)
    moves[leaf.index] = true
    for node in graph.nodes where graph[node].inputs.contains(where: { moves[$0.index] }) {
      moves[node.index] = true
    }
    fixed = zip(center, moves).map { $1 ? nil : $0 }
    let isNeeded = isNeeded
    kinks = graph.nodes.filter {
      moves[$0.index] && isNeeded[$0.index] && graph[$0].operation.rule is any KinkedRule
    }
  }

  /// The result of one step length.
  private struct Quotient {
    /// The difference quotient of half the step.
    let central: Double
    /// The distance of that of the whole step from it: truncation and rounding.
    let disagreement: Double
    /// A bound on the rounding errors of the sums.
    let rounding: Double
    /// Indicates whether something has another side of a kink somewhere on the way.
    let crossesKink: Bool

    var isFinite: Bool { central.isFinite && disagreement.isFinite && rounding.isFinite }
  }

  /// Compares the derivative along a direction with difference quotients.
  ///
  /// - Parameters:
  ///   - gradient: The derivative to compare.
  ///   - direction: The direction, as many numbers as the leaf has.
  ///   - size: The size of what moves.
  ///   - element: The element that moves, if it is one alone.
  /// - Returns: The comparison.
  /// - Throws: ``GraphError`` if the graph cannot be evaluated.
  func compare(
    _ gradient: Double, along direction: [Double], size: Double, element: Int?
  ) throws(GraphError) -> GradientCheck.Sample {
    func sample(_ difference: Double, bound: Double, isAtKink: Bool) -> GradientCheck.Sample {
      let error = abs(gradient - difference) / scale(difference)
      return GradientCheck.Sample(
        element: element, gradient: gradient, difference: difference,
        relativeError: error.isFinite ? error : .infinity, errorBound: bound, isAtKink: isAtKink)
    }
    func scale(_ difference: Double) -> Double { max(abs(gradient), abs(difference), smallestSize) }
    let norm = direction.reduce(0) { max($0, abs($1)) }
    // The fifth root of the machine epsilon.
    var step = 7.4e-4 * max(size, 0.1) / max(norm, 1e-300)
    let isDefined =
      gradient.isFinite && center[output.index]?.values.allSatisfy(\.isFinite) ?? false
    var found: [Quotient] = []
    for _ in 0..<(isDefined ? Line.stepCount : 1) {
      let quotient = try self.quotient(direction, step)
      guard isDefined else { return sample(quotient.central, bound: 0, isAtKink: false) }
      found.append(quotient)
      step /= 8
      guard quotient.isFinite else { continue }
      let size = scale(quotient.central)
      let bound = min(quotient.disagreement / size, Line.largestBound) + quotient.rounding / size
      guard bound < 2 * Line.largestBound else { continue }
      let comparison = sample(quotient.central, bound: bound, isAtKink: false)
      if comparison.excess <= tolerance { return comparison }
    }
    // None agrees: the step whose quotient is surest, of those that cross no kink, says how far off it is. Noise
    // grows as steps shrink, so that of smaller steps bounds that of larger ones.
    var (noise, surest): (Double, (quotient: Quotient, bound: Double)?) = (0, nil)
    for quotient in found.reversed() where quotient.isFinite && !quotient.crossesKink {
      noise = max(noise / 8, quotient.disagreement)
      let bound = (4 * noise + quotient.rounding) / scale(quotient.central)
      if bound <= Line.largestBound, bound < surest?.bound ?? .infinity {
        surest = (quotient, bound)
      }
    }
    guard let surest else {
      return sample(found[0].central, bound: 0, isAtKink: true)
    }
    return sample(surest.quotient.central, bound: surest.bound, isAtKink: false)
  }

  /// The difference quotients with a step and with half of it.
  private func quotient(_ direction: [Double], _ h: Double) throws(GraphError) -> Quotient {
    var rows: [[Double]] = []
    var crossesKink = false
    for step in [-2 * h, -h, -h / 2, h / 2, h, 2 * h] {
      let (row, crosses) = try value(direction, step)
      rows.append(row)
      crossesKink = crossesKink || crosses
    }
    var (whole, half, size) = (0.0, 0.0, 0.0)
    for row in rows[0].indices {
      whole += rows[0][row] - 8 * rows[1][row] + 8 * rows[4][row] - rows[5][row]
      half += rows[1][row] - 8 * rows[2][row] + 8 * rows[3][row] - rows[4][row]
      size += abs(rows[1][row]) + 8 * abs(rows[2][row])
    }
    let central = half / (6 * h)
    return Quotient(
      central: central, disagreement: abs(whole / (12 * h) - central),
      rounding: 8 * Double.ulpOfOne * size / (6 * h), crossesKink: crossesKink)
  }

  /// The output after a step, and whether a kink lies between it and the center.
  private func value(
    _ direction: [Double], _ step: Double
  ) throws(GraphError) -> (output: [Double], crossesKink: Bool) {
    var values = values
    guard var moved = values[name] else { throw .missingValue(name) }
    for index in direction.indices where direction[index] != 0 {
      moved.values[index] += step * direction[index]
    }
    values[name] = moved
    var computed = fixed
    try graph.evaluate(isNeeded, with: values, batch: batch, into: &computed)
    return (
      computed[output.index]?.values ?? [],
      kinks.contains { graph.isKinkCrossed(at: $0, from: center, to: computed) }
    )
  }
}

extension Graph {
  /// Returns true if an element of a node's operands is on another side of the node's kinks than before.
  fileprivate func isKinkCrossed(
    at node: Node, from before: [Tensor?], to after: [Tensor?]
  ) -> Bool {
    let record = self[node]
    guard let rule = record.operation.rule as? any KinkedRule else { return false }
    let old = record.inputs.compactMap { before[$0.index] }
    let new = record.inputs.compactMap { after[$0.index] }
    guard old.count == record.inputs.count, new.count == record.inputs.count else { return false }
    return rule.crossesKink(from: old, to: new)
  }
}

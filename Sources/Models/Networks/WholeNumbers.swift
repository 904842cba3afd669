// The elements of samples that name rows of tables, and so must be whole numbers.
import Graphs
import Tensors

extension Network {
  /// Elements of a sample that name rows of a table.
  public struct WholeNumbers: Hashable, Sendable {
    /// The layer that has the table.
    public let layer: String
    /// The rows of the table; the numbers are within `0 ..< count`.
    public let count: Int
    /// The indices of the elements in a sample, row-major.
    public let elements: [Int]
  }
}

extension LayerBuilder {
  /// Finds the elements of the samples that name rows of tables.
  ///
  /// - Parameter sampleShape: The shape of a sample.
  /// - Returns: One item per table.
  /// - Throws: ``ModelError`` where numbers are computed, so that they cannot be checked before the run.
  func wholeNumbers(sampleShape: Shape) throws -> [Network.WholeNumbers] {
    try tables.map { layer, count, numbers in
      let needed = graph.isNeeded(for: [numbers])
      for node in graph.nodes.reversed() where needed[node.index] {
        guard !graph[node].operation.movesElements else { continue }
        throw ModelError.layer(
          layer,
          found: "numbers that are \(graph[node].operation.label) of '\(graph[node].layer ?? "")'",
          expected: "those of the samples, at most sliced, permuted or in another shape")
      }
      // Elements that carry their own index show where they go.
      let indices = Tensor(
        shape: Shape([1] + sampleShape.extents), values: (0..<sampleShape.count).map(Double.init))
      let found = try graph.evaluate(
        [numbers], with: [Network.samplesName: indices], batch: 1)
      return Network.WholeNumbers(
        layer: layer, count: count, elements: found[0].values.map { Int($0) })
    }
  }
}

extension Graph.Operation {
  /// Indicates that every element of the value is one of an operand's.
  fileprivate var movesElements: Bool {
    if case .reshape = self { return true }
    if case .slice = self { return true }
    if case .permute = self { return true }
    if case .concatenate = self { return true }
    return self == .data
  }
}

// Rewrites what no kernel computes directly into what kernels do compute.
import Graphs
import Tensors

extension Graph {
  /// Returns a graph whose reductions are over neighbouring axes only, with the same values.
  ///
  /// A reduction over separate groups of axes becomes one per group, last group first. A squared
  /// norm over axes that are not the last becomes squares and a sum.
  ///
  /// - Returns: The graph, and where each node went.
  func legalised() throws(GraphError) -> (graph: Graph, moved: [Node]) {
    var result = Graph()
    var moved: [Node] = []
    for node in nodes {
      let record = self[node]
      let inputs = record.inputs.map { moved[$0.index] }
      result.layer = record.layer
      switch record.operation {
      case .data: moved.append(try result.data(record.name ?? "", shape: record.shape))
      case .labels: moved.append(try result.labels(record.name ?? "", shape: record.shape))
      case .parameter: moved.append(try result.parameter(record.name ?? "", shape: record.shape))
      case .constant(let values):
        moved.append(
          result.constant(Tensor(shape: record.shape.resolved(batch: 1), values: values)))
      case .fill(let value): moved.append(result.fill(value, shape: record.shape))
      case .sum(let axes):
        moved.append(try result.reduced(inputs[0], axes) { .sum(axes: $0) })
      case .mean(let axes):
        moved.append(try result.reduced(inputs[0], axes) { .mean(axes: $0) })
      case .squaredNorm(let axes) where !isTrailing(axes, of: shape(of: record.inputs[0])):
        let squares = try result.add(.square, inputs)
        moved.append(try result.reduced(squares, axes) { .sum(axes: $0) })
      default: moved.append(try result.add(record.operation, inputs, name: record.name))
      }
    }
    return (result, moved)
  }

  private func isTrailing(_ axes: [Int], of shape: SymbolicShape) -> Bool {
    axes.sorted() == Array(shape.axisCount - axes.count..<shape.axisCount)
  }

  private mutating func reduced(
    _ input: Node, _ axes: [Int], by operation: ([Int]) -> Operation
  ) throws(GraphError) -> Node {
    var groups: [[Int]] = []
    for axis in axes.sorted() {
      if let last = groups.last?.last, last + 1 == axis {
        groups[groups.count - 1].append(axis)
      } else {
        groups.append([axis])
      }
    }
    var result = input
    for group in groups.reversed() { result = try add(operation(group), [result]) }
    return result
  }
}

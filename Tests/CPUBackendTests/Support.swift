import CPUBackend
import Execution
import Graphs
import Tensors
import TestSupport

/// The results of a plan, read back.
struct PlanResult {
  var values: [Tensor]
  var gradients: [Tensor]
}

/// A plan with its memory, its inputs written.
final class PreparedPlan {
  let graph: Graph
  let batch: Int
  let layout: FlatLayout
  let plan: Plan
  let parameters: FloatBuffer
  let gradient: FloatBuffer
  private let values: [Graph.Node]
  private let gradients: [(parameter: String, node: Graph.Node)]

  /// The number that fills the gradient before a run, to see what is written.
  static let canary: Float = 0x1.5p100

  init(
    _ graph: Graph, batch: Int, values: [Graph.Node] = [],
    gradients: [(parameter: String, node: Graph.Node)] = [], inputs: [String: Tensor],
    workspace: any Workspace = CPU().makeWorkspace(), fuses: Bool = true
  ) throws {
    self.graph = graph
    self.batch = batch
    self.values = values
    self.gradients = gradients
    layout = FlatLayout(
      graph.parameters.map {
        (graph[$0].name ?? "", graph.shape(of: $0).resolved(batch: batch))
      })
    plan = try Plan(
      graph, group: MicrobatchGroup(rowCount: batch), values: values, gradients: gradients,
      layout: layout, workspace: workspace,
      preferences: fuses ? workspace.preferences : workspace.preferences.withoutFusion)
    parameters = FloatBuffer(count: layout.count)
    gradient = FloatBuffer(count: layout.count)
    for range in layout.ranges {
      guard let value = inputs[range.name] else { throw GraphError.missingValue(range.name) }
      for (index, number) in zip(range.indices, value.values) {
        parameters.pointer[index] = Float(number)
      }
    }
  }

  /// Writes the inputs, runs, and reads the results.
  func run(_ inputs: [String: Tensor]) -> PlanResult {
    for (name, value) in inputs {
      if let data = plan.data(name) {
        for (index, number) in value.values.enumerated() { data[index] = Float(number) }
      }
      if let labels = plan.labels(name) {
        for (index, number) in value.values.enumerated() { labels[index] = Int32(number) }
      }
    }
    return runAgain()
  }

  /// Runs on the inputs that are there.
  func runAgain() -> PlanResult {
    gradient.elements.update(repeating: PreparedPlan.canary)
    plan.run(parameters: parameters.pointer, gradient: gradient.pointer)
    return PlanResult(
      values: values.map { node in
        let shape = graph.shape(of: node).resolved(batch: batch)
        let pointer = plan.value(of: node)
        return Tensor(shape: shape, values: (0..<shape.count).map { Double(pointer[$0]) })
      },
      gradients: gradients.map { name, node in
        let range = layout[name]?.indices ?? 0..<0
        return Tensor(
          shape: graph.shape(of: node).resolved(batch: batch),
          values: range.map { Double(gradient.pointer[$0]) })
      })
  }

  /// The elements of the flat gradient outside the ranges of the gradients.
  var untouched: [Float] {
    var isWritten = Array(repeating: false, count: layout.count)
    for (name, _) in gradients {
      for index in layout[name]?.indices ?? 0..<0 { isWritten[index] = true }
    }
    return isWritten.indices.filter { !isWritten[$0] }.map { gradient.pointer[$0] }
  }
}

/// The bits of tensors, to tell −0 from 0 and one rounding from another.
func bits(_ tensors: [Tensor]) -> [[UInt64]] { tensors.map { $0.values.map(\.bitPattern) } }

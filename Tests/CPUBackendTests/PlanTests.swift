import CPUBackend
import Execution
import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Plan against the interpreter")
struct PlanTests {
  @Test(
    "every operation and its gradient, at extents around vector widths",
    arguments: [1, 2, 7, 15, 16, 17, 31, 32, 33])
  func operations(width: Int) throws {
    for batch in [1, 2, 7, 16, 17] {
      for sample in try operationSamples(batch: batch, width: width) {
        try compare(sample)
      }
    }
  }

  /// Compares the value and the vector–Jacobian products of one sample.
  private func compare(_ sample: OperationSample) throws {
    let isLabels = OperationKind(sample.graph[sample.output].operation) == .labels
    let isParameter = OperationKind(sample.graph[sample.output].operation) == .parameter
    // A plan holds class numbers and parameters where the caller put them.
    guard !isLabels, !isParameter else { return }
    var graph = sample.graph
    var inputs = sample.values
    let shape = graph.shape(of: sample.output)
    let cotangent = try graph.data("cotangent", shape: shape)
    var numbers = TestNumbers("plan", sample.description)
    inputs["cotangent"] = numbers.tensor(shape.resolved(batch: sample.batch))
    let products = try graph.gradient(
      of: sample.output, cotangent: cotangent, withRespectTo: sample.numbers)
    let nodes = [sample.output] + products
    let expected = try graph.evaluate(nodes, with: inputs, batch: sample.batch)
    let found = try PreparedPlan(graph, batch: sample.batch, values: nodes, inputs: inputs)
      .run(inputs).values
    for (a, b) in zip(found, expected) {
      #expect(relativeDistance(a, b) < 2e-6, "\(sample)")
    }
  }

  @Test("random graphs and their gradients", arguments: 0..<300)
  func randomGraphs(seed: Int) throws {
    let batch = [1, 2, 3, 7, 16, 17][seed % 6]
    let random = try RandomGraph(seed: seed, batch: batch)
    let names = random.graph.parameters.map { random.graph[$0].name ?? "" }
    let gradients = Array(zip(names, random.gradients))
    // Leaves that belong to the caller cannot be read from the plan.
    let values = random.values.filter { !isParameter(random.graph, $0) }
    let plan = try PreparedPlan(
      random.graph, batch: batch, values: values, gradients: gradients, inputs: random.inputs)
    let parameters = Array(plan.parameters.elements)
    let found = plan.run(random.inputs)
    #expect(Array(plan.parameters.elements) == parameters, "\(random)")
    let expected = try random.graph.evaluate(
      values + random.gradients, with: random.inputs, batch: batch)
    for (a, b) in zip(found.values + found.gradients, expected) {
      #expect(relativeDistance(a, b) < 1e-5, "\(random)")
    }
    #expect(plan.untouched.allSatisfy { $0 == PreparedPlan.canary }, "\(random)")
    let again = plan.runAgain()
    #expect(bits(again.values) == bits(found.values), "\(random)")
    #expect(bits(again.gradients) == bits(found.gradients), "\(random)")
  }

  @Test(
    "sharing and overwriting memory changes no bit, and fusion only rounding", arguments: 0..<200)
  func memoryReuse(seed: Int) throws {
    let batch = [1, 2, 3, 7, 16, 17][seed % 6]
    let hasProducts = seed % 2 == 1
    let random = try RandomGraph(seed: 1000 + seed, batch: batch, hasProducts: hasProducts)
    let (graph, kept) = random.graph.simplified(keeping: random.values + random.gradients)
    let wanted = kept.filter { !isParameter(graph, $0) }
    let lean = try PreparedPlan(graph, batch: batch, values: wanted, inputs: random.inputs)
    // A node that is asked for is neither overwritten nor fused with its user.
    let isNeeded = graph.isNeeded(for: wanted)
    let all = graph.nodes.filter { node in
      guard isNeeded[node.index] else { return false }
      return graph[node].operation != .labels && !isParameter(graph, node)
    }
    let plain = try PreparedPlan(graph, batch: batch, values: all, inputs: random.inputs)
    let (a, b) = (lean.run(random.inputs).values, plain.run(random.inputs).values)
    for (node, value) in zip(wanted, a) {
      guard let index = all.firstIndex(of: node) else { continue }
      if hasProducts {
        #expect(relativeDistance(value, b[index]) < 2e-6, "\(random)")
      } else {
        #expect(bits([value]) == bits([b[index]]), "\(random)")
      }
    }
  }

  /// Returns true if the value of `node` lies in the memory of the parameters.
  private func isParameter(_ graph: Graph, _ node: Graph.Node) -> Bool {
    switch graph[node].operation {
    case .parameter: true
    case .reshape: isParameter(graph, graph[node].inputs[0])
    case .sum(axes: []), .mean(axes: []): isParameter(graph, graph[node].inputs[0])
    default: false
    }
  }
}

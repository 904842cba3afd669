import CPUBackend
import Execution
import Graphs
import Tensors
import TestSupport
import Testing

/// The same schedules on the CPU and by a backend that knows no kernel.
@Suite("Two backends")
struct BackendTests {
  /// Backends to compare with: one that fuses nothing and leaves images as they are, and one with the wishes of
  /// the CPU.
  private static let others = [
    InterpreterBackend(), InterpreterBackend(CPU().preferences(for: .float)),
  ]

  @Test("agree on every operation and its gradient", arguments: [1, 7, 16])
  func operations(width: Int) throws {
    for sample in try operationSamples(batch: 3, width: width) {
      let kind = OperationKind(sample.graph[sample.output].operation)
      guard kind != .labels, kind != .parameter else { continue }
      var graph = sample.graph
      var inputs = sample.values
      let shape = graph.shape(of: sample.output)
      let cotangent = try graph.data("cotangent", shape: shape)
      var numbers = TestNumbers("backends", sample.description)
      inputs["cotangent"] = numbers.tensor(shape.resolved(batch: 3))
      let nodes =
        [sample.output]
        + (try graph.gradient(
          of: sample.output, cotangent: cotangent, withRespectTo: sample.numbers))
      let expected = try PreparedPlan(graph, batch: 3, values: nodes, inputs: inputs).run(inputs)
      for other in BackendTests.others {
        let found = try PreparedPlan(
          graph, batch: 3, values: nodes, inputs: inputs, workspace: other.makeWorkspace()
        ).run(inputs)
        for (a, b) in zip(found.values, expected.values) {
          #expect(relativeDistance(a, b) < 2e-6, "\(sample)")
        }
      }
    }
  }

  @Test("agree on networks and their gradients", arguments: [1, 7])
  func networks(batch: Int) throws {
    for network in try TestNetwork.all(batch: batch) {
      let (graph, kept) = network.graph.simplified(
        keeping: [network.loss] + network.gradients.map(\.node))
      let gradients = Array(zip(network.gradients.map(\.parameter), kept.dropFirst()))
      func run(_ backend: any Backend) throws -> PlanResult {
        try PreparedPlan(
          graph, batch: batch, values: [kept[0]], gradients: gradients, inputs: network.inputs,
          workspace: backend.makeWorkspace()
        ).run(network.inputs)
      }
      let expected = try run(CPU())
      for other in BackendTests.others {
        let found = try run(other)
        for (a, b) in zip(
          found.values + found.gradients, expected.values + expected.gradients)
        {
          #expect(relativeDistance(a, b) < 2e-6, "\(network)")
        }
      }
    }
  }

  @Test("agree on random graphs and their gradients", arguments: 0..<60)
  func randomGraphs(seed: Int) throws {
    let random = try RandomGraph(seed: seed, batch: [1, 3, 16][seed % 3])
    let (graph, kept) = random.graph.simplified(keeping: random.gradients)
    let names = random.graph.parameters.map { random.graph[$0].name ?? "" }
    func run(_ backend: any Backend) throws -> PlanResult {
      try PreparedPlan(
        graph, batch: random.batch, gradients: Array(zip(names, kept)), inputs: random.inputs,
        workspace: backend.makeWorkspace()
      ).run(random.inputs)
    }
    let expected = try run(CPU())
    for other in BackendTests.others {
      for (a, b) in zip(try run(other).gradients, expected.gradients) {
        #expect(relativeDistance(a, b) < 1e-5, "\(random)")
      }
    }
  }

  @Test("reach the same milestones, and no others")
  func milestones() throws {
    let network = try TestNetwork(
      "milestones", widths: [20, 16, 10], activation: .tanh, loss: .crossEntropy, batch: 4)
    for backend in [CPU(), BackendTests.others[1]] as [any Backend] {
      let prepared = try PreparedPlan(
        network.graph, batch: 4, values: [network.loss], gradients: network.gradients,
        inputs: network.inputs, workspace: backend.makeWorkspace())
      _ = prepared.run(network.inputs)
      let count = prepared.plan.schedule.steps.count
      for milestones in [[], [0], [0, 2, 3], [count], Array(0...count), [1, count + 1]] {
        var reached: [Int] = []
        prepared.plan.run(
          parameters: prepared.parameters.pointer, gradient: prepared.gradient.pointer,
          milestones: milestones
        ) { reached.append($0) }
        #expect(reached == milestones.filter { $0 <= count })
      }
    }
  }
}

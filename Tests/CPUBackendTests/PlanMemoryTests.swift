import CPUBackend
import Execution
import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Memory of plans")
struct PlanMemoryTests {
  private func tensor(_ values: Double...) -> Tensor {
    Tensor(shape: [values.count], values: values)
  }

  @Test("a parameter used twice, one not used, and two with one gradient")
  func sharedGradients() throws {
    var graph = Graph()
    let a = try graph.parameter("a", shape: [3])
    let b = try graph.parameter("b", shape: [3])
    let unused = try graph.parameter("unused", shape: [2])
    let sum = try graph.add(.add, [a, b])
    let loss = try graph.add(.squaredNorm(axes: [0]), [sum])
    let twice = try graph.add(.multiply, [a, graph.add(.exp, [a])])
    let total = try graph.add(.add, [loss, graph.add(.sum(axes: [0]), [twice])])
    let inputs = ["a": tensor(0, 1, 2), "b": tensor(3, 4, 5), "unused": tensor(9, 9)]
    for output in [loss, total] {
      var graph = graph
      let targets = [a, b, unused]
      let nodes = try graph.gradient(of: output, withRespectTo: targets)
      let (simple, kept) = graph.simplified(keeping: nodes)
      if output == loss { #expect(kept[0] == kept[1]) }
      let gradients = Array(zip(["a", "b", "unused"], kept))
      let plan = try PreparedPlan(simple, batch: 1, gradients: gradients, inputs: inputs)
      let expected = try graph.evaluate(nodes, with: inputs)
      for (found, value) in zip(plan.run(inputs).gradients, expected) {
        #expect(relativeDistance(found, value) < 1e-6)
      }
      #expect(plan.untouched.allSatisfy { $0 == PreparedPlan.canary })
      #expect(plan.runAgain().gradients[2].values == [0, 0])
    }
  }

  @Test("a gradient that is data, a parameter, a constant, or a value to be read")
  func gradientsThatLieElsewhere() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [3])
    let w = try graph.parameter("w", shape: [3])
    let v = try graph.parameter("v", shape: [3])
    let u = try graph.parameter("u", shape: [1, 3])
    let product = try graph.add(.multiply, [w, x])
    let other = try graph.add(.multiply, [v, w])
    let power = try graph.add(.exp, [u])
    let wx = try graph.gradient(of: product, withRespectTo: [w])[0]
    let vw = try graph.gradient(of: other, withRespectTo: [v])[0]
    let uu = try graph.gradient(of: power, withRespectTo: [u])[0]
    let (simple, kept) = graph.simplified(keeping: [wx, vw, uu, power])
    // Simplified, they are x, w and e^u itself.
    #expect(simple[kept[0]].operation == .data && simple[kept[1]].operation == .parameter)
    #expect(kept[2] == kept[3])
    let inputs = [
      "x": tensor(1, 2, 3), "w": tensor(4, 5, 6), "v": tensor(7, 8, 9),
      "u": Tensor(shape: [1, 3], values: [0, 0, 0]),
    ]
    let plan = try PreparedPlan(
      simple, batch: 1, values: [kept[3], kept[0]],
      gradients: [("w", kept[0]), ("v", kept[1]), ("u", kept[2])], inputs: inputs)
    let found = plan.run(inputs)
    #expect(found.gradients.map(\.values) == [[1, 2, 3], [4, 5, 6], [1, 1, 1]])
    #expect(found.values.map(\.values) == [[1, 1, 1], [1, 2, 3]])
  }

  @Test("values that are constants or shapes of others")
  func views() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 2])
    let flat = try graph.reshape(x, to: [2, .batch])
    let doubled = try graph.scale(x, by: 2)
    let turned = try graph.reshape(doubled, to: [2, .batch])
    let sum = try graph.add(.add, [turned, flat])
    let ones = graph.fill(1, shape: [.batch])
    let constant = graph.constant(Tensor(shape: [2], values: [3, 4]))
    let inputs = ["x": Tensor(shape: [3, 2], values: [1, 2, 3, 4, 5, 6])]
    let found = try PreparedPlan(
      graph, batch: 3, values: [flat, turned, sum, ones, constant, doubled], inputs: inputs
    ).run(inputs).values
    #expect(found[0].values == [1, 2, 3, 4, 5, 6] && found[0].shape == [2, 3])
    #expect(found[1].values == [2, 4, 6, 8, 10, 12] && found[5].values == found[1].values)
    #expect(found[2].values == [3, 6, 9, 12, 15, 18])
    #expect(found[3].values == [1, 1, 1] && found[4].values == [3, 4])
  }

  @Test("class numbers in another shape, and a batch that only the targets have")
  func labelsAndTargets() throws {
    var graph = Graph()
    let labels = try graph.labels("labels", shape: [.batch, 1])
    let w = try graph.parameter("w", shape: [3])
    let logits = try graph.add(.broadcast([.batch, 3]), [w])
    let loss = try graph.softmaxCrossEntropy(logits, labels: graph.reshape(labels, to: [.batch]))
    let gradient = try graph.gradient(of: loss, withRespectTo: [w])[0]
    let inputs = [
      "labels": Tensor(shape: [4, 1], values: [0, 2, 2, 1]), "w": tensor(0.5, -1, 2),
    ]
    let found = try PreparedPlan(
      graph, batch: 4, values: [loss], gradients: [("w", gradient)], inputs: inputs
    ).run(inputs)
    let expected = try graph.evaluate([loss, gradient], with: inputs)
    #expect(relativeDistance(found.values[0], expected[0]) < 1e-6)
    #expect(relativeDistance(found.gradients[0], expected[1]) < 1e-6)
  }

  @Test("axes without elements")
  func emptyAxes() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 0])
    let w = try graph.parameter("w", shape: [2, 0])
    let b = try graph.parameter("b", shape: [2])
    let y = try graph.relu(graph.affine(x, weight: w, bias: b))
    let nodes = [
      y, try graph.add(.softmax, [x]), try graph.add(.sum(axes: [1]), [x]),
      try graph.add(.sum(axes: [0]), [x]), try graph.add(.squaredNorm(axes: [0, 1]), [x]),
      try graph.add(.add, [x, graph.fill(1, shape: [.batch, 1])]),
    ]
    let loss = try graph.squaredNorm(y)
    let gradients = try graph.gradient(of: loss, withRespectTo: [w, b])
    let inputs = [
      "x": Tensor(shape: [3, 0], values: []), "w": Tensor(shape: [2, 0], values: []),
      "b": tensor(1, -2),
    ]
    let plan = try PreparedPlan(
      graph, batch: 3, values: nodes, gradients: [("w", gradients[0]), ("b", gradients[1])],
      inputs: inputs)
    let found = plan.run(inputs)
    let expected = try graph.evaluate(nodes + gradients, with: inputs)
    #expect(found.values + found.gradients == expected)
  }

  @Test("plans of several sizes share one workspace, in any order of runs")
  func sharedArena() throws {
    let workspace = CPU().makeWorkspace()
    let random = try [1, 7, 16, 3].map { try RandomGraph(seed: 77, batch: $0) }
    func prepare(_ random: RandomGraph, _ workspace: any Workspace) throws -> PreparedPlan {
      let names = random.graph.parameters.map { random.graph[$0].name ?? "" }
      return try PreparedPlan(
        random.graph, batch: random.batch, values: random.values.suffix(1),
        gradients: Array(zip(names, random.gradients)), inputs: random.inputs, workspace: workspace)
    }
    let shared = try random.map { try prepare($0, workspace) }
    let own = try random.map { try prepare($0, CPU().makeWorkspace()) }
    for index in [2, 0, 3, 1, 1, 2, 0] {
      let a = shared[index].run(random[index].inputs)
      let b = own[index].run(random[index].inputs)
      #expect(bits(a.values) == bits(b.values) && bits(a.gradients) == bits(b.gradients))
    }
    #expect(workspace.byteCount > 0)
  }

  @Test("a plan that needs more than the workspace has, once it is used, stops the program")
  func lateCompilation() async {
    await #expect(processExitsWith: .failure) {
      var graph = Graph()
      let x = try graph.data("x", shape: [.batch])
      let workspace = CPU().makeWorkspace()
      let small = try Plan(
        graph, batch: 1, values: [x], layout: FlatLayout([]), workspace: workspace)
      _ = small.data("x")
      _ = try Plan(graph, batch: 1000, values: [x], layout: FlatLayout([]), workspace: workspace)
    }
  }

  @Test("errors: a parameter or a gradient without a place")
  func errors() throws {
    var graph = Graph()
    let w = try graph.parameter("fc1/weight", shape: [2, 3])
    let y = try graph.add(.exp, [w])
    func text(
      _ arrays: [(name: String, shape: Shape)], _ gradients: [(parameter: String, node: Graph.Node)]
    ) -> String {
      do {
        _ = try Plan(
          graph, batch: 1, values: [y], gradients: gradients, layout: FlatLayout(arrays),
          workspace: CPU().makeWorkspace())
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    #expect(
      text([], [])
        == "parameter 'fc1/weight' has no place in the flat vector, expected shape [2, 3]")
    #expect(
      text([("fc1/weight", [3, 2])], [])
        == "parameter 'fc1/weight' has shape [3, 2] in the flat vector, expected shape [2, 3]")
    #expect(
      text([("fc1/weight", [2, 3])], [("fc2/weight", y)])
        == "parameter 'fc2/weight' has no place in the flat vector, expected shape [2, 3]")
  }

  @Test("what is not asked for is left out; products are fused with what follows")
  func program() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 20])
    let unused = try graph.data("unused", shape: [.batch])
    graph.layer = "fc1"
    let w = try graph.parameter("w", shape: [32, 20])
    let b = try graph.parameter("b", shape: [32])
    let sum = try graph.affine(x, weight: w, bias: b)
    graph.layer = "tanh1"
    let y = try graph.tanh(sum)
    graph.layer = nil
    _ = try graph.add(.exp, [unused])
    func program(_ values: [Graph.Node]) throws -> [String] {
      let layout = FlatLayout([("w", [32, 20]), ("b", [32])])
      let plan = try Plan(
        graph, batch: 4, values: values, layout: layout, workspace: CPU().makeWorkspace())
      #expect(plan.data("unused") == nil && plan.labels("x") == nil && plan.data("x") != nil)
      return plan.stepLabels
    }
    #expect(try program([y]) == ["tanh1: matmul + bias + tanh → [batch, 32]"])
    // A sum that is needed elsewhere is not hidden inside.
    #expect(
      try program([y, sum])
        == ["fc1: matmul + bias → [batch, 32]", "tanh1: tanh → [batch, 32]"])
    let both = try graph.add(.multiply, [y, sum])
    #expect(
      try program([both])
        == ["fc1: matmul + bias → [batch, 32]", "tanh + multiply → [batch, 32]"])
  }
}

import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Gradient check")
struct GradientCheckTests {
  /// A network of two layers, with a loss per row.
  private func network(
    _ activation: Graph.Operation
  ) throws -> (graph: Graph, loss: Graph.Node, values: [String: Tensor]) {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 4])
    let hidden = try graph.affine(
      x, weight: graph.parameter("W", shape: [6, 4]), bias: graph.parameter("b", shape: [6]))
    let logits = try graph.affine(
      graph.add(activation, [hidden]), weight: graph.parameter("V", shape: [3, 6]))
    let loss = try graph.softmaxCrossEntropy(logits, labels: graph.labels("labels"))
    var numbers = TestNumbers("gradient check", activation.label)
    return (
      graph, loss,
      [
        "x": numbers.tensor([5, 4]), "W": numbers.tensor([6, 4]), "b": numbers.tensor([6]),
        "V": numbers.tensor([3, 6]), "labels": Tensor(shape: [5], values: [0, 1, 2, 1, 0]),
      ]
    )
  }

  @Test(
    "passes where gradients are right",
    arguments: [Graph.Operation.tanh, .sigmoid, .exp, .square, .relu, .softmax])
  func rightGradients(activation: Graph.Operation) throws {
    let (graph, loss, values) = try network(activation)
    let check = try graph.checkGradient(
      of: loss, withRespectTo: graph.parameters, at: values)
    #expect(check.passes)
    #expect(check.targets.map(\.name) == ["W", "b", "V"])
    #expect(check.targets.map(\.elements.count) == [24, 6, 18])
    #expect(check.targets.allSatisfy { $0.share == 1 && $0.directions.count == 3 })
    #expect((check.worst?.sample.relativeError ?? 1) < 1e-8)
  }

  @Test("finds a gradient that is wrong")
  func wrongGradient() throws {
    var (graph, loss, values) = try network(.tanh)
    let parameters = graph.parameters
    let gradients = try graph.gradient(of: loss, withRespectTo: parameters)
    func check(_ gradients: [Graph.Node]) throws -> GradientCheck {
      try graph.compare(
        gradients, of: loss, withRespectTo: parameters, at: values,
        options: GradientCheckOptions())
    }
    #expect(try check(gradients).passes)
    // Off by a millionth part would pass, a hundred-thousandth does not.
    let scaled = try graph.scale(gradients[1], by: 1.00001)
    let opposite = try graph.scale(gradients[2], by: -1)
    let wrong = try check([gradients[0], scaled, gradients[2]])
    #expect(!wrong.passes && wrong.worst?.target.name == "b")
    #expect(isClose(wrong.worst?.sample.relativeError ?? 0, 1e-5, tolerance: 0.01, floor: 0))
    #expect(try check([gradients[0], gradients[1], opposite]).worst?.target.name == "V")
    // One element of many is found by the elements and by the directions.
    let spot = graph.constant(
      Tensor(shape: [6, 4], values: (0..<24).map { $0 == 17 ? 1.001 : 1 }))
    let spotted = try check([graph.add(.multiply, [gradients[0], spot])] + gradients[1...])
    #expect(!spotted.passes && spotted.worst?.sample.element == 17)
    #expect(spotted.targets[0].directions.contains { $0.relativeError > 1e-6 })
  }

  @Test("a step between two points is a kink, and gradients that are no numbers fail")
  func kinksAndNaN() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [4])
    let relu = try graph.relu(x)
    // Near 0, at 0 exactly, and away from it on either side.
    let values = ["x": Tensor(shape: [4], values: [1e-5, 0, 1, -1])]
    let check = try graph.checkGradient(of: relu, withRespectTo: [x], at: values)
    #expect(check.targets[0].elements.map(\.isAtKink) == [true, true, false, false])
    #expect(check.passes && check.targets[0].kinkCount >= 2)

    // e^log x² is smooth, but its gradient by the chain rule is 0 · ∞ at 0.
    let power = try graph.add(.exp, [graph.add(.log, [graph.add(.square, [x])])])
    let broken = try graph.checkGradient(of: power, withRespectTo: [x], at: values)
    #expect(!broken.passes)
    #expect(broken.worst?.sample.element == 1)
    #expect(broken.worst?.sample.relativeError == .infinity)
  }

  @Test("beyond its budget compares a seeded sample of every target, and directions")
  func budget() throws {
    let (graph, loss, values) = try network(.tanh)
    func check(_ budget: Int, seed: UInt64 = 1) throws -> GradientCheck {
      try graph.checkGradient(
        of: loss, withRespectTo: graph.parameters, at: values,
        options: GradientCheckOptions(elementBudget: budget, directionCount: 2, seed: seed))
    }
    let few = try check(12)
    #expect(few.targets.map(\.elements.count) == [6, 1, 4])
    #expect(few.targets.map(\.share) == [0.25, 1.0 / 6, 4.0 / 18])
    #expect(few.targets.allSatisfy { $0.directions.count == 2 })
    #expect(few.passes)
    for target in few.targets {
      let elements = target.elements.compactMap(\.element)
      #expect(elements == Array(Set(elements)).sorted())
    }
    #expect(try check(12) == few)
    #expect(try check(12, seed: 2) != few)
    #expect(try check(0).targets.map(\.elements.count) == [1, 1, 1])
  }

  @Test("errors: a target without a value")
  func errors() throws {
    let (graph, loss, values) = try network(.tanh)
    var fewer = values
    fewer["W"] = nil
    #expect(throws: GraphError.missingValue("W")) {
      try graph.checkGradient(of: loss, withRespectTo: graph.parameters, at: fewer)
    }
  }
}

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
    // Nearer to 0 than any step, at 0 exactly, and away from it on either side.
    let values = ["x": Tensor(shape: [4], values: [1e-9, 0, 1, -1])]
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

  @Test("smaller steps pass by a kink, and find what is wrong beside it")
  func nearKinks() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [4])
    let limit = graph.fill(0.5, shape: [4])
    let output = try graph.add(
      .add,
      [graph.relu(x), graph.add(.maximum, [graph.add(.cap(2), [x]), limit])])
    // Beside the kinks of the relu, the maximum and the cap, within the reach of the first step.
    let values = ["x": Tensor(shape: [4], values: [1e-5, -1e-5, 0.50001, 1.99999])]
    let gradient = try graph.gradient(of: output, withRespectTo: [x])[0]
    let wrong = try graph.scale(gradient, by: 1.00001)
    func check(_ gradient: Graph.Node) throws -> GradientCheck {
      try graph.compare(
        [gradient], of: output, withRespectTo: [x], at: values, options: GradientCheckOptions())
    }
    let right = try check(gradient)
    #expect(right.passes && right.targets[0].elements.allSatisfy { !$0.isAtKink })
    #expect(try !check(wrong).passes)
  }

  @Test("many small kinks on the way are no errors, and hide none")
  func manyKinks() throws {
    // Sums of hundreds of relus: a direction through all of them crosses some at any usual step.
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 8])
    let W = try graph.parameter("W", shape: [200, 8])
    let V = try graph.parameter("V", shape: [3, 200])
    let hidden = try graph.relu(graph.affine(x, weight: W))
    let loss = try graph.softmaxCrossEntropy(
      graph.affine(hidden, weight: V), labels: graph.labels("labels"))
    for seed in 0..<6 {
      var numbers = TestNumbers("many kinks", "\(seed)")
      let values = [
        "x": numbers.tensor([6, 8]), "W": numbers.tensor([200, 8]), "V": numbers.tensor([3, 200]),
        "labels": Tensor(shape: [6], values: [0, 1, 2, 1, 0, 2]),
      ]
      let options = GradientCheckOptions(elementBudget: 40, seed: UInt64(seed))
      let check = try graph.checkDerivatives(
        of: loss, withRespectTo: [W, V, x], at: values, options: options)
      #expect(check.passes, "\(seed)")
      // The gradient of the gradient by W too is smooth between kinks, and wrong if scaled.
      var second = graph
      let first = try second.gradient(of: loss, withRespectTo: [W])[0]
      let square = try second.squaredNorm(first)
      let gradients = try second.gradient(of: square, withRespectTo: [V])
      #expect(
        try second.compare(
          gradients, of: square, withRespectTo: [V], at: values, options: options
        ).passes, "\(seed)")
      let scaled = try second.scale(gradients[0], by: 1.0001)
      #expect(
        try !second.compare(
          [scaled], of: square, withRespectTo: [V], at: values, options: options
        ).passes, "\(seed)")
    }
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

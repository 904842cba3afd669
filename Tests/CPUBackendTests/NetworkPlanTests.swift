import CPUBackend
import Execution
import Graphs
import Tensors
import TestSupport
import Testing

/// A network of affine layers with a loss per row, and values for all its leaves.
struct TestNetwork: Sendable, CustomStringConvertible {
  enum Loss: Sendable {
    case crossEntropy, squaredNorm, meanSquaredError
  }

  let description: String
  var graph = Graph()
  let loss: Graph.Node
  /// The nodes that the activations are applied to.
  var sums: [Graph.Node] = []
  let gradients: [(parameter: String, node: Graph.Node)]
  let inputs: [String: Tensor]

  init(
    _ name: String, widths: [Int], activation: Graph.Operation?, loss kind: Loss, batch: Int,
    bias: Bool = true
  ) throws {
    description = "\(name), batch \(batch)"
    var numbers = TestNumbers("network", name, "\(batch)")
    var inputs = ["x": numbers.tensor([batch, widths[0]], magnitudes: 0.1...1)]
    var node = try graph.data("x", shape: [.batch, .fixed(widths[0])])
    for (index, (from, to)) in zip(widths, widths.dropFirst()).enumerated() {
      if index > 0, let activation { node = try graph.add(activation, [node]) }
      graph.layer = "affine\(index + 1)"
      let w = try graph.parameter("W\(index)", shape: [.fixed(to), .fixed(from)])
      // Logarithms need positive numbers.
      inputs["W\(index)"] = numbers.tensor(
        [to, from], magnitudes: 0.2 / Double(from).squareRoot()...1 / Double(from).squareRoot(),
        signed: activation != .log)
      var b: Graph.Node?
      if bias {
        b = try graph.parameter("b\(index)", shape: [.fixed(to)])
        inputs["b\(index)"] = numbers.tensor(
          [to], magnitudes: 0.1...0.3, signed: activation != .log)
      }
      if activation == .log, index == 0 {
        inputs["x"] = numbers.tensor([batch, from], magnitudes: 0.5...1, signed: false)
      }
      node = try graph.affine(node, weight: w, bias: b)
      sums.append(node)
    }
    let outputs = widths[widths.count - 1]
    switch kind {
    case .crossEntropy:
      loss = try graph.softmaxCrossEntropy(node, labels: graph.labels("targets"))
      inputs["targets"] = Tensor(
        shape: [batch], values: (0..<batch).map { _ in Double(numbers.below(outputs)) })
    case .squaredNorm, .meanSquaredError:
      let target = try graph.data("targets", shape: graph.shape(of: node))
      inputs["targets"] = numbers.tensor([batch, outputs])
      loss =
        kind == .meanSquaredError
        ? try graph.meanSquaredError(node, target: target)
        : try graph.squaredNorm(graph.add(.subtract, [node, target]))
    }
    let parameters = graph.parameters
    let nodes = try graph.gradient(of: loss, withRespectTo: parameters)
    let names = parameters.map { [graph] in graph[$0].name ?? "" }
    gradients = zip(names, nodes).map { ($0, $1) }
    self.inputs = inputs
  }

  static func all(batch: Int) throws -> [TestNetwork] {
    var networks = [
      try TestNetwork(
        "linear regression", widths: [20, 3], activation: nil, loss: .squaredNorm, batch: batch),
      try TestNetwork(
        "one output", widths: [20, 1], activation: nil, loss: .meanSquaredError, batch: batch),
      try TestNetwork(
        "logistic regression", widths: [20, 10], activation: nil, loss: .crossEntropy,
        batch: batch),
      try TestNetwork(
        "learned features", widths: [20, 33, 10], activation: .tanh, loss: .crossEntropy,
        batch: batch),
      try TestNetwork(
        "no bias", widths: [20, 64, 17], activation: .relu, loss: .crossEntropy, batch: batch,
        bias: false),
    ]
    let activations: [Graph.Operation] = [
      .relu, .sigmoid, .tanh, .exp, .log, .square, .softmax, .logSoftmax,
    ]
    for activation in activations {
      // A logarithm of logarithms would meet numbers that are not positive.
      let widths = activation == .log ? [20, 31, 17] : [20, 31, 16, 17]
      networks.append(
        try TestNetwork(
          "deep \(activation.label)", widths: widths, activation: activation, loss: .crossEntropy,
          batch: batch))
    }
    networks.append(
      try TestNetwork(
        "deep mean squared error", widths: [20, 31, 16, 5], activation: .sigmoid,
        loss: .meanSquaredError, batch: batch))
    return networks
  }
}

@Suite("Plans of networks")
struct NetworkPlanTests {
  @Test(
    "loss and gradient are the interpreter's, fused or not, every time",
    arguments: [1, 2, 7, 16, 17, 33])
  func networks(batch: Int) throws {
    for network in try TestNetwork.all(batch: batch) {
      let (graph, kept) = network.graph.simplified(
        keeping: [network.loss] + network.sums + network.gradients.map(\.node))
      let loss = kept[0]
      let sums = Array(kept[1..<network.sums.count + 1])
      let gradients = Array(
        zip(network.gradients.map(\.parameter), kept.dropFirst(network.sums.count + 1)))
      let expected = try network.graph.evaluate(
        [network.loss] + network.gradients.map(\.node), with: network.inputs)
      let fused = try PreparedPlan(
        graph, batch: batch, values: [loss], gradients: gradients, inputs: network.inputs)
      // Sums that are asked for are not hidden in products.
      let plain = try PreparedPlan(
        graph, batch: batch, values: [loss] + sums, gradients: gradients, inputs: network.inputs)
      #expect(fused.plan.stepLabels.count <= plain.plan.stepLabels.count)
      let found = fused.run(network.inputs)
      let unfused = plain.run(network.inputs)
      for (index, value) in expected.enumerated() {
        let (a, b) = (
          (found.values + found.gradients)[index],
          (unfused.values.prefix(1) + unfused.gradients)[index]
        )
        #expect(relativeDistance(a, value) < 2e-6, "\(network)")
        #expect(relativeDistance(a, b) < 2e-6, "\(network)")
      }
      #expect(fused.untouched.allSatisfy { $0 == PreparedPlan.canary }, "\(network)")
      let again = fused.runAgain()
      #expect(bits(again.values + again.gradients) == bits(found.values + found.gradients))
      // A plan made anew, in a workspace of its own, is the same plan.
      let other = try PreparedPlan(
        graph, batch: batch, values: [loss], gradients: gradients, inputs: network.inputs
      ).run(network.inputs)
      #expect(bits(other.values + other.gradients) == bits(found.values + found.gradients))
    }
  }

  @Test("gradients go to the flat gradient straight, without copies")
  func noCopies() throws {
    for network in try TestNetwork.all(batch: 7) {
      let (graph, kept) = network.graph.simplified(
        keeping: [network.loss] + network.gradients.map(\.node))
      let plan = try PreparedPlan(
        graph, batch: 7, values: [kept[0]],
        gradients: Array(zip(network.gradients.map(\.parameter), kept.dropFirst())),
        inputs: network.inputs)
      #expect(!plan.plan.stepLabels.contains { $0.contains("copy") }, "\(plan.plan.stepLabels)")
    }
  }

  @Test("a weight that is no number reaches the loss", arguments: [1, 7, 17])
  func notANumber(batch: Int) throws {
    for activation in [Graph.Operation.tanh, .sigmoid, .exp, .softmax, .relu] {
      let network = try TestNetwork(
        "NaN", widths: [20, 33, 10], activation: activation, loss: .crossEntropy, batch: batch)
      var inputs = network.inputs
      inputs["W0"]?.values[5] = .nan
      let (graph, kept) = network.graph.simplified(keeping: [network.loss])
      let found = try PreparedPlan(graph, batch: batch, values: kept, inputs: inputs).run(inputs)
      let reachesLoss = found.values[0].values.allSatisfy { $0.isNaN }
      #expect(reachesLoss, "\(activation)")
    }
  }
}

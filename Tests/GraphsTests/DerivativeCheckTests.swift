import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Forward mode and Jacobians")
struct DerivativeCheckTests {
  @Test("⟨J·v, u⟩ is ⟨v, Jᵀ·u⟩ for every operation", arguments: try operationSamples())
  func products(of sample: OperationSample) throws {
    guard !sample.numbers.isEmpty else { return }
    var graph = sample.graph
    var values = sample.values
    var numbers = TestNumbers("products", sample.description)
    func leaf(_ name: String, like node: Graph.Node) throws -> Graph.Node {
      let shape = graph.shape(of: node)
      values[name] = numbers.tensor(shape.resolved(batch: sample.batch))
      return try graph.data(name, shape: shape)
    }
    let u = try leaf("u", like: sample.output)
    var directions: [Graph.Node: Graph.Node] = [:]
    for operand in sample.numbers {
      directions[operand] = try leaf("v\(operand.index)", like: operand)
    }
    // All operands at once, and each alone.
    for moving in [sample.numbers] + sample.numbers.map({ [$0] }) {
      let along = directions.filter { moving.contains($0.key) }
      let forward = try graph.jacobianVectorProduct(of: sample.output, along: along)
      graph.verify()
      #expect(graph.shape(of: forward) == graph.shape(of: sample.output))
      let reverse = try graph.gradient(of: sample.output, cotangent: u, withRespectTo: moving)
      let computed = try graph.evaluate(
        [forward, u] + reverse + moving.compactMap { directions[$0] }, with: values,
        batch: sample.batch)
      func terms(_ a: Tensor, _ b: Tensor) -> [Double] { zip(a.values, b.values).map(*) }
      let first = terms(computed[0], computed[1])
      let second = moving.indices.flatMap {
        terms(computed[2 + $0], computed[2 + moving.count + $0])
      }
      let size = (first + second).reduce(0) { $0 + abs($1) }
      let error = abs(first.reduce(0, +) - second.reduce(0, +))
      #expect(error <= 1e-13 * max(size, 1e-3), "\(sample), \(moving)")
    }
  }

  @Test("whole Jacobians from the left give the gradient of every operation")
  func jacobians() throws {
    for sample in try operationSamples() where !sample.numbers.isEmpty {
      var graph = sample.graph
      let gradients = try graph.gradient(of: sample.output, withRespectTo: sample.numbers)
      let reverse = try graph.evaluate(gradients, with: sample.values, batch: sample.batch)
      let products = try sample.graph.gradientByJacobians(
        of: sample.output, withRespectTo: sample.numbers, at: sample.values, batch: sample.batch)
      for (gradient, product) in zip(reverse, products) {
        #expect(gradient.shape == product.shape)
        let size = gradient.values.reduce(1) { max($0, abs($1)) }
        for (a, b) in zip(gradient.values, product.values) {
          #expect(abs(a - b) <= 1e-12 * size, "\(sample)")
        }
      }
    }
  }

  /// `Σ tanh(W·x)²`, its leaves and values.
  private func model() throws -> (Graph, Graph.Node, [Graph.Node], [String: Tensor]) {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let W = try graph.parameter("W", shape: [4, 3])
    let output = try graph.squaredNorm(graph.tanh(graph.affine(x, weight: W)))
    var numbers = TestNumbers("derivatives")
    return (
      graph, output, [W, x], ["x": numbers.tensor([5, 3]), "W": numbers.tensor([4, 3])]
    )
  }

  @Test("all derivatives of a model agree, each target by name")
  func agreement() throws {
    let (graph, output, targets, values) = try model()
    let check = try graph.checkDerivatives(
      of: output, withRespectTo: targets, at: values, usesJacobians: true)
    #expect(check.passes)
    #expect(check.products.map(\.name) == ["W", "x"])
    #expect(check.second.targets.map(\.name) == ["W", "x"])
    #expect(check.symmetry.count == 1 && check.jacobians?.count == 2)
    #expect(
      try graph.checkDerivatives(of: output, withRespectTo: targets, at: values).jacobians == nil)
  }

  @Test("each comparison fails for a derivative that is wrong by a hundred-millionth")
  func disagreement() throws {
    let (graph, output, targets, values) = try model()
    let right = try graph.checkDerivatives(
      of: output, withRespectTo: targets, at: values, usesJacobians: true)
    func wrong(_ agreements: [Agreement]) -> [Agreement] {
      agreements.map {
        Agreement($0.name, $0.first, $0.second * (1 + 1e-8), size: abs($0.first))
      }
    }
    func passes(
      products: [Agreement]? = nil, symmetry: [Agreement]? = nil, jacobians: [Agreement]? = nil
    ) -> Bool {
      DerivativeCheck(
        gradient: right.gradient, products: products ?? right.products, second: right.second,
        symmetry: symmetry ?? right.symmetry, jacobians: jacobians ?? right.jacobians
      ).passes
    }
    #expect(passes())
    #expect(!passes(products: wrong(right.products)))
    #expect(!passes(symmetry: wrong(right.symmetry)))
    #expect(!passes(jacobians: wrong(right.jacobians ?? [])))
    #expect(!passes(products: [Agreement("W", .nan, 1, size: 1)]))
  }

  @Test("a difference that changes with the last bits is rounding, one that does not is an error")
  func settled() throws {
    let (graph, _, _, values) = try model()
    func settled(_ second: Double, noise: Double) throws -> Agreement {
      try graph.settled(at: values, seed: 1) { moved in
        let change = moved == values ? 0.0 : noise
        return [Agreement("W", 1, second + change, size: 1)]
      }[0]
    }
    #expect(try settled(1 + 1e-7, noise: 1e-7).relativeError == 0)
    #expect(try settled(1 + 1e-7, noise: 1e-10).relativeError > 0.9e-7)
    #expect(try settled(.nan, noise: 0).relativeError == .infinity)
  }

  @Test("second derivatives that are wrong are found by central differences")
  func wrongSecond() throws {
    // The gradient of relu² is 2·relu, whose own gradient jumps at 0 and is 2 or 0 elsewhere.
    var graph = Graph()
    let x = try graph.data("x", shape: [4])
    let output = try graph.add(.square, [graph.relu(x)])
    let values = ["x": Tensor(shape: [4], values: [1, 2, -1, 0.5])]
    let first = try graph.gradient(of: output, withRespectTo: [x])[0]
    let second = try graph.gradient(of: first, withRespectTo: [x])
    let options = GradientCheckOptions()
    #expect(
      try graph.compare(second, of: first, withRespectTo: [x], at: values, options: options).passes)
    let wrong = try graph.scale(second[0], by: 1.0001)
    #expect(
      try !graph.compare([wrong], of: first, withRespectTo: [x], at: values, options: options)
        .passes)
  }

  @Test("a direction of another shape is refused")
  func shapes() throws {
    var (graph, output, targets, _) = try model()
    let direction = try graph.data("d", shape: [3, 4])
    #expect {
      try graph.jacobianVectorProduct(of: output, along: [targets[0]: direction])
    } throws: { error in
      "\(error)"
        == "Jacobian–vector product 'W': direction has shape [3, 4], expected [4, 3]"
    }
  }
}

import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Graphs")
struct GraphTests {
  @Test("the example of the documentation")
  func example() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let W = try graph.parameter("W", shape: [2, 3])
    let b = try graph.parameter("b", shape: [2])
    let y = try graph.relu(graph.affine(x, weight: W, bias: b))
    let gradients = try graph.gradient(of: graph.squaredNorm(y), withRespectTo: [W, b])

    graph.verify()
    #expect(graph.parameters == [W, b] && graph.leaf(named: "x") == x)
    #expect(graph.leaf(named: "y") == nil)
    let found = try graph.evaluate(
      [y] + gradients,
      with: [
        "x": Tensor(shape: [1, 3], values: [1, 2, 3]),
        "W": Tensor(shape: [2, 3], values: [1, 0, 1, 0, -1, 0]),
        "b": Tensor(shape: [2], values: [0.5, 0.5]),
      ])
    #expect(found[0].values == [4.5, 0])
    #expect(found[1].values == [9, 18, 27, 0, 0, 0])
    #expect(found[2].values == [9, 0])
  }

  @Test("the batch extent is a symbol until values are there")
  func symbolicBatch() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let norms = try graph.squaredNorm(x)
    let mean = try graph.add(.mean(axes: [0]), [norms])
    #expect("\(graph.shape(of: x))" == "[batch, 3]" && graph.shape(of: norms) == [.batch])
    #expect(graph.shape(of: mean) == [])
    for batch in [1, 2, 5] {
      let value = Tensor(shape: [batch, 3], repeating: 2)
      #expect(try graph.evaluate([mean], with: ["x": value])[0].values == [12])
    }
    let gradient = try graph.gradient(of: mean, withRespectTo: [x])
    let found = try graph.evaluate(gradient, with: ["x": Tensor(shape: [5, 3], repeating: 2)])[0]
    #expect(found.values.allSatisfy { isClose($0, 0.8) })
    // The graph of a shape alone has no values to take the extent from.
    let ones = graph.fill(1, shape: [.batch])
    #expect(try graph.evaluate([ones], with: [:], batch: 3)[0].values == [1, 1, 1])
  }

  @Test("shapes and factors")
  func shapesAndFactors() {
    let shape: SymbolicShape = [.batch, 2, 3]
    #expect(shape.fixedCount == 6 && shape.batchAxisCount == 1 && !shape.isFixed)
    #expect(shape.resolved(batch: 4) == [4, 2, 3])
    #expect(shape.removing(axes: [1]) == [.batch, 3])
    #expect(shape.flattening(axes: [0, 2]) == [1, 2, 1])
    #expect(Factor(3, batchPower: -1).resolved(batch: 4) == 0.75)
    #expect((Factor(3, batchPower: -1) * Factor(2, batchPower: 3)).resolved(batch: 2) == 24)
    #expect("\(Factor(3)) \(Factor(3, batchPower: 1))" == "3.0 3.0·batch")
    #expect("\(Factor(3, batchPower: -1)) \(Factor(3, batchPower: 2))" == "3.0/batch 3.0·batch^2")
  }

  @Test("axes without elements: empty sums are 0, empty means are no number")
  func emptyAxes() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 0])
    let w = try graph.parameter("w", shape: [2, 0])
    let nodes = [
      try graph.add(.sum(axes: [1]), [x]), try graph.add(.mean(axes: [1]), [x]),
      try graph.add(.softmax, [x]), try graph.matmul(x, w, transposingRHS: true),
      try graph.add(.exp, [x]),
    ]
    let values = [
      "x": Tensor(shape: [3, 0], values: []), "w": Tensor(shape: [2, 0], values: []),
    ]
    let found = try graph.evaluate(nodes, with: values)
    #expect(found[0].values == [0, 0, 0])
    #expect(found[1].values.count == 3 && found[1].values.allSatisfy { $0.isNaN })
    #expect(found[2].values.isEmpty && found[4].values.isEmpty)
    #expect(found[3] == Tensor(shape: [3, 2], repeating: 0))
  }

  @Test("a copy grows on its own")
  func valueSemantics() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch])
    var copy = graph
    _ = try copy.add(.exp, [x])
    _ = try copy.data("y", shape: [.batch])
    #expect(graph.count == 1 && copy.count == 3)
    #expect(graph.leaf(named: "y") == nil)
  }

  @Test("differentiation of random graphs agrees with central differences", arguments: 0..<60)
  func randomGraphs(seed: Int) throws {
    let random = try RandomGraph(seed: seed, batch: 1 + seed % 4)
    guard let loss = random.values.last else { return }
    random.graph.verify()
    let comparison = try checkVJP(
      of: loss, withRespectTo: random.graph.parameters, in: random.graph, at: random.inputs,
      batch: random.batch, seed: random.description)
    #expect(comparison.relativeError < 1e-8, "\(random): \(comparison)")
  }
}

@Suite("Verification of graphs")
struct VerificationTests {
  @Test("what comes back to a value used twice is added in the value's layer")
  func layersOfSums() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    graph.layer = "first"
    let w = try graph.parameter("w", shape: [3])
    let y = try graph.add(.multiply, [x, w])
    graph.layer = "second"
    let z = try graph.add(.exp, [y])
    graph.layer = "third"
    let loss = try graph.add(.multiply, [y, z])
    let forward = graph.count
    _ = try graph.gradient(of: loss, withRespectTo: [w])
    let sums = graph.nodes.filter { $0.index >= forward && graph[$0].operation == .add }
    #expect(sums.map { graph[$0].layer } == ["first"])
  }

  @Test("graphs that can be built are right")
  func rightGraphs() throws {
    for sample in try operationSamples() { sample.graph.verify() }
    Graph().verify()
  }

  @Test("a node before its operand stops the program")
  func order() async {
    await #expect(processExitsWith: .failure) {
      var graph = Graph()
      let node = graph.append(
        Graph.Record(
          operation: .exp, inputs: [Graph.Node(index: 1)], shape: [3], name: nil, layer: nil))
      _ = node
      _ = graph.fill(1, shape: [3])
      graph.verify()
    }
  }

  @Test("a shape that is not the rule's stops the program")
  func shape() async {
    await #expect(processExitsWith: .failure) {
      var graph = Graph()
      let x = graph.fill(1, shape: [3])
      _ = graph.append(
        Graph.Record(operation: .exp, inputs: [x], shape: [4], name: nil, layer: nil))
      graph.verify()
    }
  }

  @Test("two leaves of one name stop the program")
  func names() async {
    await #expect(processExitsWith: .failure) {
      var graph = Graph()
      for _ in 0..<2 {
        _ = graph.append(
          Graph.Record(operation: .data, inputs: [], shape: [4], name: "x", layer: nil))
      }
      graph.verify()
    }
  }

  @Test("numbers where class numbers belong stop the program")
  func labels() async {
    await #expect(processExitsWith: .failure) {
      var graph = Graph()
      let x = graph.fill(1, shape: [.batch])
      _ = graph.append(
        Graph.Record(
          operation: .oneHot(classes: 2), inputs: [x], shape: [.batch, 2], name: nil, layer: nil))
      graph.verify()
    }
  }
}

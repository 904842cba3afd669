import Graphs
import Tensors
import TestSupport
import Testing

private func bits(_ tensors: [Tensor]) -> [[UInt64]] {
  tensors.map { $0.values.map(\.bitPattern) }
}

@Suite("Simplification")
struct SimplificationTests {
  @Test("of random graphs keeps every bit", arguments: 0..<100)
  func keepsBits(seed: Int) throws {
    let random = try RandomGraph(seed: seed, batch: 1 + seed % 3)
    let wanted = random.values + random.gradients
    let (graph, kept) = random.graph.simplified(keeping: wanted)
    graph.verify()
    #expect(graph.count <= random.graph.count)
    #expect(kept.count == wanted.count)
    let before = try random.graph.evaluate(wanted, with: random.inputs, batch: random.batch)
    let after = try graph.evaluate(kept, with: random.inputs, batch: random.batch)
    #expect(bits(before) == bits(after), "\(random)")
  }

  @Test("twice changes nothing more", arguments: 0..<20)
  func isIdempotent(seed: Int) throws {
    let random = try RandomGraph(seed: seed, batch: 2)
    let once = random.graph.simplified(keeping: random.values + random.gradients)
    let twice = once.graph.simplified(keeping: once.kept)
    #expect(twice.graph.count == once.graph.count && twice.kept == once.kept)
  }

  @Test("makes equal nodes one, across layers, and leaves out what nothing needs")
  func sharesAndPrunes() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch])
    let unused = try graph.parameter("unused", shape: [2])
    graph.layer = "a"
    let first = try graph.add(.exp, [x])
    graph.layer = "b"
    let second = try graph.add(.exp, [x])
    _ = try graph.add(.log, [x])
    let sum = try graph.add(.add, [first, second])
    let (simple, kept) = graph.simplified(keeping: [sum])
    #expect(simple.nodes.map { simple[$0].operation } == [.data, .parameter, .exp, .add])
    #expect(simple[kept[0]].inputs[0] == simple[kept[0]].inputs[1])
    #expect(simple.leaf(named: "unused") == unused)
  }

  @Test("drops products with ones, scales by one, and shapes that change nothing")
  func neutralElements() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 2])
    let one = graph.fill(1, shape: [2])
    let zero = graph.fill(0, shape: [])
    var node = try graph.add(.multiply, [one, x])
    node = try graph.add(.multiply, [node, one])
    node = try graph.add(.divide, [node, one])
    node = try graph.add(.subtract, [node, zero])
    node = try graph.add(.scale(Factor(1)), [node])
    node = try graph.add(.reshape([.batch, 2]), [node])
    node = try graph.add(.broadcast([.batch, 2]), [node])
    let (simple, kept) = graph.simplified(keeping: [node])
    #expect(simple[kept[0]].operation == .data)
  }

  @Test("keeps what looks neutral but is not: other shapes, sums with zero, signs of zero")
  func notNeutral() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [2])
    let wide = try graph.add(.multiply, [x, graph.fill(1, shape: [3, 1])])
    let sum = try graph.add(.add, [x, graph.fill(0, shape: [2])])
    let plus = graph.fill(0, shape: [2])
    let minus = graph.fill(-0.0, shape: [2])
    let difference = try graph.add(.subtract, [x, minus])
    let nodes = [
      wide, sum, difference,
      try graph.add(.divide, [graph.fill(1, shape: [2]), plus]),
      try graph.add(.divide, [graph.fill(1, shape: [2]), minus]),
      try graph.add(.divide, [x, graph.constant(Tensor(shape: [1], values: [0]))]),
      try graph.add(.divide, [x, graph.constant(Tensor(shape: [1], values: [-0.0]))]),
      try graph.add(.scale(Factor(0)), [x]), try graph.add(.scale(Factor(-0.0)), [x]),
      try graph.add(.sum(axes: []), [x]), try graph.add(.mean(axes: []), [x]),
    ]
    let (simple, kept) = graph.simplified(keeping: nodes)
    let values = ["x": Tensor(shape: [2], values: [-0.0, 1])]
    #expect(
      try bits(graph.evaluate(nodes, with: values)) == bits(simple.evaluate(kept, with: values)))
  }
}

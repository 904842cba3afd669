import Execution
import Foundation
import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Schedules as text")
struct ScheduleTests {
  /// Compares a schedule with a text in Tests/Reference/schedules.
  private func expect(_ schedule: Schedule, _ name: String) throws {
    let url = repository.appendingPathComponent("Tests/Reference/schedules/\(name).txt")
    let expected = String(decoding: try Data(contentsOf: url), as: UTF8.self)
    #expect("\(schedule)" == expected)
  }

  private func affineNetwork() throws -> (graph: Graph, loss: Graph.Node) {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 20])
    graph.layer = "fc1"
    let hidden = try graph.affine(
      x, weight: graph.parameter("w1", shape: [8, 20]), bias: graph.parameter("b1", shape: [8]))
    graph.layer = "relu1"
    let active = try graph.relu(hidden)
    graph.layer = "fc2"
    let logits = try graph.affine(
      active, weight: graph.parameter("w2", shape: [3, 8]), bias: graph.parameter("b2", shape: [3]))
    graph.layer = nil
    let loss = try graph.softmaxCrossEntropy(logits, labels: graph.labels("targets"))
    return (graph, loss)
  }

  @Test("an affine layer with relu, another, and a loss, with gradients")
  func affine() throws {
    let (graph, loss) = try affineNetwork()
    try expect(schedule(graph, loss: loss, rows: 4), "affine")
  }

  @Test("the same node by node, and in bfloat16")
  func plainAndRounded() throws {
    let (graph, loss) = try affineNetwork()
    try expect(schedule(graph, loss: loss, rows: 4, BackendPreferences()), "affine-node-by-node")
    var rounding = fusing
    rounding.roundedProducts = BackendPreferences.RoundedProducts(
      leastMultiplyAdds: 100, leastColumns: 2)
    let rounded = try schedule(graph, loss: loss, rows: 4, rounding)
    #expect(rounded.roundedParameters == [0..<160])
    #expect(rounded.memory[.roundedParameters] == 224 && rounded.memory[.roundedOperands] == 160)
    #expect(
      rounded.steps.map(\.label).filter { $0.contains("bf16") } == [
        "relu1: bf16 matmul + bias + relu → [batch, 8]", "fc1: bf16 matmul → [8, 20]",
      ])
  }

  @Test("a convolution, a normalization of the batch and a pooling, with gradients")
  func images() throws {
    let (graph, loss) = try imageNetwork()
    try expect(schedule(graph, loss: loss, rows: 2), "images")
  }

  @Test("the same for three microbatches at once, of which two are added")
  func group() throws {
    let (graph, loss) = try imageNetwork()
    let group = MicrobatchGroup(
      rowCounts: [2, 3, 2],
      sums: [.init(of: 0..<2, additions: [0, 1]), .init(of: 2..<3, additions: [0])])
    try expect(schedule(graph, loss: loss, group), "images-in-a-group")
  }

  private func imageNetwork() throws -> (graph: Graph, loss: Graph.Node) {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 2, 6, 6])
    graph.layer = "conv1"
    let w = try graph.parameter("w", shape: [4, 2, 3, 3])
    let window = Window([Window.Axis(kernel: 3), Window.Axis(kernel: 3)])
    let image = try graph.add(.convolution(Convolution(window)), [x, w])
    graph.layer = "norm1"
    let normalization = Normalization(axes: [0, 2, 3])
    let normal = try graph.add(
      .normalize(normalization),
      [image, graph.parameter("scale", shape: [4]), graph.parameter("shift", shape: [4])])
    graph.layer = "relu1"
    let active = try graph.relu(normal)
    graph.layer = "pool1"
    let halves = Window([Window.Axis(kernel: 2, stride: 2), Window.Axis(kernel: 2, stride: 2)])
    let pooled = try graph.add(.maxPool(Pooling(halves)), [active])
    graph.layer = nil
    let logits = try graph.reshape(pooled, to: [.batch, 16])
    let loss = try graph.softmaxCrossEntropy(logits, labels: graph.labels("targets"))
    return (graph, loss)
  }

  @Test("elementwise operations in one step, a row repeated")
  func chain() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 5])
    let row = try graph.parameter("row", shape: [5])
    let shifted = try graph.add(.subtract, [x, row])
    let bent = try graph.add(.multiply, [graph.tanh(shifted), graph.fill(0.5, shape: [])])
    let loss = try graph.squaredNorm(bent)
    try expect(schedule(graph, loss: loss, rows: 3), "chain")
  }

  @Test("a normalization over all microbatches, in segments")
  func segments() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    graph.layer = "fc1"
    let w = try graph.parameter("w", shape: [4, 3])
    let sum = try graph.affine(x, weight: w, bias: nil)
    graph.layer = "norm1"
    let normal = try graph.add(
      .normalize(Normalization(axes: [0], spansMicrobatches: true)),
      [sum, graph.parameter("scale", shape: [4]), graph.parameter("shift", shape: [4])])
    graph.layer = nil
    let loss = try graph.squaredNorm(normal)
    let schedule = try schedule(graph, loss: loss, rows: 2)
    try expect(schedule, "segments")
    #expect(schedule.segmentCount == 4)
    #expect((0..<4).map { schedule.steps(ofSegment: $0) } == [0..<2, 2..<3, 3..<12, 12..<14])
  }

  @Test("a schedule is a value: the same for the same graph")
  func equal() throws {
    let (graph, loss) = try affineNetwork()
    let (first, second) = try (
      schedule(graph, loss: loss, rows: 4), schedule(graph, loss: loss, rows: 4)
    )
    #expect(first == second)
    #expect(try first != schedule(graph, loss: loss, rows: 5))
  }
}

import CPUBackend
import Execution
import Graphs
import Tensors
import TestSupport
import Testing

@Suite("Fusion")
struct FusionTests {
  /// The two kinds of pooling.
  enum Kind: Sendable, CaseIterable {
    case disjoint, overlapping

    var window: Window {
      switch self {
      case .disjoint:
        Window([Window.Axis(kernel: 2, stride: 2), Window.Axis(kernel: 2, stride: 2)])
      case .overlapping:
        Window([
          Window.Axis(kernel: 3, stride: 2, padding: (1, 1)), Window.Axis(kernel: 3, stride: 2),
        ])
      }
    }
  }

  /// Convolution, relu, pooling and an affine layer, with a loss.
  private func network(_ kind: Kind, channels: Int, batch: Int, hasRelu: Bool) throws
    -> (graph: Graph, loss: Graph.Node, inputs: [String: Tensor])
  {
    var numbers = TestNumbers("fusion", "\(kind)", "\(channels)", "\(batch)")
    var graph = Graph()
    let c = Extent.fixed(channels)
    let x = try graph.data("x", shape: [.batch, .fixed(2), .fixed(7), .fixed(8)])
    let w = try graph.parameter("w", shape: [c, .fixed(2), .fixed(3), .fixed(3)])
    let b = try graph.parameter("b", shape: [c, .fixed(1), .fixed(1)])
    let window = Window([
      Window.Axis(kernel: 3, padding: (1, 1)), Window.Axis(kernel: 3, padding: (1, 1)),
    ])
    let image = try graph.add(
      .add, [graph.add(.convolution(Convolution(window)), [x, w]), b])
    let active = hasRelu ? try graph.add(.relu, [image]) : image
    let pooled = try graph.add(.maxPool(Pooling(kind.window)), [active])
    let shape = graph.shape(of: pooled)
    let features = shape.resolved(batch: 1).count
    let flat = try graph.reshape(pooled, to: [.batch, .fixed(features)])
    let v = try graph.parameter("v", shape: [.fixed(5), .fixed(features)])
    let logits = try graph.affine(flat, weight: v, bias: nil)
    let loss = try graph.softmaxCrossEntropy(logits, labels: graph.labels("targets"))
    let inputs = [
      "x": numbers.tensor([batch, 2, 7, 8]), "w": numbers.tensor([channels, 2, 3, 3]),
      "b": numbers.tensor([channels, 1, 1]), "v": numbers.tensor([5, features]),
      "targets": Tensor(
        shape: [batch], values: (0..<batch).map { _ in Double(numbers.below(5)) }),
    ]
    return (graph, loss, inputs)
  }

  @Test(
    "poolings that save argmax indices change nothing, with a relu before them or without",
    arguments: Kind.allCases, [1, 2, 7, 16, 17, 33])
  func poolings(kind: Kind, channels: Int) throws {
    for (batch, hasRelu) in [(1, true), (2, false), (7, true)] {
      var (graph, loss, inputs) = try network(
        kind, channels: channels, batch: batch, hasRelu: hasRelu)
      let nodes = try graph.gradient(of: loss, withRespectTo: graph.parameters)
      let names = graph.parameters.map { [graph] in graph[$0].name ?? "" }
      let (simple, kept) = graph.simplified(keeping: [loss] + nodes)
      let gradients = Array(zip(names, kept.dropFirst()))
      func plan(fuses: Bool) throws -> PreparedPlan {
        try PreparedPlan(
          simple, batch: batch, values: [kept[0]], gradients: gradients, inputs: inputs,
          fuses: fuses)
      }
      let (fused, plain) = (try plan(fuses: true), try plan(fuses: false))
      // The loss comes with its gradient.
      let fusedCalls = hasRelu ? 4 : 2
      #expect(fused.plan.stepLabels.count == plain.plan.stepLabels.count - fusedCalls)
      let (found, expected) = (fused.run(inputs), plain.run(inputs))
      let exact = try graph.evaluate([loss] + nodes, with: inputs, batch: batch)
      for (index, value) in (found.values + found.gradients).enumerated() {
        let other = (expected.values + expected.gradients)[index]
        #expect(relativeDistance(value, other) < 2e-6)
        #expect(relativeDistance(value, exact[index]) < 2e-6)
      }
      let again = fused.runAgain()
      #expect(bits(again.values + again.gradients) == bits(found.values + found.gradients))
    }
  }

  @Test(
    "chains of elementwise operations are one pass with the bits of many, in blocks of whole rows",
    arguments: [1, 3, 16, 100, 1025, 2049])
  func chains(columns: Int) throws {
    var graph = Graph()
    let shape: SymbolicShape = [.batch, .fixed(columns)]
    let x = try graph.data("x", shape: shape)
    let row = try graph.parameter("row", shape: [.fixed(columns)])
    let number = try graph.parameter("number", shape: [])
    let half = graph.fill(0.5, shape: [])
    // Like gelu, then a relu of a difference, then a quotient of what depends on a row.
    let inner = try graph.add(.erf, [graph.add(.scale(Factor(0.7)), [x])])
    let curve = try graph.add(
      .multiply, [graph.add(.multiply, [half, x]), graph.add(.add, [inner, number])])
    let changed = try graph.add(.relu, [graph.add(.subtract, [curve, row])])
    let divisor = try graph.add(.exp, [row])
    let result = try graph.add(.divide, [graph.add(.maximum, [changed, x]), divisor])
    let loss = try graph.add(.squaredNorm(axes: [1]), [result])
    let nodes = try graph.gradient(of: loss, withRespectTo: graph.parameters)
    let names = graph.parameters.map { [graph] in graph[$0].name ?? "" }
    let (simple, kept) = graph.simplified(keeping: [loss, result] + nodes)
    for batch in [1, 2, 11, 64] {
      var numbers = TestNumbers("chains", "\(columns)", "\(batch)")
      let inputs = [
        "x": numbers.tensor([batch, columns]), "row": numbers.tensor([columns]),
        "number": numbers.tensor([]),
      ]
      func plan(fuses: Bool) throws -> PreparedPlan {
        try PreparedPlan(
          simple, batch: batch, values: Array(kept[..<2]),
          gradients: Array(zip(names, kept.dropFirst(2))), inputs: inputs, fuses: fuses)
      }
      let (fused, plain) = (try plan(fuses: true), try plan(fuses: false))
      // Longer rows than a block are not combined with others in it.
      #expect(
        fused.plan.stepLabels.contains { $0.contains("+ … + divide, ") }
          == (columns <= 2048 || batch == 1))
      #expect(fused.plan.stepLabels.count < plain.plan.stepLabels.count - 5)
      let (found, expected) = (fused.run(inputs), plain.run(inputs))
      #expect(bits(found.values + found.gradients) == bits(expected.values + expected.gradients))
    }
  }
}

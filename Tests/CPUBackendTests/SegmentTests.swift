import CPUBackend
import Execution
import Graphs
import Numerics
import Tensors
import TestSupport
import Testing

@Suite("Plans in segments")
struct SegmentTests {
  /// A normalisation over all microbatches between two products, and its gradients.
  private struct Example {
    var graph = Graph()
    let loss: Graph.Node
    let gradients: [(parameter: String, node: Graph.Node)]
    let layout: FlatLayout
    let values: [String: Tensor]
    let shape: SymbolicShape

    init(_ shape: SymbolicShape, batch: Int) throws {
      self.shape = shape
      let channels = shape[1]
      let names = ["a", "scale", "shift", "b"]
      var leaves: [Graph.Node] = []
      for name in names {
        leaves.append(
          try graph.parameter(name, shape: name == "b" ? [3, channels] : [channels]))
      }
      let x = try graph.data("x", shape: shape)
      let kept = SymbolicShape([channels] + Array(repeating: 1, count: shape.axisCount - 2))
      let axes = [0] + Array(2..<shape.axisCount)
      let normalization = Normalization(axes: axes, epsilon: 0.01, spansMicrobatches: true)
      let scaled = try graph.add(.multiply, [x, graph.reshape(leaves[0], to: kept)])
      // Something that makes the mean of each channel depend on a.
      let input = try graph.add(.exp, [scaled])
      let normal = try graph.add(.normalize(normalization), [input, leaves[1], leaves[2]])
      let bent = try graph.tanh(normal)
      let rows =
        shape.axisCount == 2 ? bent : try graph.add(.mean(axes: Array(2..<shape.axisCount)), [bent])
      loss = try graph.squaredNorm(graph.matmul(rows, leaves[3], transposingRHS: true))
      let found = try graph.gradient(of: loss, withRespectTo: leaves)
      gradients = zip(names, found).map { ($0, $1) }
      let complete = graph
      layout = FlatLayout(
        zip(names, leaves).map { ($0, complete.shape(of: $1).resolved(batch: 1)) })
      var numbers = TestNumbers("segments", "\(shape)")
      var values = ["x": numbers.tensor(shape.resolved(batch: batch))]
      for range in layout.ranges { values[range.name] = numbers.tensor(range.shape) }
      self.values = values
    }
  }

  @Test(
    "microbatches that exchange sums have the losses and gradients of all rows at once",
    arguments: [[7], [3, 4], [1, 5, 1], [1, 1, 2, 3]])
  func microbatches(sizes: [Int]) throws {
    try compare(sizes.map { [$0] }, on: CPU())
    try compare([sizes], on: CPU())
  }

  @Test("so they have in groups", arguments: [[[3, 1], [1, 2]], [[1, 1, 1], [1, 1, 1, 1]]])
  func groups(sizes: [[Int]]) throws { try compare(sizes, on: CPU()) }

  @Test("so they have on another backend", arguments: [[[7]], [[1], [5], [1]], [[1, 2], [4]]])
  func interpreted(sizes: [[Int]]) throws {
    try compare(sizes, on: InterpreterBackend())
    try compare(sizes, on: InterpreterBackend(CPU().preferences(for: .float)))
  }

  /// Compares groups of microbatches with all rows at once.
  private func compare(_ groups: [[Int]], on backend: any Backend) throws {
    let groups = groups.map { sizes in
      // From right to left.
      let additions = Array(repeating: 0, count: sizes.count - 1) + [sizes.count - 1]
      return MicrobatchGroup(
        rowCounts: sizes, sums: [.init(of: sizes.indices, additions: additions)])
    }
    for shape in [[.batch, 5], [.batch, 3, 4], [.batch, 2, 3, 3]] as [SymbolicShape] {
      let example = try Example(shape, batch: 7)
      let expected = try example.graph.evaluate(
        [example.loss] + example.gradients.map(\.node), with: example.values, batch: 7)
      let parameters = FloatBuffer(count: example.layout.count)
      for range in example.layout.ranges {
        for (offset, value) in (example.values[range.name]?.values ?? []).enumerated() {
          parameters.pointer[range.offset + offset] = Float(value)
        }
      }
      let samples = (example.values["x"]?.values ?? []).map { Float($0) }
      let width = shape.fixedCount
      var row = 0
      var plans: [Plan] = []
      for group in groups {
        let plan = try Plan(
          example.graph, group: group, values: [example.loss], gradients: example.gradients,
          layout: example.layout, workspace: backend.makeWorkspace())
        for index in 0..<group.rowCount * width {
          plan.data("x")?[index] = samples[row * width + index]
        }
        row += group.rowCount
        plans.append(plan)
      }
      let segmentCount = plans[0].schedule.segmentCount
      #expect(plans.allSatisfy { $0.schedule.segmentCount == segmentCount })
      // Two sums forward, one backward; with channels in the middle, each use of x turns it and measures it anew.
      if backend.preferences(for: .float).putsChannelsLast { #expect(segmentCount == 4) }
      let gradients = groups.map { _ in FloatBuffer(count: example.layout.count) }
      for segment in 0..<segmentCount {
        for (plan, gradient) in zip(plans, gradients) {
          [gradient.pointer].withUnsafeBufferPointer {
            plan.run(segment: segment, parameters: parameters.pointer, gradients: $0)
          }
        }
        guard segment < segmentCount - 1 else { continue }
        let count = plans[0].sumCount(after: segment)
        var sum = Array(repeating: Float(0), count: count)
        for plan in plans {
          #expect(plan.sumCount(after: segment) == count)
          for microbatch in plan.schedule.group.rows.indices {
            var own = sum
            plan.copySums(after: segment, ofMicrobatch: microbatch, into: &own)
            for index in 0..<count { sum[index] += own[index] }
          }
        }
        for plan in plans { plan.setSums(after: segment, from: sum) }
      }
      let losses = zip(plans, groups).flatMap { plan, group in
        (0..<group.rowCount).map { Double(plan.value(of: example.loss)[$0]) }
      }
      let found = Tensor(shape: [7], values: losses)
      #expect(relativeDistance(found, expected[0]) < 1e-5, "\(shape) \(groups)")
      for (range, tensor) in zip(example.layout.ranges, expected.dropFirst()) {
        let total = range.indices.map { index in
          gradients.reduce(0.0) { $0 + Double($1.pointer[index]) }
        }
        let found = Tensor(shape: range.shape, values: total)
        #expect(relativeDistance(found, tensor) < 2e-5, "\(range.name) \(shape) \(groups)")
      }
    }
  }

  @Test("totals that nothing reads in between are summed together")
  func grouped() throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let first = try graph.add(.crossMicrobatchSum, [graph.add(.sum(axes: [0]), [x])])
    let second = try graph.add(.crossMicrobatchSum, [graph.add(.sum(axes: [0, 1]), [x])])
    let product = try graph.add(.multiply, [first, second])
    let plan = try Plan(
      graph, batch: 2, values: [product], layout: FlatLayout([]), workspace: CPU().makeWorkspace())
    #expect(plan.schedule.segmentCount == 2 && plan.sumCount(after: 0) == 4)
    let last = try Plan(
      graph, batch: 2, values: [second], layout: FlatLayout([]), workspace: CPU().makeWorkspace())
    #expect(last.schedule.segmentCount == 2 && last.sumCount(after: 0) == 1)
  }
}

import CPUBackend
import Execution
import Graphs
import Numerics
import Tensors
import TestSupport
import Testing

/// Microbatches computed together give the bits that each gives alone.
@Suite("Groups of microbatches")
struct GroupTests {
  /// A graph with values for its leaves, to be computed in any groups.
  private struct Work {
    let name: String
    let graph: Graph
    /// Nodes with rows that can be read.
    let values: [Graph.Node]
    let gradients: [(parameter: String, node: Graph.Node)]
    let inputs: [String: Tensor]

    var layout: FlatLayout {
      FlatLayout(
        graph.parameters.map { (graph[$0].name ?? "", graph.shape(of: $0).resolved(batch: 1)) })
    }
  }

  /// The bits of values and summed gradients.
  private struct Bits: Equatable {
    var values: [[UInt32]] = []
    var gradients: [[UInt32]] = []
  }

  /// Numbers of rows of microbatches, and the sums that are wanted of them.
  private static let groups: [MicrobatchGroup] = [
    MicrobatchGroup(
      rowCounts: [3, 3, 3, 3], sums: [.init(of: 0..<4, additions: [0, 1, 0, 2])]),
    MicrobatchGroup(
      rowCounts: [1, 2, 1, 2, 1],
      sums: [.init(of: 0..<4, additions: [0, 1, 0, 2]), .init(of: 4..<5, additions: [0])]),
    MicrobatchGroup(
      rowCounts: [1, 17, 2],
      sums: [.init(of: 0..<1, additions: [0]), .init(of: 1..<3, additions: [0, 1])]),
    MicrobatchGroup(
      rowCounts: Array(repeating: 1, count: 8),
      sums: [.init(of: 0..<8, additions: [0, 1, 0, 2, 0, 1, 0, 3])]),
    MicrobatchGroup(rowCounts: [5, 4, 5], sums: [.init(of: 0..<3, additions: [0, 0, 2])]),
  ]

  /// Runs some rows as one group, from a first row on.
  private func run(
    _ work: Work, _ group: MicrobatchGroup, firstRow: Int, on backend: any Backend
  ) throws -> Bits {
    let workspace = backend.makeWorkspace()
    let layout = work.layout
    let plan = try Plan(
      work.graph, group: group, values: work.values, gradients: work.gradients, layout: layout,
      workspace: workspace)
    let parameters = FloatBuffer(count: layout.count)
    for range in layout.ranges {
      for (index, number) in zip(range.indices, work.inputs[range.name]?.values ?? []) {
        parameters.pointer[index] = Float(number)
      }
    }
    for (name, value) in work.inputs {
      let width = value.shape.extents.dropFirst().reduce(1, *)
      let isFixed = work.graph.nodes.contains {
        work.graph[$0].name == name && work.graph.shape(of: $0).isFixed
      }
      let rows =
        isFixed
        ? value.values[...]
        : value.values.dropFirst(firstRow * width).prefix(group.rowCount * width)
      if let data = plan.data(name) {
        for (index, number) in rows.enumerated() { data[index] = Float(number) }
      }
      if let labels = plan.labels(name) {
        for (index, number) in rows.enumerated() { labels[index] = Int32(number) }
      }
    }
    let gradients = group.sums.map { _ in FloatBuffer(count: layout.count) }
    withExtendedLifetime(parameters) {
      gradients.map(\.pointer).withUnsafeBufferPointer {
        plan.run(
          parameters: parameters.pointer, gradients: $0,
          draws: Draws(seed: 3, step: 2, firstRow: firstRow))
      }
    }
    return Bits(
      values: work.values.map { node in
        let count = work.graph.shape(of: node).resolved(batch: group.rowCount).count
        let start = plan.value(of: node)
        return (0..<count).map { start[$0].bitPattern }
      },
      gradients: gradients.map { gradient in
        work.gradients.flatMap { name, _ in
          (layout[name]?.indices ?? 0..<0).map { gradient.pointer[$0].bitPattern }
        }
      })
  }

  /// Runs each microbatch alone and adds the gradients as the group's sums say.
  private func runApart(
    _ work: Work, _ group: MicrobatchGroup, on backend: any Backend
  ) throws -> Bits {
    var bits = Bits(values: work.values.map { _ in [] }, gradients: [])
    for sum in group.sums {
      var terms: [[UInt32]] = []
      for (microbatch, additions) in zip(sum.microbatches, sum.additions) {
        let rows = group.rows[microbatch]
        let one = try run(
          work, MicrobatchGroup(rowCount: rows.count), firstRow: rows.lowerBound, on: backend)
        for (index, value) in one.values.enumerated() { bits.values[index] += value }
        terms.append(one.gradients[0])
        for _ in 0..<additions {
          let right = terms.removeLast()
          terms.append(
            zip(terms.removeLast(), right).map {
              (Float(bitPattern: $0) + Float(bitPattern: $1)).bitPattern
            })
        }
      }
      bits.gradients += terms
    }
    return bits
  }

  private func compare(_ work: Work, _ group: MicrobatchGroup, on backend: any Backend) throws {
    let plan = try Plan(
      work.graph, group: group, values: work.values, gradients: work.gradients,
      layout: work.layout, workspace: backend.makeWorkspace())
    // Sums over microbatches are the caller's.
    guard plan.schedule.segmentCount == 1 else { return }
    let together = try run(work, group, firstRow: 0, on: backend)
    let apart = try runApart(work, group, on: backend)
    // Not printed: lists of bits are long.
    let agree = together == apart
    #expect(agree, "\(work.name) as \(group) on \(type(of: backend))")
  }

  private static let backends: [any Backend] = [
    CPU(), InterpreterBackend(), InterpreterBackend(CPU().preferences(for: .float)),
  ]

  @Test("of every operation and its gradients", arguments: [1, 7, 16], groups)
  func operations(width: Int, group: MicrobatchGroup) throws {
    for sample in try operationSamples(batch: group.rowCount, width: width) {
      let kind = OperationKind(sample.graph[sample.output].operation)
      guard kind != .labels, kind != .parameter else { continue }
      var graph = sample.graph
      let leaves = sample.operands.filter { !graph.shape(of: $0).isFixed }
      guard leaves.allSatisfy({ graph.shape(of: $0).extents.first == .batch }) else { continue }
      var inputs = sample.values
      let shape = graph.shape(of: sample.output)
      let cotangent: Graph.Node
      if shape.isFixed {
        cotangent = try graph.parameter("cotangent", shape: shape)
      } else {
        guard shape.extents.first == .batch else { continue }
        cotangent = try graph.data("cotangent", shape: shape)
      }
      var numbers = TestNumbers("groups", sample.description)
      inputs["cotangent"] = numbers.tensor(shape.resolved(batch: group.rowCount))
      let nodes = try graph.gradient(
        of: sample.output, cotangent: cotangent, withRespectTo: sample.numbers)
      var gradients: [(parameter: String, node: Graph.Node)] = []
      var values = shape.isFixed ? [] : [sample.output]
      for (operand, node) in zip(sample.numbers, nodes) {
        if graph[operand].operation == .parameter {
          gradients.append((graph[operand].name ?? "", node))
        } else if graph.shape(of: node).extents.first == .batch {
          values.append(node)
        }
      }
      let work = Work(
        name: "\(sample)", graph: graph, values: values, gradients: gradients, inputs: inputs)
      for backend in GroupTests.backends { try compare(work, group, on: backend) }
    }
  }

  @Test("of networks and their gradients", arguments: groups)
  func networks(group: MicrobatchGroup) throws {
    for network in try TestNetwork.all(batch: group.rowCount) {
      let (graph, kept) = network.graph.simplified(
        keeping: [network.loss] + network.gradients.map(\.node))
      let work = Work(
        name: "\(network)", graph: graph, values: [kept[0]],
        gradients: Array(zip(network.gradients.map(\.parameter), kept.dropFirst())),
        inputs: network.inputs)
      for backend in GroupTests.backends { try compare(work, group, on: backend) }
    }
  }

  @Test("of random graphs and their gradients", arguments: 0..<60)
  func randomGraphs(seed: Int) throws {
    let group = GroupTests.groups[seed % GroupTests.groups.count]
    let random = try RandomGraph(seed: seed, batch: group.rowCount)
    let (graph, kept) = random.graph.simplified(keeping: random.gradients)
    guard
      graph.nodes.allSatisfy({
        !graph[$0].inputs.isEmpty || graph.shape(of: $0).isFixed
          || graph.shape(of: $0).extents.first == .batch
      })
    else { return }
    let names = random.graph.parameters.map { random.graph[$0].name ?? "" }
    let work = Work(
      name: "\(random)", graph: graph, values: [], gradients: Array(zip(names, kept)),
      inputs: random.inputs)
    for backend in GroupTests.backends { try compare(work, group, on: backend) }
  }

  @Test(
    "where the number of rows is a factor, and sums of rows are divided by it", arguments: groups)
  func rowCounts(group: MicrobatchGroup) throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let w = try graph.parameter("w", shape: [3])
    let product = try graph.add(.multiply, [x, w])
    let mean = try graph.add(.mean(axes: [0]), [product])
    let centred = try graph.add(.subtract, [product, mean])
    let ones = graph.fill(1, shape: [.batch])
    let count = try graph.add(.sum(axes: [0]), [ones])
    let scaled = try graph.add(.scale(Factor(2, batchPower: -1)), [graph.add(.square, [centred])])
    let loss = try graph.add(.sum(axes: [1]), [scaled])
    let parts = try graph.gradient(of: loss, withRespectTo: [w])
    var own = TestNumbers("row counts", "\(group)")
    let scaledGradient = try graph.add(.multiply, [parts[0], count])
    let complete = graph
    let work = Work(
      name: "row counts", graph: complete, values: [loss, centred],
      gradients: [("w", scaledGradient)],
      inputs: ["x": own.tensor([group.rowCount, 3]), "w": own.tensor([3])])
    for backend in GroupTests.backends { try compare(work, group, on: backend) }
  }

  @Test("where parameters have one gradient together", arguments: groups)
  func sharedGradients(group: MicrobatchGroup) throws {
    var graph = Graph()
    let x = try graph.data("x", shape: [.batch, 3])
    let names = ["W0", "W1", "b0", "b1"]
    let shapes: [SymbolicShape] = [[2, 3], [2, 3], [2], [2]]
    var leaves: [Graph.Node] = []
    for (name, shape) in zip(names, shapes) {
      leaves.append(try graph.parameter(name, shape: shape))
    }
    let sum = try graph.add(
      .add,
      [
        graph.affine(x, weight: leaves[0], bias: leaves[2]),
        graph.affine(x, weight: leaves[1], bias: leaves[3]),
      ])
    let loss = try graph.squaredNorm(graph.tanh(sum))
    let gradients = try graph.gradient(of: loss, withRespectTo: leaves)
    let (simple, kept) = graph.simplified(keeping: [loss] + gradients)
    #expect(Set(kept).count == 3)
    var numbers = TestNumbers("shared gradients", "\(group)")
    var inputs = ["x": numbers.tensor([group.rowCount, 3])]
    for (name, shape) in zip(names, shapes) {
      inputs[name] = numbers.tensor(shape.resolved(batch: 1))
    }
    let work = Work(
      name: "shared gradients", graph: simple, values: [kept[0]],
      gradients: Array(zip(names, kept.dropFirst())), inputs: inputs)
    for backend in GroupTests.backends { try compare(work, group, on: backend) }
  }
}

import Graphs
import Kernels
import Tensors

/// Makes the order, the memory and the calls of a plan.
struct PlanBuilder {
  let graph: Graph
  let batch: Int
  let layout: FlatLayout
  let gradients: [(parameter: String, node: Graph.Node)]
  let values: [Graph.Node]
  /// What rounds the operands of products; nil where they are taken as they are.
  let halves: Halves?

  private(set) var calls: [Call] = []
  /// The statistics of values that several nodes normalise.
  private var normalizers: [NormalizedValue: Normalizer] = [:]
  /// Which part of the flat gradient a call writes.
  private(set) var gradientWrites: [(elements: Range<Int>, call: Int)] = []
  /// For each sum over microbatches, the number of calls before it and what is summed.
  private(set) var segmentEnds: [(callCount: Int, totals: [Total])] = []
  /// What will be summed at the end of this segment, and the nodes whose values it is.
  private var pendingTotals: [Total] = []
  private var pendingNodes: Set<Graph.Node> = []
  /// The number of calls after which all `values` are computed.
  private(set) var forwardCallCount = 0
  private(set) var arenaCount = 0
  private(set) var dataLocations: [String: Location] = [:]
  private(set) var labelBuffers: [String: LabelBuffer] = [:]

  private let needed: [Bool]
  private let chains: [Graph.Node: FusedProduct]
  private let passes: [Graph.Node: ElementwiseChain]
  /// The gradients that are computed with the losses, by these.
  private let lossGradients: [Graph.Node: Graph.Node]
  /// Nodes whose values the call of another node writes too, by that node.
  private let computedWith: [Graph.Node: Graph.Node]
  /// Where each pass keeps what lies between its steps.
  private var scratches: [Graph.Node: Location] = [:]
  private let absorbed: Set<Graph.Node>
  private let poolings: [Graph.Node: NotedPooling]
  /// The choices of each noted pooling, by the node of its maxima.
  private var choices: [Graph.Node: ChoiceBuffer] = [:]
  /// For each node, the node whose memory holds its value: itself, or what it is a view of.
  private var roots: [Graph.Node] = []
  private var locations: [Graph.Node: Location] = [:]
  private var constants: [(offset: Int, values: [Double], count: Int)] = []
  private var constantCount = 0

  init(
    graph: Graph, batch: Int, values: [Graph.Node],
    gradients: [(parameter: String, node: Graph.Node)], layout: FlatLayout, halves: Halves? = nil,
    fuses: Bool
  ) {
    self.graph = graph
    self.halves = halves
    self.batch = batch
    self.values = values
    self.gradients = gradients
    self.layout = layout
    let outputs = values + gradients.map(\.node)
    needed = graph.isNeeded(for: outputs)
    guard fuses else {
      (chains, poolings, passes, lossGradients) = ([:], [:], [:], [:])
      (computedWith, absorbed) = ([:], [])
      return
    }
    let products = fusedProducts(in: graph, needed: needed, outputs: Set(outputs))
    let noted = notedPoolings(in: graph, needed: needed, outputs: Set(outputs))
    let taken = products.absorbed.union(noted.absorbed)
      .union(products.chains.keys).union(noted.poolings.keys)
    (chains, poolings) = (products.chains, noted.poolings)
    lossGradients = lossesWithGradient(in: graph, needed: needed, outputs: Set(outputs))
    passes = elementwiseChains(
      in: graph, batch: batch, needed: needed, outputs: Set(outputs), taken: taken,
      early: Dictionary(uniqueKeysWithValues: lossGradients.map { ($1, $0) }))
    absorbed = products.absorbed.union(noted.absorbed).union(
      passes.values.flatMap { chain in
        chain.nodes.filter { $0 != chain.last && !chain.kept.contains($0) }
      })
    computedWith = Dictionary(
      uniqueKeysWithValues: lossGradients.map { ($1, $0) }
        + passes.values.flatMap { chain in chain.kept.map { ($0, chain.last) } })
  }

  mutating func build() throws(PlanError) {
    graph.verify()
    findRoots()
    let steps = graph.nodes.filter { needed[$0.index] && isComputed($0) }
    try placeLeaves()
    try placeGradients()
    placeValues(steps)
    let read = Set(values.map { roots[$0.index] })
    for node in steps where computedWith[node] == nil {
      guard let location = locations[node] else {
        preconditionFailure("node \(node.index) was given no place")
      }
      if operands(of: node).contains(where: { pendingNodes.contains(roots[$0.index]) }) {
        endSegment()
      }
      let call = try lower(node, into: location)
      if location.memory == .gradient {
        let end = location.offset + shape(of: node).count
        gradientWrites.append((location.offset..<end, calls.count))
      }
      calls.append(call)
      if read.contains(node) { forwardCallCount = calls.count }
    }
    if !pendingTotals.isEmpty { endSegment() }
    copyGradients()
  }

  // MARK: What the lowering asks.

  /// The operands whose memory a node's call reads.
  func operands(of node: Graph.Node) -> [Graph.Node] {
    if computedWith[node] != nil { return [] }
    if let noted = poolings[node], noted.gradient == node { return [noted.cotangent] }
    if let pass = passes[node] { return pass.operands }
    if let gradient = lossGradients[node] { return graph[gradient].inputs }
    guard let chain = chains[node] else { return graph[node].inputs }
    return graph[chain.product].inputs + (chain.bias.map { [$0] } ?? [])
  }

  /// Adds a call before that of the node that is being lowered.
  mutating func addCall(_ call: Call) { calls.append(call) }

  /// Lets a value be summed over microbatches before anything reads it.
  mutating func addTotal(_ total: Total, of node: Graph.Node) {
    pendingTotals.append(total)
    pendingNodes.insert(roots[node.index])
  }

  /// Lets numbers in memory of a kernel be summed over microbatches before the next call.
  mutating func addTotal(of buffer: FloatBuffer) {
    pendingTotals.append(Total(memory: .buffer(buffer), count: buffer.count))
    endSegment()
  }

  private mutating func endSegment() {
    segmentEnds.append((calls.count, pendingTotals))
    pendingTotals = []
    pendingNodes = []
  }

  /// The statistics of a value over axes; new ones are measured by the first call that uses them.
  mutating func normalizer(
    of x: Graph.Node, _ normalization: Normalization
  ) -> (normalizer: Normalizer, isNew: Bool) {
    let key = NormalizedValue(
      value: roots[x.index], shape: shape(of: x), normalization: normalization)
    if let known = normalizers[key] { return (known, false) }
    let (outer, middle, inner) = shape(of: x).split(at: normalization.axes)
    let new = Normalizer(
      outer: outer, middle: middle, inner: inner, epsilon: normalization.epsilon,
      rows: normalization.isTotal ? batch : 1)
    normalizers[key] = new
    return (new, true)
  }

  func chain(endingAt node: Graph.Node) -> FusedProduct? { chains[node] }

  /// The elementwise nodes that are computed with a node, and where to keep what lies between them.
  func pass(endingAt node: Graph.Node) -> (chain: ElementwiseChain, scratch: Location)? {
    guard let chain = passes[node], let scratch = scratches[node] else { return nil }
    return (chain, scratch)
  }

  /// The gradient that is computed with a loss.
  func gradient(with loss: Graph.Node) -> Graph.Node? { lossGradients[loss] }

  /// The noted pooling whose maxima or whose gradient a node is.
  func notedPooling(of node: Graph.Node) -> NotedPooling? { poolings[node] }

  /// The memory for the choices of a noted pooling.
  mutating func choices(of noted: NotedPooling, byteCount: Int) -> ChoiceBuffer {
    let buffer = choices[noted.pooling] ?? ChoiceBuffer(byteCount: byteCount)
    choices[noted.pooling] = buffer
    return buffer
  }

  func shape(of node: Graph.Node) -> Shape { graph.shape(of: node).resolved(batch: batch) }

  func location(of node: Graph.Node) -> Location {
    guard let location = locations[roots[node.index]] else {
      preconditionFailure("node \(node.index) was given no place")
    }
    return location
  }

  /// The place of a node's value; nil for one that disappears.
  func locationIfAny(of node: Graph.Node) -> Location? { locations[roots[node.index]] }

  func labelBuffer(of node: Graph.Node) -> LabelBuffer {
    guard let buffer = labelBuffers[graph[roots[node.index]].name ?? ""] else {
      preconditionFailure("node \(node.index) holds no labels")
    }
    return buffer
  }

  func makeConstants() -> FloatBuffer {
    let buffer = FloatBuffer(count: constantCount)
    for (offset, values, count) in constants {
      for index in 0..<count {
        buffer.pointer[offset + index] = Float(values[values.count == 1 ? 0 : index])
      }
    }
    return buffer
  }

  // MARK: Where values lie.

  private func isComputed(_ node: Graph.Node) -> Bool {
    (!graph[node].inputs.isEmpty || graph[node].operation.isDrawn) && roots[node.index] == node
      && !absorbed.contains(node)
  }

  private mutating func findRoots() {
    for node in graph.nodes {
      if case .reshape = graph[node].operation {
        roots.append(roots[graph[node].inputs[0].index])
      } else {
        roots.append(node)
      }
    }
  }

  private mutating func placeLeaves() throws(PlanError) {
    for node in graph.nodes where needed[node.index] {
      let record = graph[node]
      let name = record.name ?? ""
      let shape = shape(of: node)
      switch record.operation {
      case .parameter:
        let range = try place(of: name, shape: shape)
        locations[node] = Location(memory: .parameters, offset: range.offset)
      case .labels: labelBuffers[name] = LabelBuffer(count: shape.count)
      case .constant(let values): placeConstant(node, values: values, count: shape.count)
      case .fill(let value): placeConstant(node, values: [value], count: shape.count)
      default: break
      }
    }
  }

  private func place(
    of parameter: String, shape: Shape
  ) throws(PlanError) -> FlatLayout.Range {
    guard let range = layout[parameter], range.shape == shape else {
      throw .parameter(
        parameter, found: layout[parameter].map { "shape \($0.shape)" } ?? "no place",
        expected: "shape \(shape)")
    }
    return range
  }

  private mutating func placeConstant(_ node: Graph.Node, values: [Double], count: Int) {
    locations[node] = Location(memory: .constants, offset: constantCount)
    constants.append((constantCount, values, count))
    let alignment = MemoryPlan.alignment
    constantCount += (count + alignment - 1) / alignment * alignment
  }

  /// Lets nodes that are gradients, and nothing that is read after a run, be computed straight into
  /// the flat gradient.
  private mutating func placeGradients() throws(PlanError) {
    let read = Set(values.map { roots[$0.index] })
    for (parameter, node) in gradients {
      let range = try place(of: parameter, shape: shape(of: node))
      let root = roots[node.index]
      guard isComputed(root), !read.contains(root), locations[root] == nil,
        graph[root].operation != .total
      else { continue }
      locations[root] = Location(memory: .gradient, offset: range.offset)
    }
  }

  /// Copies the gradients that are leaves, values to be read, or of more than one parameter.
  private mutating func copyGradients() {
    for (parameter, node) in gradients {
      guard let range = layout[parameter] else { continue }
      let source = location(of: node)
      let target = Location(memory: .gradient, offset: range.offset)
      guard source != target else { continue }
      let count = range.count
      gradientWrites.append((range.indices, calls.count))
      calls.append(
        Call(label: "\(parameter): copy gradient") { bases in
          Elementwise.copy(bases[source], into: bases[target], count: count)
        })
    }
  }

  /// Gives every value that is left a place in the arena.
  private mutating func placeValues(_ steps: [Graph.Node]) {
    var lastUse: [Graph.Node: Int] = [:]
    for (step, node) in steps.enumerated() {
      for operand in operands(of: node) { lastUse[roots[operand.index]] = step }
    }
    for node in values { lastUse[roots[node.index]] = steps.count }
    // What the caller fills stays as it is, so that a run can be repeated.
    var blocks: [MemoryPlan.Value] = []
    var blockOf: [Graph.Node: Int] = [:]
    for node in graph.nodes where needed[node.index] && graph[node].operation == .data {
      blockOf[node] = blocks.count
      blocks.append(MemoryPlan.Value(count: shape(of: node).count, first: -1, last: steps.count))
    }
    let stepOf = Dictionary(uniqueKeysWithValues: steps.enumerated().map { ($1, $0) })
    var scratchOf: [Graph.Node: Int] = [:]
    for (step, node) in steps.enumerated() {
      guard let chain = passes[node] else { continue }
      scratchOf[node] = blocks.count
      blocks.append(MemoryPlan.Value(count: scratchCount(of: chain), first: step, last: step))
    }
    for (step, node) in steps.enumerated() where locations[node] == nil {
      let count = shape(of: node).count
      let last = lastUse[node] ?? step
      let written = computedWith[node].flatMap { stepOf[$0] } ?? step
      if let operand = operandToOverwrite(node, at: step, lastUse: lastUse),
        let block = blockOf[operand]
      {
        blockOf[node] = block
        blocks[block].last = max(blocks[block].last, last)
      } else {
        blockOf[node] = blocks.count
        blocks.append(
          MemoryPlan.Value(count: count, first: min(step, written), last: max(last, written)))
      }
    }
    let memory = MemoryPlan(blocks)
    arenaCount = memory.count
    for (node, block) in scratchOf {
      scratches[node] = Location(memory: .arena, offset: memory.offsets[block])
    }
    for (node, block) in blockOf {
      let location = Location(memory: .arena, offset: memory.offsets[block])
      locations[node] = location
      if graph[node].operation == .data { dataLocations[graph[node].name ?? ""] = location }
    }
  }

  /// An operand of an elementwise node that nothing reads afterwards, to be overwritten in place.
  private func operandToOverwrite(
    _ node: Graph.Node, at step: Int, lastUse: [Graph.Node: Int]
  ) -> Graph.Node? {
    guard chains[node] == nil, poolings[node] == nil, computedWith[node] == nil,
      graph[node].operation.isElementwise
    else {
      return nil
    }
    let count = shape(of: node).count
    return operands(of: node).lazy.map { roots[$0.index] }.first { root in
      isComputed(root) && locations[root] == nil && lastUse[root] == step
        && shape(of: root).count == count
    }
  }
}

/// What has one mean and deviation.
private struct NormalizedValue: Hashable {
  let value: Graph.Node
  let shape: Shape
  let normalization: Normalization
}

extension Shape {
  /// The elements before, along and after some neighbouring axes.
  func split(at axes: [Int]) -> (outer: Int, middle: Int, inner: Int) {
    let (first, last) = (axes.min() ?? 0, axes.max() ?? -1)
    return (
      extents[..<first].reduce(1, *), extents[first..<last + 1].reduce(1, *),
      extents[(last + 1)...].reduce(1, *)
    )
  }
}

extension Graph.Operation {
  /// Whether a leaf's value is made by a run, and not there before it.
  var isDrawn: Bool {
    if case .dropoutMask = self { true } else { false }
  }
}

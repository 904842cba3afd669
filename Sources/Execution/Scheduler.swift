// From a legal graph to steps: what is fused, in which order, and where values lie.
import Graphs
import Tensors

/// Makes the order, the memory and the steps of a schedule.
struct Scheduler {
  let graph: Graph
  let group: MicrobatchGroup
  let layout: FlatLayout
  let gradients: [(parameter: String, node: Graph.Node)]
  let values: [Graph.Node]
  let preferences: BackendPreferences

  private(set) var steps: [Step] = []
  private(set) var gradientWrites: [Schedule.GradientWrite] = []
  private(set) var segmentEnds: [Schedule.SegmentEnd] = []
  private(set) var forwardStepCount = 0
  private(set) var inputs: [String: Value] = [:]
  private(set) var constants: [Schedule.Constant] = []
  private(set) var roundedParameters: [Range<Int>] = []
  /// The elements of each region so far.
  private(set) var memory: [Region: Int] = [:]

  /// The values to be summed at the end of this segment, and the nodes they belong to.
  private var pendingSums: [Value] = []
  private var pendingNodes: Set<Graph.Node> = []

  let needed: [Bool]
  let fusion: Fusion
  /// The statistics of values that several nodes normalize.
  private var statistics: [NormalizedValue: Value] = [:]
  /// The indices of each pooling with indices, by the node of its maxima.
  private var indices: [Graph.Node: Value] = [:]
  /// The scratch of each chain, by its last node.
  var scratches: [Graph.Node: Location] = [:]
  /// For each node, the node whose memory holds its value: itself, or what it is a view of.
  private var roots: [Graph.Node] = []
  /// For each node, how its value is divided among the microbatches.
  private var spreads: [Spread] = []
  var locations: [Graph.Node: Location] = [:]

  init(
    graph: Graph, group: MicrobatchGroup, values: [Graph.Node],
    gradients: [(parameter: String, node: Graph.Node)], layout: FlatLayout,
    preferences: BackendPreferences
  ) {
    self.graph = graph
    self.group = group
    self.values = values
    self.gradients = gradients
    self.layout = layout
    self.preferences = preferences
    let outputs = values + gradients.map(\.node)
    needed = graph.isNeeded(for: outputs)
    fusion = Fusion(
      graph, rowCount: group.rowCount, needed: needed, outputs: Set(outputs),
      preferences: preferences)
  }

  /// Makes the schedule.
  mutating func run() throws(PlanError) {
    graph.verify()
    findRoots()
    spreads = spreads(roots)
    let nodes = graph.nodes.filter { needed[$0.index] && isComputed($0) }
    try placeLeaves()
    try placeGradients()
    placeValues(nodes)
    memory[.parameters] = layout.count
    memory[.gradient] = gradients.isEmpty ? 0 : layout.count
    let read = Set(values.map { root(of: $0) })
    for node in nodes where fusion.computedWith[node] == nil {
      if operands(of: node).contains(where: { pendingNodes.contains(root(of: $0)) }) {
        endSegment()
      }
      schedule(node)
      copyGradients(computedBy: node)
      if read.contains(node) { forwardStepCount = steps.count }
    }
    if !pendingSums.isEmpty { endSegment() }
    copyOtherGradients()
  }

  // MARK: What steps are made of.

  /// Appends a step, and notes the part of the flat gradient that it writes.
  mutating func add(_ step: Step) {
    for result in step.results where result.location.region == .gradient {
      let start = result.location.offset
      gradientWrites.append(
        Schedule.GradientWrite(
          elements: start..<start + count(of: result), step: steps.count))
    }
    steps.append(step)
  }

  /// Schedules a sum of a node's value over microbatches, before anything reads it.
  mutating func addSum(_ value: Value, of node: Graph.Node) {
    pendingSums.append(value)
    pendingNodes.insert(root(of: node))
  }

  /// Schedules a sum of a value over microbatches, before the next step.
  mutating func addSum(_ value: Value) {
    pendingSums.append(value)
    endSegment()
  }

  private mutating func endSegment() {
    segmentEnds.append(Schedule.SegmentEnd(stepCount: steps.count, sums: pendingSums))
    pendingSums = []
    pendingNodes = []
  }

  /// The operands whose memory the step of a node reads.
  func operands(of node: Graph.Node) -> [Graph.Node] {
    if fusion.computedWith[node] != nil { return [] }
    if let pooling = fusion.poolings[node], pooling.gradient == node { return [pooling.cotangent] }
    if let chain = fusion.chains[node] { return chain.operands }
    if let gradient = fusion.lossGradients[node] { return graph[gradient].inputs }
    guard let product = fusion.products[node] else { return graph[node].inputs }
    return graph[product.product].inputs + (product.bias.map { [$0] } ?? [])
  }

  /// The statistics of a value over axes; new ones are taken by the first node that uses them.
  mutating func statistics(
    of x: Graph.Node, _ normalization: Normalization
  ) -> (value: Value, isNew: Bool) {
    let key = NormalizedValue(
      value: root(of: x), shape: shape(of: x), normalization: normalization)
    if let known = statistics[key] { return (known, false) }
    let new = placeStatistics(of: x, normalization)
    statistics[key] = new
    return (new, true)
  }

  /// Finds room for the statistics of a value over axes.
  mutating func placeStatistics(of x: Graph.Node, _ normalization: Normalization) -> Value {
    let isShared = hasSharedStatistics(x, normalization)
    let rowCount = isShared ? group.rowCount : largestRowCount
    let (outer, _, inner) = graph.shape(of: x).resolved(batch: rowCount).split(
      at: normalization.axes)
    let count = StatisticsLayout(groupCount: outer * inner).count
    let stride = MemoryPlan.rounded(count)
    return Value(
      position(isShared ? count : stride * group.rows.count, in: .statistics), [.fixed(count)],
      isShared ? .shared : .copies(stride: stride))
  }

  /// The memory for the indices of a pooling.
  mutating func indices(of pooling: PoolingWithIndices) -> Value {
    if let known = indices[pooling.pooling] { return known }
    var extents = graph.shape(of: pooling.pooling).extents
    if case .fixed(let channels)? = extents.last {
      extents[extents.count - 1] = .fixed(
        channels.rounded(upToMultipleOf: preferences.indexAlignment))
    }
    let shape = SymbolicShape(extents)
    let (spread, count) = memory(of: shape, dependsOnRows: true)
    let new = Value(position(count, in: .argmaxIndices), shape, spread)
    indices[pooling.pooling] = new
    return new
  }

  /// Finds room for operands of a product that are rounded first.
  mutating func round(_ operand: Value) {
    let (location, count) = (operand.location, count(of: operand))
    guard location.region == .parameters else {
      let half = MemoryPlan.rounded(count)
      memory[.roundedOperands] = max(memory[.roundedOperands, default: 0], 2 * half)
      return
    }
    memory[.roundedParameters] = layout.count
    let range = location.offset..<location.offset + count
    if !roundedParameters.contains(range) { roundedParameters.append(range) }
  }

  // MARK: What is known of nodes.

  /// The shape for all rows of the group.
  func shape(of node: Graph.Node) -> Shape {
    graph.shape(of: node).resolved(batch: group.rowCount)
  }

  /// The number of elements for all rows of the group.
  func count(of value: Value) -> Int { value.shape.resolved(batch: group.rowCount).count }

  func root(of node: Graph.Node) -> Graph.Node { roots[node.index] }

  func spread(of node: Graph.Node) -> Spread { spreads[node.index] }

  func value(of node: Graph.Node) -> Value {
    guard let location = locations[root(of: node)] else {
      preconditionFailure("node \(node.index) was given no place")
    }
    return value(of: node, at: location)
  }

  /// The value of a node; nil for one that disappears.
  func valueIfAny(of node: Graph.Node) -> Value? {
    locations[root(of: node)].map { value(of: node, at: $0) }
  }

  private func value(of node: Graph.Node, at location: Location) -> Value {
    // In the flat gradient lies the sum over microbatches.
    Value(
      location, graph.shape(of: node), location.region == .gradient ? .shared : spread(of: node))
  }

  /// Returns true if a step computes the node.
  func isComputed(_ node: Graph.Node) -> Bool {
    (!graph[node].inputs.isEmpty || graph[node].operation.isDrawn) && root(of: node) == node
      && !fusion.absorbed.contains(node)
  }

  // MARK: Where leaves and gradients lie.

  private mutating func findRoots() {
    for node in graph.nodes {
      if case .reshape = graph[node].operation {
        roots.append(roots[graph[node].inputs[0].index])
      } else {
        roots.append(node)
      }
    }
  }

  /// Finds room in a region that is never reused.
  private mutating func position(_ count: Int, in region: Region) -> Location {
    let offset = memory[region, default: 0]
    // Bytes too: a multiple of vectors, if not of cache lines.
    memory[region] = offset + MemoryPlan.rounded(count)
    return Location(region, offset)
  }

  /// Sets the memory that values alive for a part of a run need.
  mutating func setArena(count: Int) { memory[.arena] = count }

  /// Notes where an input lies.
  mutating func setInput(_ node: Graph.Node, at location: Location) {
    locations[node] = location
    inputs[graph[node].name ?? ""] = Value(location, graph.shape(of: node), spread(of: node))
  }

  private mutating func placeLeaves() throws(PlanError) {
    for node in graph.nodes where needed[node.index] {
      let record = graph[node]
      let shape = shape(of: node)
      switch record.operation {
      case .parameter:
        let range = try range(of: record.name ?? "", shape: shape)
        locations[node] = Location(.parameters, range.offset)
      case .labels: setInput(node, at: position(memoryCount(of: node), in: .labels))
      case .constant(let numbers): placeConstant(node, numbers, count: shape.count)
      case .fill(let number): placeConstant(node, [number], count: memoryCount(of: node))
      default: break
      }
    }
  }

  private func range(
    of parameter: String, shape: Shape
  ) throws(PlanError) -> FlatLayout.Range {
    guard let range = layout[parameter], range.shape == shape else {
      throw .parameter(
        parameter, found: layout[parameter].map { "shape \($0.shape)" } ?? "no place",
        expected: "shape \(shape)")
    }
    return range
  }

  private mutating func placeConstant(_ node: Graph.Node, _ numbers: [Double], count: Int) {
    let location = position(count, in: .constants)
    locations[node] = location
    constants.append(Schedule.Constant(location: location, numbers: numbers, count: count))
  }

  /// Places nodes that are gradients, and nothing that is read after a run, in the flat gradient.
  private mutating func placeGradients() throws(PlanError) {
    let read = Set(values.map { root(of: $0) })
    // There is no memory for the gradients of single microbatches that something else needs.
    let used = Set(
      graph.nodes.filter { needed[$0.index] && isComputed($0) }.flatMap { operands(of: $0) }
        .map { root(of: $0) })
    for (parameter, node) in gradients {
      let range = try range(of: parameter, shape: shape(of: node))
      let root = root(of: node)
      guard isComputed(root), !read.contains(root), locations[root] == nil,
        graph[root].operation != .crossMicrobatchSum,
        group.isSingle
          || isComputedAlone(root) && !used.contains(root) && !isGradientOfSeveral(root)
      else { continue }
      locations[root] = Location(.gradient, range.offset)
    }
  }

  /// Returns true if a node is the gradient of several parameters: each is then added over microbatches by itself.
  private func isGradientOfSeveral(_ node: Graph.Node) -> Bool {
    gradients.count { root(of: $0.node) == node } > 1
  }

  /// Copies gradients that other nodes read too, before these may overwrite them.
  ///
  /// - Parameter node: The node whose step has just been added.
  private mutating func copyGradients(computedBy node: Graph.Node) {
    guard !group.isSingle else { return }
    for (parameter, gradient) in gradients {
      let root = root(of: gradient)
      guard root == node || fusion.computedWith[root] == node,
        graph[root].operation != .crossMicrobatchSum
      else { continue }
      copyGradient(gradient, of: parameter)
    }
  }

  /// Copies the gradients that are leaves, values to be read, or of more than one parameter.
  private mutating func copyOtherGradients() {
    for (parameter, node) in gradients {
      let root = root(of: node)
      guard
        group.isSingle || !isComputed(root) || graph[root].operation == .crossMicrobatchSum
      else { continue }
      copyGradient(node, of: parameter)
    }
  }

  private mutating func copyGradient(_ node: Graph.Node, of parameter: String) {
    guard let range = layout[parameter] else { return }
    let source = value(of: node)
    let target = Location(.gradient, range.offset)
    guard source.location != target else { return }
    add(
      Step(
        label: "\(parameter): copy gradient", action: .copy, operands: [source],
        results: [Value(target, source.shape)], rows: .byMicrobatch,
        scope: group.isSingle ? .group : .microbatch))
  }
}

/// A value with the axes that its statistics are taken over.
private struct NormalizedValue: Hashable {
  let value: Graph.Node
  let shape: Shape
  let normalization: Normalization
}

extension Shape {
  /// The elements before, along and after some neighbouring axes.
  package func split(at axes: [Int]) -> (outer: Int, middle: Int, inner: Int) {
    let (first, last) = (axes.min() ?? 0, axes.max() ?? -1)
    return (
      extents[..<first].reduce(1, *), extents[first..<last + 1].reduce(1, *),
      extents[(last + 1)...].reduce(1, *)
    )
  }
}

extension Graph.Operation {
  /// True if a leaf's value is made by a run, and not there before it.
  var isDrawn: Bool {
    if case .dropoutMask = self { true } else { false }
  }
}

// How values are divided among the microbatches of a group, and which steps are computed for all rows at once.
import Graphs
import Tensors

extension Scheduler {
  /// Returns how the value of each node is divided: the same for all that share memory, given for each node the
  /// node whose memory holds its value.
  func spreads(_ roots: [Graph.Node]) -> [Spread] {
    var dependsOnRows: [Bool] = []
    var spreads: [Spread] = []
    for node in graph.nodes {
      let record = graph[node]
      let depends =
        graph.differsBetweenMicrobatches(node)
        || record.inputs.contains { dependsOnRows[$0.index] }
      dependsOnRows.append(depends)
      spreads.append(
        roots[node.index] == node
          ? memory(of: record.shape, dependsOnRows: depends).spread
          : spreads[roots[node.index].index])
    }
    return spreads
  }

  /// The division of a value, and the elements that it takes.
  func memory(of shape: SymbolicShape, dependsOnRows: Bool) -> (spread: Spread, count: Int) {
    let count = shape.resolved(batch: group.rowCount).count
    if group.isSingle { return (.shared, count) }
    if shape.hasRows { return (.rows(stride: shape.fixedCount), count) }
    guard dependsOnRows else { return (.shared, count) }
    let stride = MemoryPlan.rounded(shape.resolved(batch: largestRowCount).count)
    return (.copies(stride: stride), stride * group.rows.count)
  }

  /// The elements that the value of a computed node takes.
  func memoryCount(of node: Graph.Node) -> Int {
    guard case .copies(let stride) = spread(of: node) else { return shape(of: node).count }
    return stride * group.rows.count
  }

  /// The rows of the largest microbatch.
  var largestRowCount: Int { group.rows.reduce(0) { max($0, $1.count) } }

  /// Returns true if the statistics of a value are one value for all rows, taken and used for all of them at once.
  func hasSharedStatistics(_ x: Graph.Node, _ normalization: Normalization) -> Bool {
    if group.isSingle { return true }
    guard case .rows = spread(of: x), graph.shape(of: x).hasRows,
      !normalization.axes.contains(0)
    else {
      return false
    }
    return graph.nodes.allSatisfy { user in
      let record = graph[user]
      guard needed[user.index], record.operation.usesStatistics(normalization),
        record.inputs.contains(where: { root(of: $0) == root(of: x) })
      else { return true }
      return graph.rowDependence(of: user) == .rowByRow
        && ([user] + record.inputs).allSatisfy { !spread(of: $0).isCopies }
    }
  }

  /// Returns the rows that a step is computed for at once.
  func scope(_ rows: RowDependence, _ operands: [Value], _ results: [Value]) -> Step.Scope {
    if group.isSingle { return .group }
    let values = operands + results
    guard !values.contains(where: { $0.spread.isCopies || $0.location.region == .gradient }) else {
      return .microbatch
    }
    let haveRows = values.contains { $0.spread != .shared }
    return rows == .rowByRow || !haveRows ? .group : .microbatch
  }

  /// Returns true if the step of a node computes nothing else.
  func isComputedAlone(_ node: Graph.Node) -> Bool {
    fusion.chains[node] == nil && fusion.computedWith[node] == nil
      && fusion.lossGradients[node] == nil && fusion.poolings[node] == nil
  }
}

extension Spread {
  /// True if there is one value for each microbatch.
  var isCopies: Bool {
    if case .copies = self { true } else { false }
  }
}

extension Graph {
  /// Returns true if a value differs between microbatches even where no operand does: leaves with rows, what is
  /// drawn, and what the number of rows is a factor of.
  fileprivate func differsBetweenMicrobatches(_ node: Node) -> Bool {
    switch self[node].operation {
    case .dropoutMask: true
    case .scale(let factor): factor.batchPower != 0
    default: self[node].inputs.isEmpty && !shape(of: node).isFixed
    }
  }
}

extension Graph.Operation {
  /// True if the operation takes the statistics of a normalization.
  fileprivate func usesStatistics(_ normalization: Normalization) -> Bool {
    switch self {
    case .normalize(let own), .moments(let own), .normalizeScaleGradient(let own),
      .normalizeInputGradient(let own):
      own == normalization
    case .variance(let axes): Normalization(axes: axes) == normalization
    default: false
    }
  }
}

// Rewrites what no kernel computes directly into what kernels do compute, and chooses where channels lie.
import Graphs
import Tensors

extension Graph {
  /// Returns a graph that kernels compute node by node, with the same values.
  ///
  /// Images are computed with channels last wherever windows slide over them, and stay so through what
  /// follows element by element, so that they are turned round only where they enter and leave. A reduction
  /// over separate groups of axes becomes one per group, last group first. A squared norm over axes that
  /// are not the last becomes squares and a sum.
  ///
  /// - Parameters:
  ///   - kept: The nodes whose values are wanted.
  ///   - channelsLast: Whether images have their channels last where windows slide over them.
  /// - Returns: The graph, and where each node of `kept` went.
  /// - Throws: ``GraphError/tooLarge(operation:found:limit:)`` if a rewritten node has too many elements to count.
  func legalized(
    keeping kept: [Node], channelsLast: Bool
  ) throws(GraphError) -> (graph: Graph, kept: [Node]) {
    var legalizer = Legalizer(source: self, turnsImages: channelsLast)
    return try legalizer.run(keeping: kept)
  }
}

/// A value in the legal graph, with its axes in their own order, with channels last, or both.
private struct Legalizer {
  private let source: Graph
  /// True if images have their channels last where windows slide over them.
  private let turnsImages: Bool
  private var result = Graph()
  private var plain: [Graph.Node?] = []
  private var channelsLast: [Graph.Node?] = []

  init(source: Graph, turnsImages: Bool) {
    self.source = source
    self.turnsImages = turnsImages
  }

  mutating func run(
    keeping kept: [Graph.Node]
  ) throws(GraphError) -> (graph: Graph, kept: [Graph.Node]) {
    for node in source.nodes {
      result.layer = source[node].layer
      plain.append(nil)
      channelsLast.append(nil)
      try add(node, source[node])
    }
    var moved: [Graph.Node] = []
    for node in kept { moved.append(try inOrder(node)) }
    return (result, moved)
  }

  // MARK: The two forms of a value.

  /// The value with its axes in their own order.
  private mutating func inOrder(_ node: Graph.Node) throws(GraphError) -> Graph.Node {
    if let known = plain[node.index] { return known }
    let record = source[node]
    let new: Graph.Node
    if let last = channelsLast[node.index] {
      new = try turned(last, to: record.shape, isTurnedBack: true)
    } else if case .broadcast(let target) = record.operation {
      new = try result.add(.broadcast(target), [inOrder(record.inputs[0])])
    } else if case .dropoutMask(let mask) = record.operation {
      // Drawn with channels last, whatever becomes of them.
      new =
        mask.isChannelsLast || record.shape.axisCount < 3
        ? result.dropoutMask(mask, shape: record.shape)
        : try turned(last(node), to: record.shape, isTurnedBack: true)
    } else {
      preconditionFailure("node \(node.index) has no value")
    }
    plain[node.index] = new
    return new
  }

  /// The value with channels last; of three axes or more.
  private mutating func last(_ node: Graph.Node) throws(GraphError) -> Graph.Node {
    if let known = channelsLast[node.index] { return known }
    let record = source[node]
    let shape = Legalizer.turned(record.shape)
    let new: Graph.Node
    switch record.operation {
    case .fill(let value): new = result.fill(value, shape: shape)
    case .dropoutMask(let mask) where !mask.isChannelsLast:
      let turned = DropoutMask(rate: mask.rate, stream: mask.stream, isChannelsLast: true)
      new = result.dropoutMask(turned, shape: shape)
    case .broadcast where plain[node.index] == nil:
      let operand = try operandLast(record.inputs[0], axisCount: shape.axisCount)
      new = try result.add(.broadcast(shape), [operand])
    default: new = try turned(inOrder(node), to: shape, isTurnedBack: false)
    }
    channelsLast[node.index] = new
    return new
  }

  /// A smaller operand, as it lines up with values whose channels are last.
  private mutating func operandLast(
    _ node: Graph.Node, axisCount: Int
  ) throws(GraphError) -> Graph.Node {
    let shape = source.shape(of: node)
    if shape.axisCount == axisCount { return try last(node) }
    let padded = SymbolicShape(
      Array(repeating: 1, count: axisCount - shape.axisCount) + shape.extents)
    let operand = try result.reshape(inOrder(node), to: padded)
    return try turned(operand, to: Legalizer.turned(padded), isTurnedBack: false)
  }

  /// `[batch, channels, spatial...]` as `[batch, spatial..., channels]`.
  private static func turned(_ shape: SymbolicShape) -> SymbolicShape {
    SymbolicShape([shape[0]] + shape.extents.dropFirst(2) + [shape[1]])
  }

  /// Moves channels to the end or back: a transposition per image, or nothing where either side is 1.
  private mutating func turned(
    _ node: Graph.Node, to shape: SymbolicShape, isTurnedBack: Bool
  ) throws(GraphError) -> Graph.Node {
    let extents = result.shape(of: node).extents
    let first = SymbolicShape(isTurnedBack ? Array(extents[1..<extents.count - 1]) : [extents[1]])
    let second = SymbolicShape(isTurnedBack ? [extents[extents.count - 1]] : Array(extents[2...]))
    let counts = [first, second].map(\.fixedCount)
    guard !counts.contains(1), extents.dropFirst().allSatisfy({ $0 != .batch }) else {
      if counts.contains(1) { return try result.reshape(node, to: shape) }
      let axes = Array(0..<extents.count)
      let order =
        isTurnedBack ? [0, axes.count - 1] + axes[1..<axes.count - 1] : [0] + axes[2...] + [1]
      return try result.add(.permute(Array(order)), [node])
    }
    let matrices = try result.reshape(
      node, to: [extents[0], .fixed(counts[0]), .fixed(counts[1])])
    return try result.reshape(result.add(.transpose, [matrices]), to: shape)
  }

  /// Returns the new index of an axis of images.
  private static func turned(axis: Int, axisCount: Int) -> Int {
    axis == 0 ? 0 : axis == 1 ? axisCount - 1 : axis - 1
  }

  // MARK: Operations.

  private mutating func add(_ node: Graph.Node, _ record: Graph.Record) throws(GraphError) {
    let inputs = record.inputs
    let axisCount = record.shape.axisCount
    func isLast(_ input: Graph.Node) -> Bool {
      channelsLast[input.index] != nil && source.shape(of: input).axisCount > 2
    }
    switch record.operation {
    case .data: plain[node.index] = try result.data(record.name ?? "", shape: record.shape)
    case .labels: plain[node.index] = try result.labels(record.name ?? "", shape: record.shape)
    case .parameter:
      plain[node.index] = try result.parameter(record.name ?? "", shape: record.shape)
    case .constant(let values):
      plain[node.index] = result.constant(
        Tensor(shape: record.shape.resolved(batch: 1), values: values))
    case .fill(let value): plain[node.index] = result.fill(value, shape: record.shape)
    // Made in the form that is asked for first.
    case .broadcast, .dropoutMask: break

    case .convolution(let convolution) where turnsImages && !convolution.isChannelsLast:
      channelsLast[node.index] = try result.add(
        .convolution(convolution.channelsLast), [last(inputs[0]), inOrder(inputs[1])])
    case .convolutionInputGradient(let convolution, let extents)
    where turnsImages && !convolution.isChannelsLast:
      channelsLast[node.index] = try result.add(
        .convolutionInputGradient(convolution.channelsLast, extents: extents),
        [last(inputs[0]), inOrder(inputs[1])])
    case .convolutionWeightGradient(let convolution)
    where turnsImages && !convolution.isChannelsLast:
      plain[node.index] = try result.add(
        .convolutionWeightGradient(convolution.channelsLast), [last(inputs[0]), last(inputs[1])])
    case .maxPool(let pooling) where turnsImages && !pooling.isChannelsLast:
      try addLast(node, .maxPool(pooling.channelsLast))
    case .maxPoolGradient(let pooling) where turnsImages && !pooling.isChannelsLast:
      try addLast(node, .maxPoolGradient(pooling.channelsLast))
    case .maxPoolSelection(let pooling) where turnsImages && !pooling.isChannelsLast:
      try addLast(node, .maxPoolSelection(pooling.channelsLast))
    case .averagePool(let pooling) where turnsImages && !pooling.isChannelsLast:
      try addLast(node, .averagePool(pooling.channelsLast))
    case .averagePoolGradient(let pooling, let extents)
    where turnsImages && !pooling.isChannelsLast:
      try addLast(node, .averagePoolGradient(pooling.channelsLast, extents: extents))

    case .normalize(let normalization):
      try addNormalization(node, normalization, of: 0, images: [0]) { .normalize($0) }
    case .normalizeScaleGradient(let normalization):
      try addNormalization(node, normalization, of: 1, images: [0, 1]) {
        .normalizeScaleGradient($0)
      }
    case .normalizeInputGradient(let normalization):
      try addNormalization(node, normalization, of: 1, images: [0, 1]) {
        .normalizeInputGradient($0)
      }
    case .moments(let normalization):
      try addNormalization(node, normalization, of: 0, images: [0]) { .moments($0) }
    case .variance(let axes):
      try addNormalization(node, Normalization(axes: axes), of: 0, images: [0]) {
        .variance(axes: $0.axes)
      }

    case .sum(let axes): try addReduction(node, axes) { .sum(axes: $0) }
    case .mean(let axes): try addReduction(node, axes) { .mean(axes: $0) }
    case .squaredNorm(let axes) where !isTrailing(axes, of: source.shape(of: inputs[0])):
      let squares = try result.add(.square, [inOrder(inputs[0])])
      plain[node.index] = try reduced(squares, axes) { .sum(axes: $0) }

    case .slice(let axis, let start, let end) where isLast(inputs[0]):
      let axis = Legalizer.turned(axis: axis, axisCount: axisCount)
      try addLast(node, .slice(axis: axis, start: start, end: end))
    case .pad(let axis, let before, let after) where isLast(inputs[0]):
      let axis = Legalizer.turned(axis: axis, axisCount: axisCount)
      try addLast(node, .pad(axis: axis, before: before, after: after))
    case .concatenate(let axis) where inputs.contains(where: isLast):
      try addLast(node, .concatenate(axis: Legalizer.turned(axis: axis, axisCount: axisCount)))
    case .reshape where record.shape == source.shape(of: inputs[0]):
      plain[node.index] = plain[inputs[0].index]
      channelsLast[node.index] = channelsLast[inputs[0].index]
      if plain[node.index] == nil, channelsLast[node.index] == nil {
        plain[node.index] = try inOrder(inputs[0])
      }

    default:
      if record.operation.isElementwise, axisCount > 2,
        inputs.contains(where: { isLast($0) && source.shape(of: $0) == record.shape })
      {
        var operands: [Graph.Node] = []
        for input in inputs { operands.append(try operandLast(input, axisCount: axisCount)) }
        channelsLast[node.index] = try result.add(record.operation, operands, name: record.name)
        return
      }
      var operands: [Graph.Node] = []
      for input in inputs { operands.append(try inOrder(input)) }
      plain[node.index] = try result.add(record.operation, operands, name: record.name)
    }
  }

  /// Adds an operation all of whose operands are images, and whose value is images.
  private mutating func addLast(
    _ node: Graph.Node, _ operation: Graph.Operation
  ) throws(GraphError) {
    var operands: [Graph.Node] = []
    for input in source[node].inputs { operands.append(try last(input)) }
    channelsLast[node.index] = try result.add(operation, operands)
  }

  /// Adds a normalisation in a form where the axes that share a mean are neighbours.
  private mutating func addNormalization(
    _ node: Graph.Node, _ normalization: Normalization, of x: Int, images: [Int],
    _ operation: (Normalization) -> Graph.Operation
  ) throws(GraphError) {
    let record = source[node]
    let shape = source.shape(of: record.inputs[x])
    let isImages = record.shape == shape
    func groups(_ axes: [Int]) -> Int { Legalizer.neighbors(axes).count }
    let turnedAxes = normalization.axes.map {
      Legalizer.turned(axis: $0, axisCount: shape.axisCount)
    }
    let keptAxes = (0..<shape.axisCount).filter { !normalization.axes.contains($0) }
    let turnedKept = keptAxes.map { Legalizer.turned(axis: $0, axisCount: shape.axisCount) }
    let canBeLast =
      turnsImages && shape.axisCount > 2 && groups(turnedAxes) <= 1
      && turnedKept == turnedKept.sorted()
    let hasLast = images.contains { channelsLast[record.inputs[$0].index] != nil }
    if canBeLast, hasLast || groups(normalization.axes) > 1 {
      var operands: [Graph.Node] = []
      for (index, input) in record.inputs.enumerated() {
        operands.append(images.contains(index) ? try last(input) : try inOrder(input))
      }
      let new = try result.add(
        operation(normalization.over(turnedAxes.sorted())), operands)
      if isImages { channelsLast[node.index] = new } else { plain[node.index] = new }
      return
    }
    var operands: [Graph.Node] = []
    for input in record.inputs { operands.append(try inOrder(input)) }
    guard groups(normalization.axes) > 1 else {
      plain[node.index] = try result.add(operation(normalization), operands)
      return
    }
    // What shares a mean is moved to the end.
    let order = keptAxes + normalization.axes.sorted()
    for index in images { operands[index] = try result.add(.permute(order), [operands[index]]) }
    let new = try result.add(
      operation(normalization.over(Array(keptAxes.count..<order.count))), operands)
    let back = order.indices.sorted { order[$0] < order[$1] }
    plain[node.index] = isImages ? try result.add(.permute(back), [new]) : new
  }

  /// Adds a reduction of the form that is there, if the axes that stay are then in their own order.
  private mutating func addReduction(
    _ node: Graph.Node, _ axes: [Int], _ operation: ([Int]) -> Graph.Operation
  ) throws(GraphError) {
    let operand = source[node].inputs[0]
    let axisCount = source.shape(of: operand).axisCount
    let stays = (0..<axisCount).filter { !axes.contains($0) }
      .map { Legalizer.turned(axis: $0, axisCount: axisCount) }
    if turnsImages, axisCount > 2, stays == stays.sorted(),
      channelsLast[operand.index] != nil
        || (plain[operand.index] == nil && axes.contains(0) && !axes.contains(1))
    {
      let turned = axes.map { Legalizer.turned(axis: $0, axisCount: axisCount) }
      plain[node.index] = try reduced(last(operand), turned, by: operation)
      return
    }
    plain[node.index] = try reduced(inOrder(operand), axes, by: operation)
  }

  private func isTrailing(_ axes: [Int], of shape: SymbolicShape) -> Bool {
    axes.sorted() == Array(shape.axisCount - axes.count..<shape.axisCount)
  }

  /// Axes in groups of neighbours.
  private static func neighbors(_ axes: [Int]) -> [[Int]] {
    var groups: [[Int]] = []
    for axis in axes.sorted() {
      if let last = groups.last?.last, last + 1 == axis {
        groups[groups.count - 1].append(axis)
      } else {
        groups.append([axis])
      }
    }
    return groups
  }

  private mutating func reduced(
    _ input: Graph.Node, _ axes: [Int], by operation: ([Int]) -> Graph.Operation
  ) throws(GraphError) -> Graph.Node {
    var node = input
    for group in Legalizer.neighbors(axes).reversed() {
      node = try result.add(operation(group), [node])
    }
    return node
  }
}

extension Convolution {
  fileprivate var channelsLast: Convolution {
    Convolution(window, groups: groups, isChannelsLast: true)
  }
}

extension Pooling {
  fileprivate var channelsLast: Pooling { Pooling(window, isChannelsLast: true) }
}

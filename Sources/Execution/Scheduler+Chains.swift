// From a chain of elementwise nodes to the step that computes it.
import Graphs
import Tensors

extension Scheduler {
  /// The elements that the step of a chain keeps between its operations.
  func scratchCount(of chain: ElementwiseChain) -> Int {
    slots(of: chain).count * blockLength(of: chain)
  }

  /// The label of a chain: its operations, or the first and the last of many.
  func label(of chain: ElementwiseChain) -> String {
    let labels = chain.nodes.map { graph[$0].operation.label }
    guard labels.count > 4 else { return labels.joined(separator: " + ") }
    return "\(labels[0]) + … + \(labels[labels.count - 1]), \(labels.count) operations"
  }

  /// The links and places of a chain.
  func chain(_ chain: ElementwiseChain, scratch: Location) -> Chain {
    let (slots, slotCount) = slots(of: chain)
    var places: [Chain.Place] = []
    var indices: [Graph.Node: Int] = [:]
    for node in chain.operands + chain.nodes {
      indices[node] = places.count
      switch (slots[node], valueIfAny(of: node)) {
      case (let slot?, let value?): places.append(.repeated(value, slot: slot))
      case (let slot?, nil): places.append(.slot(slot))
      case (nil, let value?): places.append(.whole(value))
      case (nil, nil): preconditionFailure("node \(node.index) was given no place")
      }
    }
    func index(_ node: Graph.Node) -> Int {
      guard let index = indices[node] else {
        preconditionFailure("node \(node.index) is not in its chain")
      }
      return index
    }
    return Chain(
      links: chain.nodes.map { node in
        Chain.Link(
          operation: graph[node].operation, operands: graph[node].inputs.map(index),
          result: index(node))
      },
      places: places, blockLength: blockLength(of: chain), scratch: scratch, slotCount: slotCount)
  }

  private func blockLength(of chain: ElementwiseChain) -> Int {
    let whole = shape(of: chain.last).count
    return min(preferences.chains?.blockLength(period: chain.period) ?? whole, whole)
  }

  /// The slots of values that nothing else needs, used again when nothing needs them any more, and of
  /// operands that are repeated, to the end.
  private func slots(of chain: ElementwiseChain) -> (slots: [Graph.Node: Int], count: Int) {
    let count = shape(of: chain.last).count
    var slots: [Graph.Node: Int] = [:]
    for operand in chain.operands where shape(of: operand).count != count {
      slots[operand] = slots.count
    }
    let first = slots.count
    var lastUse: [Graph.Node: Int] = [:]
    for (position, node) in chain.nodes.enumerated() {
      for input in graph[node].inputs { lastUse[input] = position }
    }
    var owners: [Graph.Node] = []
    for (position, node) in chain.nodes.enumerated()
    where node != chain.last && !chain.kept.contains(node) {
      // Kernels may overwrite an operand.
      let free = owners.firstIndex { lastUse[$0, default: 0] <= position }
      slots[node] = first + (free ?? owners.count)
      if let free { owners[free] = node } else { owners.append(node) }
    }
    return (slots, first + owners.count)
  }
}

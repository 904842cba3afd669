// From a chain of elementwise nodes to the pass that computes it.
import Graphs
import Kernels
import Tensors
import VectorKernels

extension PlanBuilder {
  /// The elements that the pass of a chain keeps between its steps.
  func scratchCount(of chain: ElementwiseChain) -> Int {
    slots(of: chain).count * blockLength(of: chain)
  }

  /// What a chain is called: its operations, or the first and the last of many.
  func label(of chain: ElementwiseChain) -> String {
    let labels = chain.nodes.map { graph[$0].operation.label }
    guard labels.count > 4 else { return labels.joined(separator: " + ") }
    return "\(labels[0]) + … + \(labels[labels.count - 1]), \(labels.count) operations"
  }

  /// The pass that computes a chain.
  func pass(_ chain: ElementwiseChain, into target: Location, scratch: Location) -> (Bases) -> Void
  {
    let count = shape(of: chain.last).count
    let slots = slots(of: chain).slots
    var places: [BlockedPass.Place] = []
    var indices: [Graph.Node: Int] = [:]
    for value in chain.operands + chain.nodes {
      indices[value] = places.count
      let own = value == chain.last ? target : locationIfAny(of: value)
      switch (slots[value], own) {
      case (let slot?, let location?):
        places.append(.repeated(location, count: shape(of: value).count, slot: slot))
      case (let slot?, nil): places.append(.slot(slot))
      case (nil, let location?): places.append(.whole(location))
      case (nil, nil): preconditionFailure("node \(value.index) was given no place")
      }
    }
    let steps = chain.nodes.map { node in
      let operands = graph[node].inputs.map { input in
        guard let index = indices[input] else {
          preconditionFailure("node \(input.index) is not in the chain of \(node.index)")
        }
        return index
      }
      guard let element = ElementKernel(graph[node].operation, batch: batch),
        let result = indices[node]
      else { preconditionFailure("node \(node.index) in a chain") }
      return ElementStep(
        element.code, number: element.number, a: operands[0], b: operands[operands.count - 1],
        c: result)
    }
    let pass = BlockedPass(
      steps, places: places, count: count, block: blockLength(of: chain), scratch: scratch)
    return { pass.run($0) }
  }

  private func blockLength(of chain: ElementwiseChain) -> Int {
    min(ElementPass.blockLength(period: chain.period), shape(of: chain.last).count)
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
    for (place, node) in chain.nodes.enumerated() {
      for input in graph[node].inputs { lastUse[input] = place }
    }
    var owners: [Graph.Node] = []
    for (place, node) in chain.nodes.enumerated()
    where node != chain.last && !chain.kept.contains(node) {
      // Kernels may overwrite an operand.
      let free = owners.firstIndex { lastUse[$0, default: 0] <= place }
      slots[node] = first + (free ?? owners.count)
      if let free { owners[free] = node } else { owners.append(node) }
    }
    return (slots, first + owners.count)
  }
}

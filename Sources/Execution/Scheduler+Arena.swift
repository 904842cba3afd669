// The places of values that live for a part of a run.
import Graphs
import Tensors

extension Scheduler {
  /// Gives every value that is left a place in the arena.
  ///
  /// - Parameter nodes: What is computed, in order.
  mutating func placeValues(_ nodes: [Graph.Node]) {
    var lastUse: [Graph.Node: Int] = [:]
    for (step, node) in nodes.enumerated() {
      for operand in operands(of: node) { lastUse[root(of: operand)] = step }
    }
    for node in values { lastUse[root(of: node)] = nodes.count }
    // What the caller fills stays as it is, so that a run can be repeated.
    var blocks: [MemoryPlan.Value] = []
    var blockOf: [Graph.Node: Int] = [:]
    for node in graph.nodes where needed[node.index] && graph[node].operation == .data {
      blockOf[node] = blocks.count
      blocks.append(MemoryPlan.Value(count: memoryCount(of: node), first: -1, last: nodes.count))
    }
    let stepOf = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1, $0) })
    var scratchOf: [Graph.Node: Int] = [:]
    for (step, node) in nodes.enumerated() {
      guard let chain = fusion.chains[node] else { continue }
      scratchOf[node] = blocks.count
      blocks.append(MemoryPlan.Value(count: scratchCount(of: chain), first: step, last: step))
    }
    for (step, node) in nodes.enumerated() where locations[node] == nil {
      let count = memoryCount(of: node)
      let last = lastUse[node] ?? step
      let written = fusion.computedWith[node].flatMap { stepOf[$0] } ?? step
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
    setArena(count: memory.count)
    for (node, block) in scratchOf { scratches[node] = Location(.arena, memory.offsets[block]) }
    for (node, block) in blockOf {
      let location = Location(.arena, memory.offsets[block])
      if graph[node].operation == .data {
        setInput(node, at: location)
      } else {
        locations[node] = location
      }
    }
  }

  /// An operand of an elementwise node that nothing reads afterwards, to be overwritten in place.
  private func operandToOverwrite(
    _ node: Graph.Node, at step: Int, lastUse: [Graph.Node: Int]
  ) -> Graph.Node? {
    guard fusion.products[node] == nil, fusion.poolings[node] == nil,
      fusion.computedWith[node] == nil, graph[node].operation.isElementwise
    else {
      return nil
    }
    return operands(of: node).lazy.map { root(of: $0) }.first { root in
      isComputed(root) && locations[root] == nil && lastUse[root] == step
        && spread(of: root) == spread(of: node) && memoryCount(of: root) == memoryCount(of: node)
    }
  }
}

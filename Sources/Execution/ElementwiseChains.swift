// The elementwise nodes that one pass computes together, block by block.
import Graphs
import Tensors

/// Elementwise nodes that are computed where the last of them is.
struct ElementwiseChain {
  /// In the order of the graph.
  let nodes: [Graph.Node]
  /// Those, without the last one, whose values are needed later on.
  let kept: Set<Graph.Node>
  /// The operands from elsewhere, each once.
  let operands: [Graph.Node]
  /// The elements after which an operand begins again, where there are such: the same for all of them.
  let period: Int

  /// The node whose value remains.
  var last: Graph.Node { nodes[nodes.count - 1] }
}

/// The correspondence of an operand's elements to those of a result.
enum OperandExtent: Hashable {
  /// Each with its own.
  case whole
  /// One for all.
  case single
  /// As many as the last axes have, again and again.
  case repeated(Int)

  /// Lines up an operand with a result; nil where it is neither of these.
  init?(_ operand: Shape, in result: Shape) {
    if operand.count == result.count {
      self = .whole
    } else if operand.count == 1 {
      self = .single
    } else {
      let extents = operand.extents.drop { $0 == 1 }
      guard result.extents.suffix(extents.count).elementsEqual(extents) else { return nil }
      self = .repeated(operand.count)
    }
  }
}

/// Finds the chains of two or more elementwise nodes.
///
/// A node joins a chain if something in the chain uses it and all else that does comes after the chain: nothing is
/// computed twice. Operands that are repeated are so after the same number of elements in all of a chain, which is
/// then what blocks are multiples of.
///
/// - Parameters:
///   - graph: The graph.
///   - batch: The number of rows.
///   - needed: Which nodes are computed at all.
///   - outputs: Nodes whose values must be there.
///   - taken: Nodes that something else computes.
///   - early: Nodes that are computed where one with a smaller number is.
///   - longestRow: The most elements of an operand that is repeated.
/// - Returns: For the last node of each chain, the chain.
func elementwiseChains(
  in graph: Graph, batch: Int, needed: [Bool], outputs: Set<Graph.Node>, taken: Set<Graph.Node>,
  early: [Graph.Node: Graph.Node], longestRow: Int
) -> [Graph.Node: ElementwiseChain] {
  let uses = Uses(in: graph, needed: needed, outputs: outputs)
  func shape(_ node: Graph.Node) -> Shape { graph.shape(of: node).resolved(batch: batch) }
  /// The period of a node's operands: 1 where none is repeated, nil where the node can be in no chain.
  func period(_ node: Graph.Node) -> Int? {
    guard needed[node.index], graph[node].operation.isElementwise, !taken.contains(node) else {
      return nil
    }
    var period = 1
    for input in graph[node].inputs {
      switch OperandExtent(shape(input), in: shape(node)) {
      case .whole: continue
      // What is computed together is the same for any number of rows.
      case .single where graph.shape(of: input).isFixed: continue
      case .repeated(let count)
      where count <= longestRow && period == 1 && graph.shape(of: input).isFixed:
        period = count
      case .repeated(let count) where count == period: continue
      case .single, .repeated, nil: return nil
      }
    }
    return period
  }
  var chains: [Graph.Node: ElementwiseChain] = [:]
  var found: Set<Graph.Node> = []
  for last in graph.nodes.reversed() where !found.contains(last) {
    guard var chainPeriod = period(last) else { continue }
    let count = shape(last).count
    var members: Set = [last]
    var candidates = Set(graph[last].inputs)
    // The one with the largest number first: what uses it has a larger number, so has been looked at.
    while let node = candidates.max(by: { $0.index < $1.index }) {
      candidates.remove(node)
      let others = uses.of(node).filter { !members.contains($0) }
      guard !outputs.contains(node), !found.contains(node), shape(node).count == count,
        graph.shape(of: node).isFixed == graph.shape(of: last).isFixed,
        others.allSatisfy({ (early[$0] ?? $0).index > last.index }),
        let own = period(node), own == 1 || chainPeriod == 1 || own == chainPeriod
      else { continue }
      chainPeriod = max(chainPeriod, own)
      members.insert(node)
      candidates.formUnion(graph[node].inputs)
    }
    guard members.count > 1 else { continue }
    var operands: [Graph.Node] = []
    let nodes = members.sorted { $0.index < $1.index }
    for input in nodes.flatMap({ graph[$0].inputs })
    where !members.contains(input) && !operands.contains(input) {
      operands.append(input)
    }
    let kept = members.filter { node in
      node != last && !uses.of(node).allSatisfy(members.contains)
    }
    chains[last] = ElementwiseChain(
      nodes: nodes, kept: kept, operands: operands, period: chainPeriod)
    found.formUnion(members)
  }
  return chains
}

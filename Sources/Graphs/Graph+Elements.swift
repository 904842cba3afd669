// The elements of operands that an element of a node is made from, for pictures of single numbers.
package import Tensors

extension Graph {
  /// For each element of a node that only moves elements, its operand and its place there; nil for zeros.
  ///
  /// - Parameters:
  ///   - node: A node of a permutation, slice, padding or concatenation.
  ///   - batch: The rows computed at once.
  /// - Returns: As many places as the node has elements.
  package func movedElements(of node: Node, batch: Int) -> [(operand: Int, element: Int)?] {
    let record = self[node]
    var offset = 1
    var operands: [Tensor] = []
    var starts: [Int] = []
    for input in record.inputs {
      let shape = self.shape(of: input).resolved(batch: batch)
      starts.append(offset)
      operands.append(
        Tensor(shape: shape, values: (offset..<offset + shape.count).map(Double.init)))
      offset += shape.count
    }
    // Elements that carry their own numbers show where they go; padding carries none.
    let moved = try? record.operation.rule.evaluate(
      operands, shape: record.shape.resolved(batch: batch), batch: batch)
    return (moved?.values ?? []).map { value in
      let position = Int(value)
      guard position > 0, let operand = starts.lastIndex(where: { $0 <= position }) else {
        return nil
      }
      return (operand, position - starts[operand])
    }
  }

  /// For each element of a convolution or of one of its products, the pairs of elements of the two
  /// operands whose products are summed.
  package func products(of node: Node, batch: Int) -> [[(lhs: Int, rhs: Int)]] {
    let record = self[node]
    guard let rule = record.operation.rule as? any ConvolutionRuleBase else { return [] }
    let shapes = record.inputs.map { self.shape(of: $0).resolved(batch: batch) }
    let shape = record.shape.resolved(batch: batch)
    var products: [[(lhs: Int, rhs: Int)]] = Array(repeating: [], count: shape.count)
    let isLast = rule.convolution.isChannelsLast
    func visit(_ x: Shape, _ y: Shape, _ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
      let (xs, ys) = (imageExtents(x, isLast), imageExtents(y, isLast))
      rule.forEachTriple(
        batch: x[0], input: xs.spatial, inputs: xs.channels, output: ys.spatial,
        outputs: ys.channels, body)
    }
    switch record.operation {
    case .convolution: visit(shapes[0], shape) { products[$2].append(($0, $1)) }
    case .convolutionInputGradient: visit(shape, shapes[0]) { products[$0].append(($2, $1)) }
    default: visit(shapes[0], shapes[1]) { products[$1].append(($0, $2)) }
    }
    return products
  }

  /// For each position of a pooling's window, the elements that it covers.
  package func windows(of pooling: Pooling, over input: Shape, output: Shape) -> [[Int]] {
    var windows: [[Int]] = Array(repeating: [], count: output.count)
    AveragePoolRule(pooling: pooling).forEachPair(input: input, output: output) {
      windows[$1].append($0)
    }
    return windows
  }
}

// Products of operands rounded to bfloat16, where a plan has them.
import Graphs
import Kernels
import Tensors

extension PlanBuilder {
  /// Where a product finds an operand rounded.
  private enum HalfOperand {
    /// Among the parameters, from that element on.
    case parameter(Int)
    /// Nowhere; it is rounded first.
    case value(Location, HalfRounding)
  }

  /// Whether the operands of a product or convolution are rounded: where that is worth it.
  ///
  /// Not products of one column, which the library is slow at, and not those that take about a
  /// microsecond.
  func hasHalfOperands(_ node: Graph.Node) -> Bool {
    guard halves != nil else { return false }
    let inputs = graph[node].inputs
    if case .matmul(let transposeLHS, _) = graph[node].operation {
      let result = shape(of: node)
      let depth = shape(of: inputs[0])[transposeLHS ? 0 : 1]
      return result[1] > 1 && result.count * depth >= 1 << 16
    }
    return graph[node].operation.isConvolution
      && min(shape(of: node).count, shape(of: inputs[0]).count) > 0
  }

  /// The call of a matrix product; nil if its operands are not rounded.
  func halfProduct(
    _ node: Graph.Node, bias: Graph.Node?, activation: Matmul.Activation, into target: Location
  ) throws(PlanError) -> ((Bases) -> Void)? {
    guard let halves, hasHalfOperands(node),
      case .matmul(let transposeLHS, let transposeRHS) = graph[node].operation
    else { return nil }
    let inputs = graph[node].inputs
    let (a, b) = try (operand(inputs[0], halves), operand(inputs[1], halves))
    let result = shape(of: node)
    let kernel: HalfMatmul
    do {
      kernel = try HalfMatmul(
        rows: result[0], columns: result[1], depth: shape(of: inputs[0])[transposeLHS ? 0 : 1],
        transposeLHS: transposeLHS, transposeRHS: transposeRHS, bias: bias != nil,
        activation: activation)
    } catch {
      throw .kernel(node: label(of: node), reason: "\(error)")
    }
    let addend = bias.map { location(of: $0) }
    return { bases in
      kernel.run(
        lhs: PlanBuilder.rounded(a, bases, halves, halves.operands.0),
        rhs: PlanBuilder.rounded(b, bases, halves, halves.operands.1),
        bias: addend.map { UnsafePointer(bases[$0]) }, into: bases[target])
    }
  }

  /// The call of a convolution whose images are rounded; its kernel rounds the weights.
  func halfConvolution(
    _ node: Graph.Node, _ kind: ImageConvolution.Kind, _ kernel: ImageConvolution,
    bias: Graph.Node?, into target: Location, _ halves: Halves
  ) throws(PlanError) -> (Bases) -> Void {
    let inputs = graph[node].inputs
    let first = try operand(inputs[0], halves)
    let weights = location(of: inputs[1])
    switch kind {
    case .forward:
      let addend = bias.map { location(of: $0) }
      return { bases in
        kernel.run(
          x: PlanBuilder.rounded(first, bases, halves, halves.operands.0), w: bases[weights],
          y: bases[target], bias: addend.map { UnsafePointer(bases[$0]) })
      }
    case .inputGradient:
      return { bases in
        kernel.run(
          x: bases[target], w: bases[weights],
          y: PlanBuilder.rounded(first, bases, halves, halves.operands.0), bias: nil)
      }
    case .weightGradient:
      let second = try operand(inputs[1], halves)
      return { bases in
        kernel.run(
          x: PlanBuilder.rounded(first, bases, halves, halves.operands.0), w: bases[target],
          y: PlanBuilder.rounded(second, bases, halves, halves.operands.1), bias: nil)
      }
    }
  }

  private func operand(
    _ node: Graph.Node, _ halves: Halves
  ) throws(PlanError) -> HalfOperand {
    let (location, count) = (location(of: node), shape(of: node).count)
    do {
      if location.memory == .parameters {
        try halves.need(location.offset..<location.offset + count)
        return .parameter(location.offset)
      }
      halves.reserve(count: count)
      return .value(location, try HalfRounding(count: count))
    } catch {
      throw .kernel(node: label(of: node), reason: "\(error)")
    }
  }

  @inline(__always)
  private static func rounded(
    _ operand: HalfOperand, _ bases: Bases, _ halves: Halves, _ room: UnsafeMutablePointer<UInt16>
  ) -> UnsafeMutablePointer<UInt16> {
    switch operand {
    case .parameter(let offset): return halves.parameters + offset
    case .value(let location, let rounding):
      rounding.run(bases[location], into: room)
      return room
    }
  }
}

extension Graph.Operation {
  /// Whether it is a convolution or one of the two products it is differentiated into.
  fileprivate var isConvolution: Bool {
    if case .convolution = self { return true }
    if case .convolutionInputGradient = self { return true }
    if case .convolutionWeightGradient = self { return true }
    return false
  }
}

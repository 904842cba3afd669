// From products and convolutions to the kernels that compute them.
import Execution
import Graphs
import Kernels
import Tensors

extension Lowering {
  /// A matrix product or convolution with what follows it.
  func product(_ step: Step, _ product: Step.Product) throws(PlanError) -> Call {
    if case .matmul(let transposeLHS, let transposeRHS) = product.operation {
      return try matmul(step, product, transposeLHS: transposeLHS, transposeRHS: transposeRHS)
    }
    if case .convolution(let window) = product.operation {
      return try convolution(step, product, window, .forward(bias: product.hasBias))
    }
    if case .convolutionInputGradient(let window, _) = product.operation {
      return try convolution(step, product, window, .inputGradient)
    }
    if case .convolutionWeightGradient(let window) = product.operation {
      return try convolution(step, product, window, .weightGradient)
    }
    preconditionFailure("\(step.label) is no product")
  }

  private func matmul(
    _ step: Step, _ product: Step.Product, transposeLHS: Bool, transposeRHS: Bool
  ) throws(PlanError) -> Call {
    if product.precision == .bfloat16 {
      return try roundedMatmul(
        step, product, transposeLHS: transposeLHS, transposeRHS: transposeRHS)
    }
    let (operands, target) = (step.operands.map(\.location), step.results[0].location)
    let (a, b) = (operands[0], operands[1])
    let result = shape(step.results[0])
    let matmul = Matmul(
      rows: result[0], columns: result[1],
      depth: shape(step.operands[0])[transposeLHS ? 0 : 1], transposeLHS: transposeLHS,
      transposeRHS: transposeRHS, bias: product.hasBias,
      activation: Matmul.Activation(product.activation), scratch: scratch)
    guard product.hasBias else {
      return { matmul.run(lhs: $0[a], rhs: $0[b], bias: nil, into: $0[target]) }
    }
    let bias = operands[2]
    return { matmul.run(lhs: $0[a], rhs: $0[b], bias: $0[bias], into: $0[target]) }
  }

  /// A convolution or one of its gradients; that of the weights may be a sum over microbatches, which `rowCounts` and
  /// `additions` give as ``ImageConvolution`` takes them.
  func convolution(
    _ step: Step, _ product: Step.Product, _ convolution: Convolution,
    _ kind: ImageConvolution.Kind, rowCounts: [Int]? = nil, additions: [Int] = [0]
  ) throws(PlanError) -> Call {
    precondition(convolution.isChannelsLast, "images whose channels are not last")
    let (operands, target) = (step.operands.map(\.location), step.results[0].location)
    let (a, b) = (operands[0], operands[1])
    let (first, second) = (shape(step.operands[0]), shape(step.operands[1]))
    let result = shape(step.results[0])
    let (x, y) =
      switch kind {
      case .forward: (first, result)
      case .inputGradient: (result, first)
      case .weightGradient: (first, second)
      }
    let isRounded = product.precision == .bfloat16
    let kernel: ImageConvolution
    do {
      kernel = try ImageConvolution(
        kind, convolution.window, groups: convolution.groups, x: x, y: y,
        activation: Matmul.Activation(product.activation), hasBFloat16Operands: isRounded,
        rowCounts: rowCounts, additions: additions, scratch: scratch)
    } catch {
      throw .kernel(node: step.label, reason: "\(error)")
    }
    if isRounded { return try roundedConvolution(step, kind, kernel) }
    switch kind {
    case .forward(bias: false):
      return { kernel.run(x: $0[a], w: $0[b], y: $0[target], bias: nil) }
    case .forward(bias: true):
      let bias = operands[2]
      return { kernel.run(x: $0[a], w: $0[b], y: $0[target], bias: $0[bias]) }
    case .inputGradient: return { kernel.run(x: $0[target], w: $0[b], y: $0[a], bias: nil) }
    case .weightGradient: return { kernel.run(x: $0[a], w: $0[target], y: $0[b], bias: nil) }
    }
  }
}

extension Matmul.Activation {
  /// The kernel's name of an activation that ``CPU/preferences(for:)`` lists.
  init(_ operation: Graph.Operation?) {
    if operation == .relu {
      self = .relu
    } else if operation == .sigmoid {
      self = .sigmoid
    } else if operation == .tanh {
      self = .tanh
    } else {
      precondition(operation == nil, "a product cannot apply \(operation?.label ?? "")")
      self = .none
    }
  }
}

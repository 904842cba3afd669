// Products of operands rounded to bfloat16.
import Execution
import Graphs
import Kernels
import Tensors

extension Lowering {
  /// The place where a product finds an operand rounded.
  private enum RoundedOperand {
    /// Among the parameters, from that element on.
    case parameter(Int)
    /// Nowhere; it is rounded first.
    case value(Location, BFloat16Rounding)
  }

  /// A matrix product of rounded operands.
  func roundedMatmul(
    _ step: Step, _ product: Step.Product, transposeLHS: Bool, transposeRHS: Bool
  ) throws(PlanError) -> Call {
    let operands = step.operands
    let (a, b) = try (rounded(operands[0], step), rounded(operands[1], step))
    let result = shape(step.results[0])
    let kernel: BFloat16Matmul
    do {
      kernel = try BFloat16Matmul(
        rows: result[0], columns: result[1], depth: shape(operands[0])[transposeLHS ? 0 : 1],
        transposeLHS: transposeLHS, transposeRHS: transposeRHS, bias: product.hasBias,
        activation: Matmul.Activation(product.activation))
    } catch {
      throw .kernel(node: step.label, reason: "\(error)")
    }
    let target = step.results[0].location
    let bias = product.hasBias ? operands[2].location : nil
    return { [rounding] bases in
      kernel.run(
        lhs: Lowering.rounded(a, bases, rounding, rounding.operands.0),
        rhs: Lowering.rounded(b, bases, rounding, rounding.operands.1),
        bias: bias.map { UnsafePointer(bases[$0]) }, into: bases[target])
    }
  }

  /// A convolution whose images are rounded; its kernel rounds the weights.
  func roundedConvolution(
    _ step: Step, _ kind: ImageConvolution.Kind, _ kernel: ImageConvolution
  ) throws(PlanError) -> Call {
    let (target, weights) = (step.results[0].location, step.operands[1].location)
    let first = try rounded(step.operands[0], step)
    switch kind {
    case .forward(let hasBias):
      let bias = hasBias ? step.operands[2].location : nil
      return { [rounding] bases in
        kernel.run(
          x: Lowering.rounded(first, bases, rounding, rounding.operands.0), w: bases[weights],
          y: bases[target], bias: bias.map { UnsafePointer(bases[$0]) })
      }
    case .inputGradient:
      return { [rounding] bases in
        kernel.run(
          x: bases[target], w: bases[weights],
          y: Lowering.rounded(first, bases, rounding, rounding.operands.0), bias: nil)
      }
    case .weightGradient:
      let second = try rounded(step.operands[1], step)
      return { [rounding] bases in
        kernel.run(
          x: Lowering.rounded(first, bases, rounding, rounding.operands.0), w: bases[target],
          y: Lowering.rounded(second, bases, rounding, rounding.operands.1), bias: nil)
      }
    }
  }

  private func rounded(_ operand: Value, _ step: Step) throws(PlanError) -> RoundedOperand {
    let location = operand.location
    if location.region == .parameters { return .parameter(location.offset) }
    do {
      return .value(location, try BFloat16Rounding(count: shape(operand).count))
    } catch {
      throw .kernel(node: step.label, reason: "\(error)")
    }
  }

  @inline(__always)
  private static func rounded(
    _ operand: RoundedOperand, _ bases: Bases, _ rounding: BFloat16Operands,
    _ room: UnsafeMutablePointer<UInt16>
  ) -> UnsafeMutablePointer<UInt16> {
    switch operand {
    case .parameter(let offset): return rounding.parameters + offset
    case .value(let location, let kernel):
      kernel.run(bases[location], into: room)
      return room
    }
  }
}

// The kernels of operations in which element i depends on element i of the operands.
import Execution
import Kernels
import Tensors

/// The kernel that is applied to each element.
struct ElementKernel {
  let code: ElementCode
  /// The factor of a scale, the exponent of a power, or the limit of a cap.
  let number: Double

  init(_ code: ElementCode, _ number: Double = 0) {
    self.code = code
    self.number = number
  }
}

extension Lowering {
  /// A single elementwise operation.
  func elementwise(_ kernel: ElementKernel, _ step: Step) -> Call {
    let (operands, target) = (step.operands, step.results[0].location)
    let count = shape(step.results[0]).count
    let (a, b) = (operands[0].location, operands[operands.count - 1].location)
    let (code, number) = (kernel.code, kernel.number)
    guard operands.allSatisfy({ shape($0).count == count }) else {
      let plan = BroadcastPlan(shape(operands[0]), shape(operands[1]))
      return { plan.run(code, $0[a], $0[b], into: $0[target]) }
    }
    if operands.count == 1 {
      return { Elementwise.apply(code, number: number, $0[a], into: $0[target], count: count) }
    }
    return { Elementwise.apply(code, $0[a], $0[b], into: $0[target], count: count) }
  }
}

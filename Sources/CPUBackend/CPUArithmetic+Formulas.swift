// Formulas of updates by elementwise kernels.
public import Execution
import Kernels

extension CPUArithmetic {
  /// The floats of registers and numbers: 1 KB, which Swift keeps on the stack in any case.
  private static let scratchCount = 256

  /// Takes one step of a rule by its formula, block after block.
  public func update(
    _ elements: UpdatedElements, by formula: ElementwiseFormula,
    _ numbers: ElementwiseFormula.Numbers
  ) {
    let registerCount = formula.registerCount
    let block =
      CPUArithmetic.scratchCount / max(registerCount + formula.numbers.count, 1) / 16 * 16
    withUnsafeTemporaryAllocation(of: Float.self, capacity: CPUArithmetic.scratchCount) { memory in
      guard let scratch = memory.baseAddress else { return }
      for (index, number) in formula.numbers.enumerated() {
        (scratch + (registerCount + index) * block)
          .initialize(repeating: Float(numbers[number]), count: block)
      }
      var start = 0
      func pointer(_ place: ElementwiseFormula.Place) -> UnsafePointer<Float> {
        switch place {
        case .gradient: elements.gradient + start
        case .number(let number):
          UnsafePointer(
            scratch + (registerCount + (formula.numbers.firstIndex(of: number) ?? 0)) * block)
        case .parameters, .slot, .register: UnsafePointer(target(place))
        }
      }
      func target(_ place: ElementwiseFormula.Place) -> UnsafeMutablePointer<Float> {
        switch place {
        case .parameters: return elements.parameters + start
        case .slot(let index): return elements.slot(index) + start
        case .register(let index): return scratch + index * block
        case .gradient, .number: preconditionFailure("\(place) is only read")
        }
      }
      while start < elements.count {
        let count = min(block, elements.count - start)
        for step in formula.steps {
          Elementwise.apply(
            step.function.code, pointer(step.a), pointer(step.b), into: target(step.result),
            count: count)
        }
        start += count
      }
    }
  }
}

extension ElementwiseFormula.Function {
  /// The kernel of the function.
  fileprivate var code: ElementCode {
    switch self {
    case .add: .add
    case .subtract: .subtract
    case .multiply: .multiply
    case .divide: .divide
    case .maximum: .maximum
    case .squareRoot: .sqrt
    case .absolute: .abs
    case .sign: .sign
    }
  }
}

// The kernels of operations in which element i depends on element i of the operands.
import Execution
import Graphs
import Kernels
import Tensors
import VectorKernels

/// The kernel that is applied to each element.
struct ElementKernel {
  let code: ElementCode
  /// The factor of a scale, the exponent of a power, or the limit of a cap.
  var number = 0.0

  /// The kernel of an operation; nil for one that is not elementwise.
  init?(_ operation: Graph.Operation, batch: Int) {
    switch operation {
    case .scale(let factor):
      code = .scale
      number = factor.resolved(batch: batch)
    case .power(let exponent):
      code = .power
      number = exponent
    case .cap(let limit):
      code = .cap
      number = limit
    case .exp: code = .exp
    case .expm1: code = .expm1
    case .log1p: code = .log1p
    case .softplus: code = .softplus
    case .log: code = .log
    case .square: code = .square
    case .sigmoid: code = .sigmoid
    case .tanh: code = .tanh
    case .relu: code = .relu
    case .sqrt: code = .sqrt
    case .abs: code = .abs
    case .sign: code = .sign
    case .erf: code = .erf
    case .reluGradient: code = .reluGradient
    case .sigmoidGradient: code = .sigmoidGradient
    case .tanhGradient: code = .tanhGradient
    case .add: code = .add
    case .subtract: code = .subtract
    case .multiply: code = .multiply
    case .divide: code = .divide
    case .maximum: code = .maximum
    case .data, .labels, .parameter, .constant, .fill, .dropoutMask, .matmul, .sum, .total, .mean,
      .squaredNorm, .reshape, .broadcast, .transpose, .gather, .embedding, .embeddingGradient,
      .softmax, .logSoftmax, .logSumExp, .softmaxCrossEntropy, .softmaxCrossEntropyGradient,
      .oneHot, .meanSquaredError, .permute, .slice, .pad, .concatenate, .convolution,
      .convolutionInputGradient, .convolutionWeightGradient, .maxPool, .maxPoolGradient,
      .maxPoolSelection, .averagePool, .averagePoolGradient, .normalize, .normalizeScaleGradient,
      .normalizeInputGradient, .moments, .variance:
      return nil
    }
  }
}

extension Lowering {
  /// A single elementwise operation.
  func elementwise(_ kernel: ElementKernel, _ step: Step) -> Call {
    let (operands, target) = (step.operands, step.results[0].location)
    let count = shape(step.results[0]).count
    let (a, b) = (operands[0].location, operands[operands.count - 1].location)
    func unary(
      _ kernel: @escaping (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
    ) -> Call {
      { kernel($0[a], $0[target], count) }
    }
    func gradient(
      _ kernel:
        @escaping (
          UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int
        ) -> Void
    ) -> Call {
      { kernel($0[a], $0[b], $0[target], count) }
    }
    func binary(_ operation: Broadcast.Operation) -> Call {
      let plan = BroadcastPlan(shape(operands[0]), shape(operands[1]))
      return { plan.run(operation, $0[a], $0[b], into: $0[target]) }
    }
    let number = kernel.number
    switch kernel.code {
    case .scale:
      return { Elementwise.scale($0[a], by: Float(number), into: $0[target], count: count) }
    case .power: return { Elementwise.power($0[a], number, into: $0[target], count: count) }
    case .cap:
      return { Elementwise.cap($0[a], at: Float(number), into: $0[target], count: count) }
    case .exp: return unary(Elementwise.exp)
    case .expm1: return unary(Elementwise.expm1)
    case .log1p: return unary(Elementwise.log1p)
    case .softplus: return unary(Elementwise.softplus)
    case .log: return unary(Elementwise.log)
    case .square: return unary(Elementwise.square)
    case .sigmoid: return unary(Elementwise.sigmoid)
    case .tanh: return unary(Elementwise.tanh)
    case .relu: return unary(Elementwise.relu)
    case .sqrt: return unary(Elementwise.sqrt)
    case .abs: return unary(Elementwise.abs)
    case .sign: return unary(Elementwise.sign)
    case .erf: return unary(Elementwise.erf)
    case .reluGradient: return gradient(Elementwise.reluGradient)
    case .sigmoidGradient: return gradient(Elementwise.sigmoidGradient)
    case .tanhGradient: return gradient(Elementwise.tanhGradient)
    case .add: return binary(.add)
    case .subtract: return binary(.subtract)
    case .multiply: return binary(.multiply)
    case .divide: return binary(.divide)
    case .maximum: return binary(.maximum)
    }
  }
}

// From a step to the kernel that computes it: one entry per operation.
import Execution
import Graphs
import Kernels
import Tensors

/// Binds the steps of a schedule to kernels.
struct Lowering {
  /// The rows that are computed together.
  let rowCount: Int
  /// Room for operands in bfloat16.
  let rounding: BFloat16Operands

  /// Returns the call that computes a step.
  ///
  /// - Throws: ``PlanError/kernel(node:reason:)`` if the library refuses to make a primitive.
  func call(for step: Step) throws(PlanError) -> Call {
    switch step.action {
    case .operation(let operation): return call(for: operation, step)
    case .product(let product): return try self.product(step, product)
    case .chain(let chain): return self.chain(chain)
    case .maxPoolWithIndices(let pooling, let throughRelu):
      return maxPoolWithIndices(step, pooling, throughRelu: throughRelu)
    case .maxPoolGradientFromIndices(let pooling):
      return maxPoolGradientFromIndices(step, pooling)
    case .crossEntropyWithGradient: return crossEntropyWithGradient(step)
    case .statistics(let part, let normalization): return statistics(step, part, normalization)
    case .copy: return copy(step)
    }
  }

  func shape(_ value: Value) -> Shape { value.shape.resolved(batch: rowCount) }

  private func call(for operation: Graph.Operation, _ step: Step) -> Call {
    if let kernel = ElementKernel(operation, batch: rowCount) { return elementwise(kernel, step) }
    switch operation {
    case .data, .labels, .parameter, .constant, .fill, .reshape:
      preconditionFailure("\(step.label) needs no step")
    case .scale, .exp, .expm1, .log, .log1p, .softplus, .square, .sigmoid, .tanh, .relu, .sqrt,
      .abs, .sign, .erf, .power, .cap, .add, .subtract, .multiply, .divide, .maximum, .reluGradient,
      .sigmoidGradient,
      .tanhGradient:
      preconditionFailure("\(step.label) has an element kernel")
    case .matmul, .convolution, .convolutionInputGradient, .convolutionWeightGradient:
      preconditionFailure("\(step.label) is a product")
    case .dropoutMask(let mask): return dropoutMask(step, mask)
    case .sum(let axes): return reduction(step, axes: axes, isMean: false)
    case .mean(let axes): return reduction(step, axes: axes, isMean: true)
    case .squaredNorm(let axes): return squaredNorm(step, axes: axes)
    case .total: return copy(step)
    case .broadcast: return broadcast(step)
    case .transpose: return transpose(step)
    case .permute(let order): return permute(step, order)
    case .slice(let axis, let start, _): return slice(step, axis: axis, start: start)
    case .pad(let axis, let before, _): return pad(step, axis: axis, before: before)
    case .concatenate(let axis): return concatenate(step, axis: axis)
    case .gather: return gather(step)
    case .embedding: return embedding(step)
    case .embeddingGradient(let count): return embeddingGradient(step, count: count)
    case .maxPool(let pooling): return pool(step, pooling, isMaximum: true)
    case .maxPoolGradient(let pooling): return maxPoolGradient(step, pooling)
    case .maxPoolSelection(let pooling): return maxPoolSelection(step, pooling)
    case .averagePool(let pooling): return pool(step, pooling, isMaximum: false)
    case .averagePoolGradient(let pooling, _): return averagePoolGradient(step, pooling)
    case .normalize(let normalization): return normalize(step, normalization)
    case .normalizeScaleGradient(let normalization):
      return normalizeScaleGradient(step, normalization)
    case .normalizeInputGradient(let normalization):
      return normalizeInputGradient(step, normalization)
    case .moments(let normalization): return moments(step, normalization)
    case .variance(let axes): return variance(step, axes: axes)
    case .softmax: return softmax(step, isLogarithm: false)
    case .logSoftmax: return softmax(step, isLogarithm: true)
    case .logSumExp: return logSumExp(step)
    case .softmaxCrossEntropy: return softmaxCrossEntropy(step)
    case .softmaxCrossEntropyGradient: return softmaxCrossEntropyGradient(step)
    case .oneHot(let classes): return oneHot(step, classes: classes)
    case .meanSquaredError: return meanSquaredError(step)
    }
  }
}

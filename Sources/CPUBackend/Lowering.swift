// From a step to the kernel that computes it: one entry per operation.
import Execution
import Graphs
import Kernels
import Tensors

/// Binds the steps of a schedule to kernels.
struct Lowering {
  /// The rows that are computed at once.
  let rowCount: Int
  /// The place of the first of them in the group.
  var firstRow = 0
  /// Room for operands in bfloat16.
  let rounding: BFloat16Operands
  /// Room for packed operands.
  let scratch: Scratch

  /// Returns the call that computes a step.
  ///
  /// - Throws: ``PlanError/kernel(node:reason:)`` if the library refuses to make a primitive.
  func call(for step: Step) throws(PlanError) -> Call {
    switch step.action {
    case .operation(let operation): return call(for: operation, step)
    case .product(let product): return try self.product(step, product)
    case .chain(let chain): return self.chain(chain, count: shape(step.results[0]).count)
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
    switch kernel(of: operation) {
    case .element(let kernel): return elementwise(kernel, step)
    case .call(let call): return call(step)
    case nil: preconditionFailure("\(step.label) needs no step, or is a product")
    }
  }

  /// The way to compute an operation.
  enum Kernel {
    /// A function of each element.
    case element(ElementKernel)
    /// A kernel of its own.
    case call((Step) -> Call)
  }

  /// Returns the kernel of an operation; nil for values that lie somewhere already, and for products.
  func kernel(of operation: Graph.Operation) -> Kernel? {
    switch operation {
    case .data, .labels, .parameter, .constant, .fill, .reshape: nil
    case .matmul, .convolution, .convolutionInputGradient, .convolutionWeightGradient: nil
    case .scale(let factor): .element(ElementKernel(.scale, factor.resolved(batch: rowCount)))
    case .power(let exponent): .element(ElementKernel(.power, exponent))
    case .cap(let limit): .element(ElementKernel(.cap, limit))
    case .exp: .element(ElementKernel(.exp))
    case .expm1: .element(ElementKernel(.expm1))
    case .log: .element(ElementKernel(.log))
    case .log1p: .element(ElementKernel(.log1p))
    case .softplus: .element(ElementKernel(.softplus))
    case .square: .element(ElementKernel(.square))
    case .sigmoid: .element(ElementKernel(.sigmoid))
    case .tanh: .element(ElementKernel(.tanh))
    case .relu: .element(ElementKernel(.relu))
    case .sqrt: .element(ElementKernel(.sqrt))
    case .abs: .element(ElementKernel(.abs))
    case .sign: .element(ElementKernel(.sign))
    case .erf: .element(ElementKernel(.erf))
    case .reluGradient: .element(ElementKernel(.reluGradient))
    case .sigmoidGradient: .element(ElementKernel(.sigmoidGradient))
    case .tanhGradient: .element(ElementKernel(.tanhGradient))
    case .add: .element(ElementKernel(.add))
    case .subtract: .element(ElementKernel(.subtract))
    case .multiply: .element(ElementKernel(.multiply))
    case .divide: .element(ElementKernel(.divide))
    case .maximum: .element(ElementKernel(.maximum))
    case .dropoutMask(let mask): .call { dropoutMask($0, mask) }
    case .sum(let axes): .call { reduction($0, axes: axes, isMean: false) }
    case .mean(let axes): .call { reduction($0, axes: axes, isMean: true) }
    case .squaredNorm(let axes): .call { squaredNorm($0, axes: axes) }
    case .crossMicrobatchSum: .call(copy)
    case .broadcast: .call(broadcast)
    case .transpose: .call(transpose)
    case .permute(let order): .call { permute($0, order) }
    case .slice(let axis, let start, _): .call { slice($0, axis: axis, start: start) }
    case .pad(let axis, let before, _): .call { pad($0, axis: axis, before: before) }
    case .concatenate(let axis): .call { concatenate($0, axis: axis) }
    case .gather: .call(gather)
    case .embedding: .call(embedding)
    case .embeddingGradient(let count): .call { embeddingGradient($0, count: count) }
    case .maxPool(let pooling): .call { pool($0, pooling, isMaximum: true) }
    case .maxPoolGradient(let pooling): .call { maxPoolGradient($0, pooling) }
    case .maxPoolSelection(let pooling): .call { maxPoolSelection($0, pooling) }
    case .averagePool(let pooling): .call { pool($0, pooling, isMaximum: false) }
    case .averagePoolGradient(let pooling, _): .call { averagePoolGradient($0, pooling) }
    case .normalize(let normalization): .call { normalize($0, normalization) }
    case .normalizeScaleGradient(let normalization):
      .call { normalizeScaleGradient($0, normalization) }
    case .normalizeInputGradient(let normalization):
      .call { normalizeInputGradient($0, normalization) }
    case .moments(let normalization): .call { moments($0, normalization) }
    case .variance(let axes): .call { variance($0, axes: axes) }
    case .softmax: .call { softmax($0, isLogarithm: false) }
    case .logSoftmax: .call { softmax($0, isLogarithm: true) }
    case .logSumExp: .call(logSumExp)
    case .softmaxCrossEntropy: .call(softmaxCrossEntropy)
    case .softmaxCrossEntropyGradient: .call(softmaxCrossEntropyGradient)
    case .oneHot(let classes): .call { oneHot($0, classes: classes) }
    case .meanSquaredError: .call(meanSquaredError)
    }
  }
}

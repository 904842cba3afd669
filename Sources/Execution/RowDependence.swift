// Derives the dependence of a node on the rows of its operands: the same for every number of rows.
import Graphs

extension Graph {
  /// Returns how the value of a computed node depends on the rows of its operands.
  func rowDependence(of node: Node) -> RowDependence {
    let record = self[node]
    let operands = record.inputs.map { shape(of: $0) }
    guard operands.allSatisfy({ $0.isFixed || $0.hasRows }) else { return .byMicrobatch }
    guard !record.shape.isFixed else {
      let haveRows = operands.contains { !$0.isFixed }
      return haveRows && record.operation.sumsRows ? .sumOverRows : .byMicrobatch
    }
    guard record.shape.hasRows else { return .byMicrobatch }
    return record.operation.keepsRowsApart(operands, record.shape) ? .rowByRow : .byMicrobatch
  }
}

extension SymbolicShape {
  /// True if rows lie along the first axis, and along no other.
  var hasRows: Bool { extents.first == .batch && batchAxisCount == 1 }
}

extension Graph.Operation {
  /// True if a value without rows, of operands with rows, is a sum of one term per row.
  fileprivate var sumsRows: Bool {
    switch self {
    case .matmul, .sum, .squaredNorm, .convolutionWeightGradient, .embeddingGradient,
      .normalizeScaleGradient:
      true
    case .data, .labels, .parameter, .constant, .fill, .dropoutMask, .scale, .exp, .log, .square,
      .expm1, .log1p, .softplus, .cap, .sigmoid, .tanh, .relu, .sqrt, .abs, .sign, .erf, .power,
      .add, .subtract, .multiply, .divide, .maximum, .reluGradient, .sigmoidGradient, .tanhGradient,
      .total, .mean, .reshape,
      .broadcast, .transpose, .permute, .slice, .pad, .concatenate, .gather, .embedding,
      .convolution, .convolutionInputGradient, .maxPool, .maxPoolGradient, .maxPoolSelection,
      .averagePool, .averagePoolGradient, .normalize, .normalizeInputGradient, .moments, .variance,
      .softmax, .logSoftmax, .logSumExp, .softmaxCrossEntropy, .softmaxCrossEntropyGradient,
      .oneHot, .meanSquaredError:
      false
    }
  }

  /// Returns true if row i of the value depends on row i of operands, where all of them have rows first or not at all.
  fileprivate func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    /// True if operands that are lined up at the last axis meet row by row.
    var areLinedUp: Bool {
      operands.allSatisfy { $0.isFixed || $0.axisCount == result.axisCount }
    }
    switch self {
    case .scale(let factor): return factor.batchPower == 0
    case .exp, .expm1, .log, .log1p, .softplus, .cap, .square, .sigmoid, .tanh, .relu, .sqrt, .abs,
      .sign, .erf, .power, .add, .subtract, .multiply, .divide, .maximum, .reluGradient,
      .sigmoidGradient, .tanhGradient,
      .broadcast:
      return areLinedUp
    case .matmul(let transposeLHS, _): return !transposeLHS && operands[1].isFixed
    case .sum(let axes), .mean(let axes), .squaredNorm(let axes), .variance(let axes):
      return !axes.contains(0)
    case .transpose: return result.axisCount > 2
    case .permute(let order): return order[0] == 0
    case .slice(let axis, _, _), .pad(let axis, _, _), .concatenate(let axis): return axis != 0
    // A table has no rows of its own.
    case .gather, .embedding: return operands[0].isFixed
    case .convolution, .convolutionInputGradient: return operands[1].isFixed
    case .maxPool, .maxPoolGradient, .maxPoolSelection, .averagePool, .averagePoolGradient,
      .dropoutMask, .softmaxCrossEntropy, .softmaxCrossEntropyGradient, .oneHot,
      .meanSquaredError:
      return true
    // Given the statistics.
    case .normalize, .normalizeInputGradient: return true
    case .normalizeScaleGradient(let normalization), .moments(let normalization):
      return !normalization.axes.contains(0)
    case .softmax, .logSoftmax, .logSumExp: return operands[0].axisCount > 1
    case .convolutionWeightGradient, .embeddingGradient, .total: return false
    case .data, .labels, .parameter, .constant, .fill, .reshape: return true
    }
  }
}

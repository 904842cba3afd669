// From steps that reduce axes, and losses, to the kernels that compute them.
import Execution
import Graphs
import Kernels
import Numerics
import Tensors

extension Lowering {
  /// The sum or, with another scale, the mean over axes.
  func reduction(_ step: Step, axes: [Int], isMean: Bool) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let (outer, middle, inner) = shape(step.operands[0]).split(at: axes)
    let scale = isMean ? 1 / Float(reducedCount(step, axes)) : 1
    return {
      Reduction.sum(
        $0[x], outer: outer, middle: middle, inner: inner, into: $0[target], scale: scale)
    }
  }

  /// The sum of squares over the last axes.
  func squaredNorm(_ step: Step, axes: [Int]) -> Call {
    let (x, target) = (step.operands[0].location, step.results[0].location)
    let (rows, columns) = (shape(step.results[0]).count, reducedCount(step, axes))
    return { Rowwise.squaredNorm($0[x], rows: rows, columns: columns, into: $0[target]) }
  }

  private func reducedCount(_ step: Step, _ axes: [Int]) -> Int {
    axes.reduce(1) { $0 * shape(step.operands[0])[$1] }
  }

  /// A softmax or its logarithm.
  func softmax(_ step: Step, isLogarithm: Bool) -> Call {
    let (x, target, columns) = (step.operands[0].location, step.results[0].location, width(step, 0))
    let rows = columns == 0 ? 0 : shape(step.results[0]).count / columns
    return isLogarithm
      ? { Rowwise.logSoftmax($0[x], rows: rows, columns: columns, into: $0[target]) }
      : { Rowwise.softmax($0[x], rows: rows, columns: columns, into: $0[target]) }
  }

  /// The logarithm of the sum of exponentials.
  func logSumExp(_ step: Step) -> Call {
    let (x, target, columns) = (step.operands[0].location, step.results[0].location, width(step, 0))
    let rows = shape(step.results[0]).count
    return { Rowwise.logSumExp($0[x], rows: rows, columns: columns, into: $0[target]) }
  }

  /// Cross-entropies.
  func softmaxCrossEntropy(_ step: Step) -> Call {
    let (z, target, classes) = (step.operands[0].location, step.results[0].location, width(step, 0))
    let (labels, rows) = (step.operands[1].location.offset, shape(step.results[0]).count)
    return {
      Loss.softmaxCrossEntropy(
        logits: $0[z], labels: $0.labels + labels, rows: rows, classes: classes, into: $0[target])
    }
  }

  /// Cross-entropies, and the cotangent of the logits.
  func crossEntropyWithGradient(_ step: Step) -> Call {
    let (z, c) = (step.operands[0].location, step.operands[2].location)
    let (target, g) = (step.results[0].location, step.results[1].location)
    let (labels, rows) = (step.operands[1].location.offset, shape(step.results[0]).count)
    let classes = width(step, 0)
    return {
      Loss.softmaxCrossEntropyGradient(
        cotangent: $0[c], logits: $0[z], labels: $0.labels + labels, rows: rows,
        classes: classes, losses: $0[target], into: $0[g])
    }
  }

  /// The cotangent of the logits alone.
  func softmaxCrossEntropyGradient(_ step: Step) -> Call {
    let (c, z) = (step.operands[0].location, step.operands[1].location)
    let (target, labels) = (step.results[0].location, step.operands[2].location.offset)
    let (rows, classes) = (shape(step.results[0])[0], width(step, 1))
    return {
      Loss.softmaxCrossEntropyGradient(
        cotangent: $0[c], logits: $0[z], labels: $0.labels + labels, rows: rows, classes: classes,
        into: $0[target])
    }
  }

  /// 1 at the label.
  func oneHot(_ step: Step, classes: Int) -> Call {
    let (labels, target) = (step.operands[0].location.offset, step.results[0].location)
    let rows = shape(step.operands[0]).count
    return { Loss.oneHot($0.labels + labels, rows: rows, classes: classes, into: $0[target]) }
  }

  /// The mean of squared differences of each row.
  func meanSquaredError(_ step: Step) -> Call {
    let (a, b) = (step.operands[0].location, step.operands[1].location)
    let (target, rows) = (step.results[0].location, shape(step.results[0]).count)
    let columns = shape(step.operands[0]).count / max(rows, 1)
    return {
      Rowwise.squaredDistance(
        $0[a], $0[b], rows: rows, columns: columns, scale: 1 / Float(columns), into: $0[target])
    }
  }

  /// A mask of dropout.
  func dropoutMask(_ step: Step, _ mask: DropoutMask) -> Call {
    let (target, shape) = (step.results[0].location, shape(step.results[0]))
    let columns = shape.extents.dropFirst().reduce(1, *)
    let (threshold, scale, stream) = (mask.threshold, Float(mask.scale), mask.stream)
    return { [firstRow] in
      Dropout.mask(
        rows: shape[0], columns: columns, threshold: threshold, scale: scale, stream: stream,
        draws: $0.draws.advanced(by: firstRow), into: $0[target])
    }
  }

  /// The length of the last axis of an operand.
  private func width(_ step: Step, _ operand: Int) -> Int {
    shape(step.operands[operand]).extents.last ?? 1
  }
}

// One or more uses of every operation, with operands that suit it.

public import Graphs
public import Tensors

/// A small graph around one operation, with a value for each of its operands.
public struct OperationSample: Sendable, CustomStringConvertible {
  /// The operation and its shapes, such as `add [batch, 5] [5]`.
  public let description: String
  /// The graph of the operation, and of nothing else.
  public let graph: Graph
  /// The operands, all of them leaves.
  public let operands: [Graph.Node]
  /// The operation's node.
  public let output: Graph.Node
  /// The value of each operand by name; numbers that `Float` holds exactly.
  public let values: [String: Tensor]
  /// The rows computed at once.
  public let batch: Int

  /// The operands that are numbers, neither class numbers nor names of rows.
  public var numbers: [Graph.Node] {
    operands.enumerated().filter { index, node in
      let namesRows =
        switch graph[output].operation {
        case .embedding, .embeddingGradient: index == 1
        default: false
        }
      return graph[node].operation != .labels && !namesRows
    }.map(\.element)
  }
}

/// Every case of `Graph.Operation`, without what it carries.
///
/// A new operation does not compile here until it has a case, and not below until it has a sample.
public enum OperationKind: String, CaseIterable, Sendable {
  case data, labels, parameter, constant, fill, dropoutMask
  case scale, exp, expm1, log, log1p, softplus, square, sigmoid, tanh, relu, sqrt, abs, sign, erf
  case power, cap
  case add, subtract, multiply, divide, maximum
  case reluGradient, sigmoidGradient, tanhGradient
  case matmul, sum, crossMicrobatchSum, mean, squaredNorm, reshape, broadcast, transpose, gather
  case embedding, embeddingGradient
  case softmax, logSoftmax, logSumExp
  case softmaxCrossEntropy, softmaxCrossEntropyGradient, oneHot, meanSquaredError
  case permute, slice, pad, concatenate
  case convolution, convolutionInputGradient, convolutionWeightGradient
  case maxPool, maxPoolGradient, maxPoolSelection, averagePool, averagePoolGradient
  case normalize, normalizeScaleGradient, normalizeInputGradient, moments, variance

  /// The kind of an operation.
  public init(_ operation: Graph.Operation) {
    self =
      switch operation {
      case .data: .data
      case .labels: .labels
      case .parameter: .parameter
      case .constant: .constant
      case .fill: .fill
      case .dropoutMask: .dropoutMask
      case .scale: .scale
      case .exp: .exp
      case .expm1: .expm1
      case .log: .log
      case .log1p: .log1p
      case .softplus: .softplus
      case .cap: .cap
      case .square: .square
      case .sigmoid: .sigmoid
      case .tanh: .tanh
      case .relu: .relu
      case .sqrt: .sqrt
      case .abs: .abs
      case .sign: .sign
      case .power: .power
      case .add: .add
      case .subtract: .subtract
      case .multiply: .multiply
      case .divide: .divide
      case .maximum: .maximum
      case .reluGradient: .reluGradient
      case .sigmoidGradient: .sigmoidGradient
      case .tanhGradient: .tanhGradient
      case .matmul: .matmul
      case .sum: .sum
      case .crossMicrobatchSum: .crossMicrobatchSum
      case .mean: .mean
      case .squaredNorm: .squaredNorm
      case .reshape: .reshape
      case .broadcast: .broadcast
      case .transpose: .transpose
      case .gather: .gather
      case .embedding: .embedding
      case .embeddingGradient: .embeddingGradient
      case .softmax: .softmax
      case .logSoftmax: .logSoftmax
      case .logSumExp: .logSumExp
      case .softmaxCrossEntropy: .softmaxCrossEntropy
      case .softmaxCrossEntropyGradient: .softmaxCrossEntropyGradient
      case .oneHot: .oneHot
      case .meanSquaredError: .meanSquaredError
      case .permute: .permute
      case .slice: .slice
      case .pad: .pad
      case .concatenate: .concatenate
      case .convolution: .convolution
      case .convolutionInputGradient: .convolutionInputGradient
      case .convolutionWeightGradient: .convolutionWeightGradient
      case .maxPool: .maxPool
      case .maxPoolGradient: .maxPoolGradient
      case .maxPoolSelection: .maxPoolSelection
      case .averagePool: .averagePool
      case .averagePoolGradient: .averagePoolGradient
      case .normalize: .normalize
      case .normalizeScaleGradient: .normalizeScaleGradient
      case .normalizeInputGradient: .normalizeInputGradient
      case .moments: .moments
      case .variance: .variance
      case .erf: .erf
      }
  }
}

/// Samples of every operation for one batch extent and one width.
///
/// - Parameters:
///   - batch: The rows computed at once.
///   - width: The length of the other axes.
/// - Returns: At least one sample of each operation.
/// - Throws: `GraphError` if a sample does not fit its operation.
public func operationSamples(batch: Int = 3, width: Int = 5) throws -> [OperationSample] {
  try OperationKind.allCases.flatMap { kind in
    try samples(of: kind, width: .fixed(width), classes: width).enumerated().map { index, recipe in
      try recipe.sample(batch: batch, seed: "\(kind) \(index)")
    }
  }
}

/// An operand of a sample: its shape, and where it is defined and smooth.
private struct Operand {
  enum Domain {
    /// Anything, but not near 0, where relu has its kink.
    case numbers
    /// Numbers from ½ on: for logarithms and divisors.
    case positive
    /// Numbers that no other operand comes near to.
    case large
    /// Numbers that lie apart from each other: for maxima.
    case distinct
    /// Class numbers.
    case labels(Int)
    /// Whole numbers below a count, which nothing depends on smoothly.
    case whole(Int)
  }
  let shape: SymbolicShape
  var domain = Domain.numbers
}

private struct Recipe {
  let operation: Graph.Operation
  let operands: [Operand]

  init(_ operation: Graph.Operation, _ operands: Operand...) {
    self.operation = operation
    self.operands = operands
  }

  func sample(batch: Int, seed: String) throws -> OperationSample {
    var graph = Graph()
    var nodes: [Graph.Node] = []
    var values: [String: Tensor] = [:]
    for (index, operand) in operands.enumerated() {
      let name = "operand\(index)"
      let shape = operand.shape.resolved(batch: batch)
      var numbers = TestNumbers(seed, name)
      switch operand.domain {
      case .labels(let classes):
        nodes.append(try graph.labels(name, shape: operand.shape))
        values[name] = Tensor(
          shape: shape, values: (0..<shape.count).map { _ in Double(numbers.below(classes)) })
      case .whole(let count):
        nodes.append(try graph.data(name, shape: operand.shape))
        values[name] = Tensor(
          shape: shape, values: (0..<shape.count).map { _ in Double(numbers.below(count)) })
      case .numbers, .positive, .large, .distinct:
        let isParameter = operand.shape.isFixed
        nodes.append(
          isParameter
            ? try graph.parameter(name, shape: operand.shape)
            : try graph.data(name, shape: operand.shape))
        if case .positive = operand.domain {
          values[name] = numbers.tensor(shape, magnitudes: 0.5...2, signed: false)
        } else if case .distinct = operand.domain {
          var order = Array(0..<shape.count)
          for index in order.indices.dropLast() {
            order.swapAt(index, index + numbers.below(order.count - index))
          }
          values[name] = Tensor(shape: shape, values: order.map { Double($0) / 8 - 3 })
        } else if case .large = operand.domain {
          values[name] = numbers.tensor(shape, magnitudes: 2.1...3)
        } else {
          values[name] = numbers.tensor(shape, magnitudes: 0.1...2)
        }
      }
    }
    let output: Graph.Node
    switch operation {
    case .data, .parameter, .labels: output = nodes[0]
    case .constant(let values):
      output = graph.constant(Tensor(shape: [values.count], values: values))
    case .fill(let value): output = graph.fill(value, shape: [.batch, 3])
    case .dropoutMask(let mask): output = graph.dropoutMask(mask, shape: [.batch, 3, 23])
    default: output = try graph.add(operation, nodes)
    }
    let shapes = operands.map { " \($0.shape)" }.joined()
    return OperationSample(
      description: "\(operation.label)\(shapes), batch \(batch)", graph: graph, operands: nodes,
      output: output, values: values, batch: batch)
  }
}

private func samples(of kind: OperationKind, width: Extent, classes: Int) -> [Recipe] {
  let rows = Operand(shape: [.batch, width])
  let positive = Operand(shape: [.batch, width], domain: .positive)
  let row = Operand(shape: [width])
  let column = Operand(shape: [.batch, 1])
  let block = Operand(shape: [.batch, 2, width])
  let weight = Operand(shape: [3, width])
  let labels = Operand(shape: [.batch], domain: .labels(classes))
  let perRow = Operand(shape: [.batch])
  func binary(_ operation: Graph.Operation, _ second: Operand.Domain) -> [Recipe] {
    let pairs: [(SymbolicShape, SymbolicShape)] = [
      ([.batch, width], [.batch, width]), ([.batch, width], [width]), ([width], [.batch, width]),
      ([.batch, width], [.batch, 1]), ([.batch, 1], [.batch, width]), ([.batch, 1], [1, width]),
      ([.batch, 2, width], [2, 1]), ([.batch, 1, width], [2, 1]), ([], [.batch, width]),
      ([width], []), ([.batch], [.batch]),
    ]
    return pairs.map {
      Recipe(operation, Operand(shape: $0.0), Operand(shape: $0.1, domain: second))
    }
  }
  return switch kind {
  case .data: [Recipe(.data, rows)]
  case .labels: [Recipe(.labels, labels)]
  case .parameter: [Recipe(.parameter, weight)]
  case .constant: [Recipe(.constant([1, -2.5, 3]))]
  case .fill: [Recipe(.fill(-1.5))]
  case .dropoutMask:
    [false, true].map {
      Recipe(.dropoutMask(DropoutMask(rate: 0.25, stream: 7, isChannelsLast: $0)))
    }
  case .scale:
    [
      Recipe(.scale(Factor(-1.75)), rows), Recipe(.scale(Factor(3, batchPower: -1)), rows),
      Recipe(.scale(Factor(0.5, batchPower: 1)), row),
    ]
  case .exp: [Recipe(.exp, rows), Recipe(.exp, row)]
  case .log: [Recipe(.log, positive)]
  case .expm1: [Recipe(.expm1, rows), Recipe(.expm1, row)]
  case .log1p: [Recipe(.log1p, positive)]
  case .softplus: [Recipe(.softplus, rows)]
  case .cap: [Recipe(.cap(0), rows), Recipe(.cap(-0.05), row)]
  case .square: [Recipe(.square, rows)]
  case .sigmoid: [Recipe(.sigmoid, rows)]
  case .tanh: [Recipe(.tanh, rows)]
  case .relu: [Recipe(.relu, rows)]
  case .sqrt: [Recipe(.sqrt, positive)]
  case .abs: [Recipe(.abs, rows)]
  case .sign: [Recipe(.sign, rows)]
  case .power:
    [3, 2, 1, 0].map { Recipe(.power($0), rows) }
      + [-1, 0.5, -1.5].map { Recipe(.power($0), positive) }
  case .add: binary(.add, .numbers)
  case .subtract: binary(.subtract, .numbers)
  case .multiply: binary(.multiply, .numbers)
  case .divide: binary(.divide, .positive)
  case .maximum: binary(.maximum, .large)
  case .reluGradient: [Recipe(.reluGradient, rows, rows)]
  case .sigmoidGradient: [Recipe(.sigmoidGradient, rows, rows)]
  case .tanhGradient: [Recipe(.tanhGradient, rows, rows)]
  case .matmul:
    [
      Recipe(.matmul(transposeLHS: false, transposeRHS: true), rows, weight),
      Recipe(
        .matmul(transposeLHS: false, transposeRHS: false), rows, Operand(shape: [width, 4])),
      Recipe(
        .matmul(transposeLHS: true, transposeRHS: false), rows, Operand(shape: [.batch, 4])),
      Recipe(
        .matmul(transposeLHS: true, transposeRHS: true), rows, Operand(shape: [2, .batch])),
    ]
  case .sum:
    [[1], [0], [2], [0, 1], [1, 2], [0, 2], [0, 1, 2], []].map { Recipe(.sum(axes: $0), block) }
  case .crossMicrobatchSum: [Recipe(.crossMicrobatchSum, weight), Recipe(.crossMicrobatchSum, row)]
  case .mean: [[1], [0], [0, 2], [2, 1], [0, 1, 2]].map { Recipe(.mean(axes: $0), block) }
  case .squaredNorm:
    [[1], [0], [0, 2], [1, 2], [0, 1, 2], []].map { Recipe(.squaredNorm(axes: $0), block) }
  case .reshape:
    [
      Recipe(.reshape([2, .batch, width]), block), Recipe(.reshape([.batch, 1, width]), rows),
      Recipe(.reshape([1, .batch]), column),
    ]
  case .broadcast:
    [
      Recipe(.broadcast([.batch, width]), row), Recipe(.broadcast([.batch, width]), column),
      Recipe(.broadcast([2, .batch, width]), rows),
    ]
  case .transpose:
    [Recipe(.transpose, weight), Recipe(.transpose, rows), Recipe(.transpose, block)]
  case .gather:
    [
      Recipe(.gather, Operand(shape: [width, 3]), labels), Recipe(.gather, row, labels),
      Recipe(
        .gather, Operand(shape: [width, 3]), Operand(shape: [], domain: .labels(classes))),
    ]
  case .embedding, .embeddingGradient:
    ([[.batch], [.batch, 3], [2, .batch, width], [4]] as [SymbolicShape]).map { shape in
      let numbers = Operand(shape: shape, domain: .whole(classes))
      guard kind == .embeddingGradient else {
        return Recipe(.embedding, Operand(shape: [width, 2]), numbers)
      }
      let rows = Operand(shape: SymbolicShape(shape.extents + [2]))
      return Recipe(.embeddingGradient(count: classes), rows, numbers)
    }
  case .softmax: [Recipe(.softmax, rows), Recipe(.softmax, block), Recipe(.softmax, row)]
  case .logSoftmax: [Recipe(.logSoftmax, rows), Recipe(.logSoftmax, block)]
  case .logSumExp:
    [Recipe(.logSumExp, rows), Recipe(.logSumExp, block), Recipe(.logSumExp, row)]
  case .softmaxCrossEntropy: [Recipe(.softmaxCrossEntropy, rows, labels)]
  case .softmaxCrossEntropyGradient:
    [Recipe(.softmaxCrossEntropyGradient, perRow, rows, labels)]
  case .oneHot: [Recipe(.oneHot(classes: classes), labels)]
  case .meanSquaredError:
    [
      Recipe(.meanSquaredError, rows, rows), Recipe(.meanSquaredError, block, block),
      Recipe(.meanSquaredError, weight, weight),
    ]
  case .erf: [Recipe(.erf, rows)]
  case .permute: [Recipe(.permute([2, 0, 1]), block), Recipe(.permute([1, 0]), rows)]
  case .slice:
    [
      Recipe(.slice(axis: 1, start: 0, end: 1), block),
      Recipe(.slice(axis: 2, start: classes - 1, end: classes), block),
      Recipe(.slice(axis: 0, start: 1, end: 3), weight),
    ]
  case .pad:
    [
      Recipe(.pad(axis: 1, before: 1, after: 2), block),
      Recipe(.pad(axis: 2, before: 0, after: 1), block),
    ]
  case .concatenate:
    [
      Recipe(.concatenate(axis: 1), block, Operand(shape: [.batch, 3, width])),
      Recipe(.concatenate(axis: 0), weight, weight),
    ]
  case .convolution:
    windowSamples(width).map { sample in
      Recipe(.convolution(sample.convolution), sample.x, sample.w)
    }
  case .convolutionInputGradient:
    windowSamples(width).map { sample in
      Recipe(
        .convolutionInputGradient(sample.convolution, extents: sample.extents), sample.y, sample.w)
    }
  case .convolutionWeightGradient:
    windowSamples(width).map { sample in
      Recipe(.convolutionWeightGradient(sample.convolution), sample.x, sample.y)
    }
  case .maxPool:
    poolingSamples(classes).map { Recipe(.maxPool($0.pooling), $0.x) }
  case .maxPoolGradient:
    poolingSamples(classes).map { Recipe(.maxPoolGradient($0.pooling), $0.y, $0.x) }
  case .maxPoolSelection:
    poolingSamples(classes).map { Recipe(.maxPoolSelection($0.pooling), $0.x, $0.x) }
  case .averagePool:
    poolingSamples(classes).map { Recipe(.averagePool($0.pooling), $0.x) }
  case .averagePoolGradient:
    poolingSamples(classes).map {
      Recipe(.averagePoolGradient($0.pooling, extents: $0.extents), $0.y)
    }
  case .normalize:
    normalizationSamples(width).map { Recipe(.normalize($0.normalization), $0.x, $0.kept, $0.kept) }
  case .normalizeScaleGradient:
    normalizationSamples(width).map {
      Recipe(.normalizeScaleGradient($0.normalization), $0.x, $0.x)
    }
  case .normalizeInputGradient:
    normalizationSamples(width).map {
      Recipe(.normalizeInputGradient($0.normalization), $0.x, $0.x, $0.kept, $0.kept, $0.kept)
    }
  case .moments:
    normalizationSamples(width).map { Recipe(.moments($0.normalization), $0.x) }
  case .variance:
    normalizationSamples(width).map { Recipe(.variance(axes: $0.normalization.axes), $0.x) }
  }
}

/// Convolutions over one and two axes: strides, padding on either side, dilation, groups, both layouts.
private func windowSamples(
  _ width: Extent
) -> [(convolution: Convolution, x: Operand, w: Operand, y: Operand, extents: [Int])] {
  guard case .fixed(let n) = width else { return [] }
  typealias Axis = Window.Axis
  let cases:
    [(axes: [Axis], inputs: Int, outputs: Int, groups: Int, isLast: Bool, extents: [Int])] = [
      ([Axis(kernel: 1)], 2, 3, 1, false, [n]),
      ([Axis(kernel: 3, stride: 2, padding: (1, 2))], 1, 2, 1, false, [n + 2]),
      ([Axis(kernel: 2, dilation: 2), Axis(kernel: 1)], 2, 2, 1, false, [n + 3, 2]),
      (
        [Axis(kernel: 3, padding: (1, 1)), Axis(kernel: 3, padding: (1, 1))], n, 2, 1, false,
        [3, n]
      ),
      (
        [Axis(kernel: 2, stride: 2), Axis(kernel: 3, stride: 2, padding: (2, 1))], 4, 6, 2, false,
        [5, n + 1]
      ),
      ([Axis(kernel: 3, padding: (1, 1)), Axis(kernel: 2)], 3, 3, 3, true, [2, n + 1]),
      ([Axis(kernel: 2, padding: (0, 1))], 2, 17, 1, true, [n]),
    ]
  return cases.map { axes, inputs, outputs, groups, isLast, extents in
    let window = Window(axes)
    let positions = window.positions(over: extents) ?? []
    func images(_ channels: Int, _ spatial: [Int]) -> Operand {
      let all = isLast ? spatial + [channels] : [channels] + spatial
      return Operand(shape: SymbolicShape([.batch] + all.map(Extent.fixed)))
    }
    let weights = [outputs, inputs / groups] + axes.map(\.kernel)
    return (
      Convolution(window, groups: groups, isChannelsLast: isLast), images(inputs, extents),
      Operand(shape: SymbolicShape(weights.map(Extent.fixed))), images(outputs, positions), extents
    )
  }
}

/// Poolings over one and two axes, with windows that overlap, leave gaps and reach into padding.
private func poolingSamples(
  _ n: Int
) -> [(pooling: Pooling, x: Operand, y: Operand, extents: [Int])] {
  typealias Axis = Window.Axis
  let cases: [(axes: [Axis], channels: Int, isLast: Bool, extents: [Int])] = [
    ([Axis(kernel: 2, stride: 2)], 3, false, [n + 1]),
    ([Axis(kernel: 2, stride: 2), Axis(kernel: 2, stride: 2)], 2, false, [4, n + 1]),
    (
      [Axis(kernel: 3, stride: 2, padding: (1, 1)), Axis(kernel: 3, stride: 1, padding: (1, 0))], n,
      false, [5, n + 2]
    ),
    ([Axis(kernel: 2, stride: 3), Axis(kernel: 2, dilation: 2)], 17, true, [5, 4]),
  ]
  return cases.map { axes, channels, isLast, extents in
    let window = Window(axes)
    let positions = window.positions(over: extents) ?? []
    func images(_ spatial: [Int]) -> Operand {
      let all = isLast ? spatial + [channels] : [channels] + spatial
      return Operand(shape: SymbolicShape([.batch] + all.map(Extent.fixed)))
    }
    var x = images(extents)
    x.domain = .distinct
    return (Pooling(window, isChannelsLast: isLast), x, images(positions), extents)
  }
}

/// Normalisations of rows, of channels over the batch, of images, of separate axes, and over microbatches.
private func normalizationSamples(
  _ width: Extent
) -> [(normalization: Normalization, x: Operand, kept: Operand)] {
  let cases: [(shape: SymbolicShape, axes: [Int], spansMicrobatches: Bool)] = [
    ([.batch, width, 3], [1, 2], false), ([.batch, width, 3], [0, 2], false),
    ([.batch, width], [1], false), ([.batch, 2, width, 3], [2, 3], false),
    ([.batch, width, 2, 3], [0, 2, 3], false), ([4, width], [0], false),
    ([.batch, 3, width, 2], [1, 3], false), ([.batch, width], [0], true),
    ([.batch, width, 3], [0, 2], true), ([.batch, width, 2, 3], [0, 2, 3], true),
  ]
  return cases.map { shape, axes, spansMicrobatches in
    (
      Normalization(axes: axes, epsilon: 0.25, spansMicrobatches: spansMicrobatches),
      Operand(shape: shape),
      Operand(
        shape: SymbolicShape(shape.extents.indices.filter { !axes.contains($0) }.map { shape[$0] }))
    )
  }
}

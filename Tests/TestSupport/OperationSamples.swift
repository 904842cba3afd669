// One or more uses of every operation, with operands that suit it.

public import Graphs
public import Tensors

/// A small graph around one operation, with a value for each of its operands.
public struct OperationSample: Sendable, CustomStringConvertible {
  /// What is sampled, such as `add [batch, 5] [5]`.
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

  /// The operands that are numbers, not class numbers.
  public var numbers: [Graph.Node] { operands.filter { graph[$0].operation != .labels } }
}

/// Every case of `Graph.Operation`, without what it carries.
///
/// A new operation does not compile here until it has a case, and not below until it has a sample.
public enum OperationKind: String, CaseIterable, Sendable {
  case data, labels, parameter, constant, fill
  case scale, exp, log, square, sigmoid, tanh, relu, sqrt, abs, sign, power
  case add, subtract, multiply, divide, maximum
  case reluGradient, sigmoidGradient, tanhGradient
  case matmul, sum, mean, squaredNorm, reshape, broadcast, transpose, gather
  case softmax, logSoftmax, logSumExp
  case softmaxCrossEntropy, softmaxCrossEntropyGradient, oneHot, meanSquaredError

  /// The kind of an operation.
  public init(_ operation: Graph.Operation) {
    self =
      switch operation {
      case .data: .data
      case .labels: .labels
      case .parameter: .parameter
      case .constant: .constant
      case .fill: .fill
      case .scale: .scale
      case .exp: .exp
      case .log: .log
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
      case .mean: .mean
      case .squaredNorm: .squaredNorm
      case .reshape: .reshape
      case .broadcast: .broadcast
      case .transpose: .transpose
      case .gather: .gather
      case .softmax: .softmax
      case .logSoftmax: .logSoftmax
      case .logSumExp: .logSumExp
      case .softmaxCrossEntropy: .softmaxCrossEntropy
      case .softmaxCrossEntropyGradient: .softmaxCrossEntropyGradient
      case .oneHot: .oneHot
      case .meanSquaredError: .meanSquaredError
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
    /// Class numbers.
    case labels(Int)
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
      case .numbers, .positive, .large:
        let isParameter = operand.shape.isFixed
        nodes.append(
          isParameter
            ? try graph.parameter(name, shape: operand.shape)
            : try graph.data(name, shape: operand.shape))
        if case .positive = operand.domain {
          values[name] = numbers.tensor(shape, magnitudes: 0.5...2, signed: false)
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
  case .scale:
    [
      Recipe(.scale(Factor(-1.75)), rows), Recipe(.scale(Factor(3, batchPower: -1)), rows),
      Recipe(.scale(Factor(0.5, batchPower: 1)), row),
    ]
  case .exp: [Recipe(.exp, rows), Recipe(.exp, row)]
  case .log: [Recipe(.log, positive)]
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
  }
}

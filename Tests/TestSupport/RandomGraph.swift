// Graphs that nobody thought of: seeded, with values away from kinks, poles and large numbers.

public import Graphs
public import Tensors

/// A random graph of a loss and its gradients, with a value for every leaf.
public struct RandomGraph: Sendable, CustomStringConvertible {
  /// The seed of its random choices.
  public let seed: Int
  /// The rows computed at once.
  public let batch: Int
  /// Forward, loss, gradients, and nodes that nothing needs.
  public private(set) var graph = Graph()
  /// Nodes on the way to the loss, which is the last.
  public private(set) var values: [Graph.Node] = []
  /// The gradient of the loss, in the order of the graph's parameters.
  public private(set) var gradients: [Graph.Node] = []
  /// A value for every leaf; numbers that `Float` holds exactly.
  public private(set) var inputs: [String: Tensor] = [:]

  private var numbers: TestNumbers
  private var pool: [Graph.Node] = []
  private var labels: [Graph.Node] = []

  /// The seed and the batch.
  public var description: String { "random graph \(seed), batch \(batch)" }

  /// Draws a graph.
  ///
  /// - Parameters:
  ///   - seed: What it is drawn from.
  ///   - batch: The rows computed at once.
  ///   - hasProducts: Whether it may hold matrix products, which plans fuse with what follows.
  /// - Throws: `GraphError` if a drawn graph cannot be evaluated, which is a bug.
  public init(seed: Int, batch: Int, hasProducts: Bool = true) throws {
    self.seed = seed
    self.batch = batch
    for attempt in 0... {
      numbers = TestNumbers("random graph", "\(seed)", "\(batch)", "\(attempt)")
      (graph, values, gradients, inputs, pool, labels) = (Graph(), [], [], [:], [], [])
      if try draw(hasProducts) { return }
    }
    preconditionFailure("no graph for seed \(seed)")
  }

  /// Draws one graph and tells whether its numbers are of ordinary size.
  private mutating func draw(_ hasProducts: Bool) throws -> Bool {
    let width = numbers.element(of: [1, 2, 3, 5, 8, 9])
    try drawLeaves(width)
    let operationCount = 4 + numbers.below(10)
    for _ in 0..<operationCount { try drawOperation(hasProducts, width) }
    // The loss adds up several nodes, so that their cotangents meet.
    var loss: Graph.Node?
    for _ in 0..<3 {
      let node = pool[pool.count - 1 - numbers.below(min(pool.count, 4))]
      values.append(node)
      let sum = try graph.add(.mean(axes: Array(0..<graph.shape(of: node).axisCount)), [node])
      loss = if let old = loss { try graph.add(.add, [old, sum]) } else { sum }
    }
    guard let loss else { return false }
    values.append(loss)
    gradients = try graph.gradient(of: loss, withRespectTo: graph.parameters)
    return try graph.evaluate(values + gradients, with: inputs, batch: batch)
      .allSatisfy { $0.values.allSatisfy { $0.isFinite && abs($0) < 100 } }
  }

  private mutating func drawLeaves(_ width: Int) throws {
    let w = Extent.fixed(width)
    let data: [SymbolicShape] = [[.batch, w], [.batch, 1], [.batch]]
    let parameters: [SymbolicShape] = [[w], [3, w], [w, 2], [1, w], []]
    for (index, shape) in data.enumerated() {
      pool.append(try graph.data("x\(index)", shape: shape))
      inputs["x\(index)"] = numbers.tensor(shape.resolved(batch: batch), magnitudes: 0.1...1.5)
    }
    for (index, shape) in parameters.enumerated() {
      pool.append(try graph.parameter("p\(index)", shape: shape))
      inputs["p\(index)"] = numbers.tensor(shape.resolved(batch: batch), magnitudes: 0.1...1.5)
    }
    labels = [try graph.labels("labels")]
    let classes = min(width, 2)
    inputs["labels"] = Tensor(
      shape: [batch], values: (0..<batch).map { _ in Double(numbers.below(classes)) })
  }

  private mutating func drawOperation(_ hasProducts: Bool, _ width: Int) throws {
    let unary: [Graph.Operation] = [
      .exp, .expm1, .log, .log1p, .softplus, .cap(0.0625), .square, .sigmoid, .tanh, .relu,
      .softmax, .logSoftmax, .sqrt, .abs, .power(3), .power(-1.5), .logSumExp, .transpose,
      .scale(Factor(-0.5)), .scale(Factor(2, batchPower: -1)),
    ]
    let binary: [Graph.Operation] = [
      .add, .subtract, .multiply, .divide, .add, .multiply, .maximum,
    ]
    let a = numbers.element(of: pool)
    let b = numbers.element(of: pool)
    let axisCount = graph.shape(of: a).axisCount
    switch numbers.below(8) {
    case 0, 1: try keep(numbers.element(of: unary), [a])
    case 2, 3: try keep(numbers.element(of: binary), [a, b])
    case 4 where hasProducts:
      for operand in [a, b] {
        let operation = Graph.Operation.matmul(
          transposeLHS: numbers.below(2) == 0, transposeRHS: numbers.below(2) == 0)
        if try keep(operation, [pool[0], operand]) || keep(operation, [operand, pool[0]]) {
          // What plans fuse: a bias that is a parameter, and an activation.
          let product = pool[pool.count - 1]
          for parameter in graph.parameters where numbers.below(2) == 0 {
            if try keep(.add, [product, parameter]) { break }
          }
          try keep(
            numbers.element(of: [.relu, .sigmoid, .tanh, .exp]), [pool[pool.count - 1]])
        }
      }
    case 5:
      let axes = (0..<axisCount).filter { _ in numbers.below(2) == 0 }
      try keep(
        numbers.element(of: [.sum(axes: axes), .mean(axes: axes), .squaredNorm(axes: axes)]), [a])
    case 6:
      let shape = graph.shape(of: a)
      try keep(.reshape(SymbolicShape([1] + shape.extents)), [a])
      if axisCount == 1 { try keep(.broadcast(SymbolicShape([2] + shape.extents)), [a]) }
    default:
      try keep(.softmaxCrossEntropy, [a, labels[0]])
      try keep(.meanSquaredError, [a, b])
      try keep(.gather, [a, labels[0]])
    }
  }

  /// Adds a node and keeps it for later use if it fits and its value is tame.
  @discardableResult
  private mutating func keep(
    _ operation: Graph.Operation, _ inputs: [Graph.Node]
  ) throws -> Bool {
    let operands = try graph.evaluate(inputs, with: self.inputs, batch: batch)
    switch operation {
    case .relu, .abs: guard operands[0].values.allSatisfy({ abs($0) > 0.02 }) else { return false }
    case .cap(let limit):
      guard operands[0].values.allSatisfy({ abs($0 - limit) > 0.02 }) else { return false }
    case .log, .sqrt, .power:
      guard operands[0].values.allSatisfy({ $0 > 0.1 }) else { return false }
    case .divide: guard operands[1].values.allSatisfy({ abs($0) > 0.3 }) else { return false }
    case .softmaxCrossEntropy:
      guard operands[0].shape.axisCount == 2, operands[0].shape[1] >= 2,
        case .fixed = graph.shape(of: inputs[0])[1]
      else { return false }
    case .maximum:
      let difference = try? graph.add(.subtract, inputs)
      guard let difference,
        try graph.evaluate([difference], with: self.inputs, batch: batch)[0].values
          .allSatisfy({ abs($0) > 0.02 })
      else { return false }
    case .gather:
      // Labels are drawn below the number of rows of any table that is used.
      guard operands[0].shape.axisCount > 0, operands[0].shape[0] >= 2,
        operands[0].shape.count > 0
      else { return false }
    default: break
    }
    guard let node = try? graph.add(operation, inputs), graph.shape(of: node).axisCount <= 4 else {
      return false
    }
    let value = try graph.evaluate([node], with: self.inputs, batch: batch)[0]
    guard value.values.allSatisfy({ $0.isFinite && abs($0) < 10 }) else { return false }
    pool.append(node)
    return true
  }
}

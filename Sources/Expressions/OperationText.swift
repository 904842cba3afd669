// The name and the attributes of every operation in text, there and back.
import Graphs

/// An operation as a call: `reshape(x, [batch, 3])` is the name, one operand and one attribute.
struct OperationText: Equatable {
  enum Attribute: Equatable {
    case number(Double)
    case list([ListItem])
  }
  let name: String
  var attributes: [Attribute] = []
}

extension OperationText {
  /// The text of an operation; leaves that are given from outside are written as their names.
  init?(_ operation: Graph.Operation, shape: SymbolicShape) {
    func axes(_ axes: [Int]) -> Attribute { .list(axes.map { .number(Double($0)) }) }
    func extents(_ shape: SymbolicShape) -> Attribute { Attribute(shape) }
    switch operation {
    case .data, .labels, .parameter: return nil
    case .constant(let values):
      self.init(name: "constant", attributes: [.list(values.map(ListItem.number)), extents(shape)])
    case .fill(let value):
      self.init(name: "fill", attributes: [.number(value), extents(shape)])
    case .dropoutMask(let mask):
      self.init(
        name: "dropout_mask",
        attributes: [
          .number(mask.rate), .number(Double(mask.stream)),
          .number(mask.isChannelsLast ? 1 : 0), extents(shape),
        ])
    case .scale(let factor):
      let power: [Attribute] =
        factor.batchPower == 0 ? [] : [.number(Double(factor.batchPower))]
      self.init(name: "scale", attributes: [.number(factor.value)] + power)
    case .power(let exponent): self.init(name: "power", attributes: [.number(exponent)])
    case .cap(let limit): self.init(name: "cap", attributes: [.number(limit)])
    case .matmul(let lhs, let rhs):
      self.init(name: "matmul" + (lhs || rhs ? "_\(lhs ? "t" : "n")\(rhs ? "t" : "n")" : ""))
    case .sum(let found): self.init(name: "sum", attributes: [axes(found)])
    case .mean(let found): self.init(name: "mean", attributes: [axes(found)])
    case .squaredNorm(let found): self.init(name: "squared_norm", attributes: [axes(found)])
    case .reshape(let target): self.init(name: "reshape", attributes: [extents(target)])
    case .broadcast(let target): self.init(name: "broadcast", attributes: [extents(target)])
    case .oneHot(let classes):
      self.init(name: "one_hot", attributes: [.number(Double(classes))])
    case .embeddingGradient(let count):
      self.init(name: "embedding_gradient", attributes: [.number(Double(count))])
    case .permute(let order): self.init(name: "permute", attributes: [axes(order)])
    case .slice(let axis, let start, let end):
      self.init(name: "slice", attributes: [axes([axis, start, end])])
    case .pad(let axis, let before, let after):
      self.init(name: "pad", attributes: [axes([axis, before, after])])
    case .concatenate(let axis): self.init(name: "concatenate", attributes: [axes([axis])])
    case .convolution(let convolution):
      self.init(name: "convolution", attributes: OperationText.attributes(convolution))
    case .convolutionInputGradient(let convolution, let extents):
      self.init(
        name: "convolution_input_gradient",
        attributes: OperationText.attributes(convolution) + [axes(extents)])
    case .convolutionWeightGradient(let convolution):
      self.init(
        name: "convolution_weight_gradient", attributes: OperationText.attributes(convolution))
    case .maxPool(let pooling):
      self.init(name: "max_pool", attributes: OperationText.attributes(pooling))
    case .maxPoolGradient(let pooling):
      self.init(name: "max_pool_gradient", attributes: OperationText.attributes(pooling))
    case .maxPoolSelection(let pooling):
      self.init(name: "max_pool_selection", attributes: OperationText.attributes(pooling))
    case .averagePool(let pooling):
      self.init(name: "average_pool", attributes: OperationText.attributes(pooling))
    case .averagePoolGradient(let pooling, let extents):
      self.init(
        name: "average_pool_gradient",
        attributes: OperationText.attributes(pooling) + [axes(extents)])
    case .normalize(let normalization):
      self.init(name: "normalize", attributes: OperationText.attributes(normalization))
    case .normalizeScaleGradient(let normalization):
      self.init(
        name: "normalize_scale_gradient", attributes: OperationText.attributes(normalization))
    case .normalizeInputGradient(let normalization):
      self.init(
        name: "normalize_input_gradient", attributes: OperationText.attributes(normalization))
    case .moments(let normalization):
      self.init(name: "moments", attributes: OperationText.attributes(normalization))
    case .variance(let found): self.init(name: "variance", attributes: [axes(found)])
    case .exp, .expm1, .log, .log1p, .softplus, .square, .sigmoid, .tanh, .relu, .sqrt, .abs,
      .sign, .erf, .add, .subtract, .multiply, .divide, .maximum, .reluGradient, .sigmoidGradient,
      .tanhGradient, .transpose,
      .gather, .embedding, .softmax, .logSoftmax, .logSumExp, .softmaxCrossEntropy,
      .softmaxCrossEntropyGradient, .meanSquaredError, .total:
      guard let name = OperationText.simple.first(where: { $0.value == operation })?.key else {
        return nil
      }
      self.init(name: name)
    }
  }

  /// The operation, or nil if the attributes are not those that it takes.
  var operation: Graph.Operation? {
    if let operation = OperationText.simple[name] { return attributes.isEmpty ? operation : nil }
    switch (name, attributes.first, attributes.count) {
    case ("scale", .number(let value)?, 1): return .scale(Factor(value))
    case ("scale", .number(let value)?, 2):
      guard case .number(let power) = attributes[1], let power = Int(exactly: power),
        abs(power) <= 64
      else { return nil }
      return .scale(Factor(value, batchPower: power))
    case ("power", .number(let exponent)?, 1): return .power(exponent)
    case ("cap", .number(let limit)?, 1): return .cap(limit)
    case ("sum", .list(let items)?, 1): return OperationText.axes(items).map { .sum(axes: $0) }
    case ("mean", .list(let items)?, 1): return OperationText.axes(items).map { .mean(axes: $0) }
    case ("squared_norm", .list(let items)?, 1):
      return OperationText.axes(items).map { .squaredNorm(axes: $0) }
    case ("reshape", .list(let items)?, 1):
      return SymbolicShape(items: items).map { .reshape($0) }
    case ("broadcast", .list(let items)?, 1):
      return SymbolicShape(items: items).map { .broadcast($0) }
    case ("one_hot", .number(let classes)?, 1):
      return Int(exactly: classes).flatMap { $0 > 0 && $0 < 1 << 31 ? .oneHot(classes: $0) : nil }
    case ("embedding_gradient", .number(let count)?, 1):
      return Int(exactly: count).flatMap {
        $0 > 0 && $0 < 1 << 31 ? .embeddingGradient(count: $0) : nil
      }
    case ("permute", .list(let items)?, 1): return OperationText.axes(items).map { .permute($0) }
    case ("variance", .list(let items)?, 1):
      return OperationText.axes(items).map { .variance(axes: $0) }
    case ("slice", .list(let items)?, 1):
      guard let n = OperationText.axes(items), n.count == 3 else { return nil }
      return .slice(axis: n[0], start: n[1], end: n[2])
    case ("pad", .list(let items)?, 1):
      guard let n = OperationText.axes(items), n.count == 3, n.allSatisfy({ $0 <= 1 << 20 })
      else { return nil }
      return .pad(axis: n[0], before: n[1], after: n[2])
    case ("concatenate", .list(let items)?, 1):
      guard let n = OperationText.axes(items), n.count == 1 else { return nil }
      return .concatenate(axis: n[0])
    default: return windowOperation
    }
  }

  /// The number of operands of the operation of that name.
  static func operandCount(_ name: String) -> Int? {
    switch name {
    case "scale", "power", "cap", "sum", "mean", "squared_norm", "reshape", "broadcast", "one_hot",
      "permute", "variance", "moments", "slice", "pad", "max_pool", "average_pool",
      "average_pool_gradient":
      1
    case "concatenate", "embedding_gradient", "convolution", "convolution_input_gradient",
      "convolution_weight_gradient", "max_pool_gradient", "max_pool_selection",
      "normalize_scale_gradient":
      2
    case "normalize": 3
    case "normalize_input_gradient": 5
    default: simple[name]?.operandCount
    }
  }

  static func axes(_ items: [ListItem]) -> [Int]? {
    var axes: [Int] = []
    for item in items {
      guard case .number(let value) = item, let axis = Int(exactly: value) else { return nil }
      axes.append(axis)
    }
    return axes
  }

  /// Operations without attributes, by name.
  static let simple: [String: Graph.Operation] = [
    "exp": .exp, "expm1": .expm1, "log": .log, "log1p": .log1p, "softplus": .softplus,
    "square": .square, "sigmoid": .sigmoid, "tanh": .tanh,
    "relu": .relu, "erf": .erf, "sqrt": .sqrt, "abs": .abs, "sign": .sign, "add": .add,
    "subtract": .subtract, "multiply": .multiply, "divide": .divide, "maximum": .maximum,
    "relu_gradient": .reluGradient, "sigmoid_gradient": .sigmoidGradient,
    "tanh_gradient": .tanhGradient, "transpose": .transpose, "gather": .gather,
    "embedding": .embedding,
    "softmax": .softmax, "log_softmax": .logSoftmax, "logsumexp": .logSumExp,
    "matmul": .matmul(transposeLHS: false, transposeRHS: false),
    "matmul_nt": .matmul(transposeLHS: false, transposeRHS: true),
    "matmul_tn": .matmul(transposeLHS: true, transposeRHS: false),
    "matmul_tt": .matmul(transposeLHS: true, transposeRHS: true),
    "softmax_cross_entropy": .softmaxCrossEntropy,
    "softmax_cross_entropy_gradient": .softmaxCrossEntropyGradient,
    "mean_squared_error": .meanSquaredError, "total": .total,
  ]
}

extension OperationText.Attribute {
  /// The extents of a shape as a list.
  init(_ shape: SymbolicShape) {
    self = .list(
      shape.extents.map { extent in
        switch extent {
        case .batch: .batch
        case .fixed(let count): .number(Double(count))
        }
      })
  }

  /// The attribute as it is written in a call.
  var text: String {
    switch self {
    case .number(let value): Number.text(value)
    case .list(let items):
      "["
        + items.map { item in
          switch item {
          case .batch: "batch"
          case .number(let value): Number.text(value)
          }
        }.joined(separator: ", ") + "]"
    }
  }
}

extension SymbolicShape {
  /// A shape from a list of extents; nil if one is no whole number from 0 on or all are too many.
  init?(items: [ListItem]) {
    var extents: [Extent] = []
    var count = 1
    for item in items {
      switch item {
      case .batch: extents.append(.batch)
      case .number(let value):
        guard let extent = Int(exactly: value), extent >= 0 else { return nil }
        let (product, overflows) = count.multipliedReportingOverflow(by: max(extent, 1))
        guard !overflows, product <= 1 << 40 else { return nil }
        count = product
        extents.append(.fixed(extent))
      }
    }
    self.init(extents)
  }
}

// The formula of an operation and its operands.
import Graphs

/// A piece of a formula, and how tightly it holds together.
struct DrawnFormula: Hashable {
  enum Binding: Int, Comparable {
    case sum, product, power, atom
    static func < (lhs: Binding, rhs: Binding) -> Bool { lhs.rawValue < rhs.rawValue }
  }

  var text: MathText
  var binding: Binding
  /// Indicates whether it is a known number, the same for all elements.
  var isNumber = false

  init(_ text: MathText, _ binding: Binding = .atom) {
    self.text = text
    self.binding = binding
  }

  /// The text, in parentheses unless it binds at least as tightly as asked.
  func within(_ least: Binding) -> MathText { binding >= least ? text : "(" + text + ")" }

  private static func function(_ name: MathText, _ operand: DrawnFormula) -> DrawnFormula {
    DrawnFormula(name + "(" + operand.text + ")")
  }

  private static func reduction(
    _ name: MathText, _ axes: [Int], _ operand: DrawnFormula, _ shape: SymbolicShape
  ) -> DrawnFormula {
    let row = Array(shape.batchAxisCount..<shape.axisCount)
    if axes.count == shape.axisCount || axes == row { return function(name, operand) }
    if axes == [0], shape.batchAxisCount == 1 { return function(name + " rows", operand) }
    let index = axes.map { "\($0 + 1)" }.joined(separator: ",")
    return function(name + MathText(index, .lower), operand)
  }

  /// The formula of an operation.
  ///
  /// - Parameters:
  ///   - operation: Any operation.
  ///   - x: The formulas of its operands.
  ///   - shapes: The shapes of its operands.
  /// - Returns: What it computes, and how tightly that holds together.
  static func of(
    _ operation: Graph.Operation, _ x: [DrawnFormula], shapes: [SymbolicShape]
  ) -> DrawnFormula {
    switch operation {
    case .data, .labels, .parameter:
      return DrawnFormula(MathText(operation.label))
    case .constant(let values):
      return values.count == 1 ? number(values[0]) : DrawnFormula("constants")
    case .fill(let value):
      return number(value)
    case .dropoutMask(let mask):
      return DrawnFormula("mask" + MathText(numberText(mask.rate), .lower))
    case .scale(let factor):
      return scaled(factor, x[0])
    case .cap(let limit):
      return DrawnFormula("min(" + x[0].text + ", " + MathText(numberText(limit)) + ")")
    case .square: return DrawnFormula(x[0].within(.atom) + MathText("2", .upper), .power)
    case .abs: return DrawnFormula("|" + x[0].text + "|")
    case .slice(_, let start, let end):
      return DrawnFormula(x[0].within(.atom) + MathText("[\(start)..<\(end)]"))
    case .concatenate: return DrawnFormula("[" + x[0].text + ", " + x[1].text + "]")
    case .convolution:
      return DrawnFormula(x[0].within(.product) + " ∗ " + x[1].within(.product), .product)
    case .power(let exponent):
      return DrawnFormula(x[0].within(.atom) + MathText(numberText(exponent), .upper), .power)
    case .transpose: return DrawnFormula(x[0].within(.atom) + MathText("T", .upper), .power)
    case .gather, .embedding: return DrawnFormula(x[0].within(.atom) + "[" + x[1].text + "]")
    case .add: return DrawnFormula(x[0].text + " + " + x[1].text, .sum)
    case .subtract: return DrawnFormula(x[0].text + " − " + x[1].within(.product), .sum)
    case .multiply:
      let isScalar = shapes.contains { $0.axisCount == $0.batchAxisCount }
      let sign: MathText = x[0].isNumber || x[1].isNumber || isScalar ? " · " : " ⊙ "
      return DrawnFormula(x[0].within(.product) + sign + x[1].within(.product), .product)
    case .divide: return DrawnFormula(x[0].within(.product) + " / " + x[1].within(.power), .product)
    case .reluGradient:
      return DrawnFormula(x[0].within(.product) + " ⊙ [" + x[1].text + " > 0]", .product)
    case .sigmoidGradient:
      return DrawnFormula(
        x[0].within(.product) + " ⊙ " + x[1].within(.product) + " ⊙ (1 − " + x[1].within(.product)
          + ")", .product)
    case .tanhGradient:
      return DrawnFormula(
        x[0].within(.product) + " ⊙ (1 − " + x[1].within(.atom) + MathText("2", .upper) + ")",
        .product)
    case .matmul(let lhs, let rhs):
      func factor(_ x: DrawnFormula, _ isTransposed: Bool) -> MathText {
        isTransposed ? x.within(.atom) + MathText("T", .upper) : x.within(.product)
      }
      return DrawnFormula(factor(x[0], lhs) + " · " + factor(x[1], rhs), .product)
    case .sum(let axes), .mean(let axes), .variance(let axes):
      return reduction(MathText(operation.symbol), axes, x[0], shapes[0])
    case .squaredNorm(let axes):
      if axes.isEmpty { return DrawnFormula(x[0].within(.atom) + MathText("2", .upper), .power) }
      return DrawnFormula("‖" + x[0].text + "‖" + MathText("2", .upper))
    case .reshape(let shape) where shapes[0].isSame(butForUnitAxesAs: shape): return x[0]
    case .reshape: return x[0].isNumber ? x[0] : function("reshape", x[0])
    case .broadcast: return x[0].isNumber ? x[0] : function("repeat", x[0])
    case .softmaxCrossEntropy:
      return DrawnFormula("−log softmax(" + x[0].text + ")[" + x[1].text + "]", .sum)
    case .softmaxCrossEntropyGradient:
      let difference = "softmax(" + x[1].text + ") − one-hot(" + x[2].text + ")"
      // The gradient of a sum of rows begins with ones.
      if x[0].text == "1" { return DrawnFormula(difference, .sum) }
      return DrawnFormula(x[0].within(.product) + " ⊙ (" + difference + ")", .product)
    case .meanSquaredError:
      return DrawnFormula(
        "mean(" + x[0].text + " − " + x[1].within(.product) + ")" + MathText("2", .upper), .power)
    // Everything else is a function by its name.
    default: return call(MathText(operation.symbol), x)
    }
  }

  private static func call(_ name: MathText, _ x: [DrawnFormula]) -> DrawnFormula {
    var text = name + "(" + x[0].text
    for operand in x.dropFirst() { text = text + ", " + operand.text }
    return DrawnFormula(text + ")")
  }

  private static func number(_ value: Double) -> DrawnFormula {
    var result = DrawnFormula(MathText(numberText(value)), value < 0 ? .sum : .atom)
    result.isNumber = true
    return result
  }

  private static func scaled(_ factor: Factor, _ x: DrawnFormula) -> DrawnFormula {
    if factor.batchPower == 0, x.isNumber, x.text == "1" { return number(factor.value) }
    switch (factor.value, factor.batchPower) {
    case (-1, 0): return DrawnFormula("−" + x.within(.product), .sum)
    case (_, 0):
      return DrawnFormula(
        MathText(numberText(factor.value)) + " · " + x.within(.product),
        factor.value < 0 ? .sum : .product)
    case (1, -1): return DrawnFormula(x.within(.product) + " / batch", .product)
    default:
      let number = factor.description.replacing(".0·", with: "·").replacing(".0/", with: "/")
      return DrawnFormula(MathText(number) + " · " + x.within(.product), .product)
    }
  }
}

// An expression after parsing: instructions for a machine with a stack, so that nothing recurs.
import Graphs

/// One step of the evaluation of an expression.
struct Instruction {
  enum Kind {
    case number(Double)
    case symbol(String)
    case list([ListItem])
    case binary(BinaryOperator)
    case negate
    case transpose
    case norm
    case absoluteValue
    case index
    case call(String, argumentCount: Int)
    /// Names the top of the stack and takes it away.
    case bind(String)
    /// Keeps the top of the stack as a result and takes it away.
    case output
  }
  let kind: Kind
  /// The position that an error points to.
  let offset: Int
}

/// The operators between two operands.
enum BinaryOperator: String {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case elementwiseMultiply = ".*"
  case elementwiseDivide = "./"
  case power = "^"
  case elementwisePower = ".^"

  /// The strength of the binding; a minus sign before an operand has ``negationPrecedence``.
  var precedence: Int {
    switch self {
    case .add, .subtract: 1
    case .multiply, .divide, .elementwiseMultiply, .elementwiseDivide: 3
    case .power, .elementwisePower: 5
    }
  }

  /// A minus sign before a product is of the product: `−x'*θ` is `−(x'*θ)`.
  static let negationPrecedence = 2
  /// A minus sign after an operator is of the next factor: `a*−b*c` is `(a*(−b))*c`.
  static let factorNegationPrecedence = 4

  /// A sum without parentheses is of a product: `Σ x.*y + z` is `(Σ(x.*y)) + z`.
  static let sumPrecedence = 2

  var isRightAssociative: Bool { precedence == 5 }
}

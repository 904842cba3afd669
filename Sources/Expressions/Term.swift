// Expressions put together in Swift, with its operators.
public import Graphs

/// A part of an expression that has no graph yet: symbols, numbers, and what is made of them.
///
/// ```swift
/// let x = Term("x", [.batch, 3])
/// let W = Term("W", [2, 3])
/// let b = Term("b", [2])
/// let loss = try Formula(norm(W * x + b).squared)
/// let gradient = try loss.gradient(withRespectTo: ["W", "b"])
/// ```
///
/// Operators mean what they mean in expressions: `*` is the product of linear algebra. Shapes are
/// looked at when a ``Formula`` is made.
///
/// - Complexity: each operation copies its operands: O(instructions).
public struct Term: Sendable {
  let code: [Instruction]
  let shapes: [String: SymbolicShape]

  /// A symbol.
  ///
  /// - Parameters:
  ///   - name: Its name; the same name is the same symbol and has one shape.
  ///   - shape: Its shape, a first extent ``Graphs/Extent/batch`` for one value per row.
  public init(_ name: String, _ shape: SymbolicShape = []) {
    let name = Names.canonical(name)
    code = [Instruction(kind: .symbol(name), offset: 0)]
    shapes = [name: shape]
  }

  private init(_ parts: [Term], _ kind: Instruction.Kind) {
    code = parts.flatMap(\.code) + [Instruction(kind: kind, offset: 0)]
    shapes = parts.reduce(into: [:]) { $0.merge($1.shapes) { a, _ in a } }
  }

  private init(number: Double) {
    code = [Instruction(kind: .number(number), offset: 0)]
    shapes = [:]
  }

  fileprivate static func binary(_ operation: BinaryOperator, _ a: Term, _ b: Term) -> Term {
    Term([a, b], .binary(operation))
  }

  fileprivate static func call(_ name: String, _ arguments: Term...) -> Term {
    Term(arguments, .call(name, argumentCount: arguments.count))
  }

  /// The transpose.
  public var transposed: Term { Term([self], .transpose) }

  /// The square; of a norm, the sum of squares.
  public var squared: Term { .binary(.power, self, 2) }

  /// The row of a table that each label of a symbol names.
  public subscript(labels: Term) -> Term { Term([self, labels], .index) }

  /// `a + b`.
  public static func + (a: Term, b: Term) -> Term { .binary(.add, a, b) }
  /// `a − b`.
  public static func - (a: Term, b: Term) -> Term { .binary(.subtract, a, b) }
  /// The product of linear algebra.
  public static func * (a: Term, b: Term) -> Term { .binary(.multiply, a, b) }
  /// The quotient by a scalar.
  public static func / (a: Term, b: Term) -> Term { .binary(.divide, a, b) }
  /// The product element by element.
  public static func .* (a: Term, b: Term) -> Term { .binary(.elementwiseMultiply, a, b) }
  /// The quotient element by element.
  public static func ./ (a: Term, b: Term) -> Term { .binary(.elementwiseDivide, a, b) }
  /// `−a`.
  public static prefix func - (a: Term) -> Term { Term([a], .negate) }
}

/// The product element by element.
infix operator .* : MultiplicationPrecedence
/// The quotient element by element.
infix operator ./ : MultiplicationPrecedence

extension Term: ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
  /// A number.
  public init(floatLiteral value: Double) { self.init(number: value) }
  /// A number.
  public init(integerLiteral value: Int) { self.init(number: Double(value)) }
}

extension Formula {
  /// Makes the graph of a term.
  ///
  /// - Parameters:
  ///   - term: The term.
  ///   - parameters: The parameters; without it they are told by their names.
  /// - Throws: ``ExpressionError`` without a text if shapes do not go together.
  public init(_ term: Term, parameters: Set<String>? = nil) throws(ExpressionError) {
    let output = [Instruction(kind: .output, offset: 0)]
    try self.init(
      code: term.code + output, Declarations(shapes: term.shapes, parameters: parameters)
    ) { fault, _ in
      ExpressionError(fault.message, details: fault.details)
    }
  }
}

/// The norm `‖x‖`: the root of the sum of squares.
public func norm(_ x: Term) -> Term { .call("norm", x) }
/// `e^x`, element by element.
public func exp(_ x: Term) -> Term { .call("exp", x) }
/// The natural logarithm, element by element.
public func log(_ x: Term) -> Term { .call("log", x) }
/// `√x`, element by element.
public func sqrt(_ x: Term) -> Term { .call("sqrt", x) }
/// `|x|`, element by element.
public func abs(_ x: Term) -> Term { .call("abs", x) }
/// `1 / (1 + e^−x)`, element by element.
public func sigmoid(_ x: Term) -> Term { .call("sigmoid", x) }
/// The hyperbolic tangent, element by element.
public func tanh(_ x: Term) -> Term { .call("tanh", x) }
/// `max(x, 0)`, element by element.
public func relu(_ x: Term) -> Term { .call("relu", x) }
/// The larger of two, element by element.
public func max(_ a: Term, _ b: Term) -> Term { .call("max", a, b) }
/// `e^xᵢ / Σⱼ e^xⱼ`, along the last axis.
public func softmax(_ x: Term) -> Term { .call("softmax", x) }
/// `log Σⱼ e^xⱼ`, along the last axis.
public func logSumExp(_ x: Term) -> Term { .call("logsumexp", x) }
/// The sum of all elements of a row of the batch.
public func sum(_ x: Term) -> Term { .call("sum", x) }
/// The mean of all elements of a row of the batch.
public func mean(_ x: Term) -> Term { .call("mean", x) }
/// `log Σ e^z − z_label`, in nats.
public func crossEntropy(_ logits: Term, labels: Term) -> Term {
  .call("cross_entropy", logits, labels)
}

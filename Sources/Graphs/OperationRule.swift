// The form of a rule: all that graphs know of one operation.
import Tensors

/// All that graphs know of one operation; what computes it fast is not known here.
protocol OperationRule {
  /// The name, the operands and the attributes of the operation in text.
  static var signature: OperationSignature { get }
  /// The signatures of an operation that text gives several names.
  static var signatures: [OperationSignature] { get }
  /// The number of operands.
  var inputCount: Int { get }
  /// The name in text.
  var name: String { get }
  /// The attributes behind the operands in text; of a leaf, those before its shape.
  var attributes: [Attribute] { get }
  /// The name in messages.
  var label: String { get }
  /// The name in pictures.
  var symbol: String { get }
  /// Returns true if operand `index` holds class numbers, which have no derivative.
  func takesLabels(operand index: Int) -> Bool
  /// Returns the shape of the value from the shapes of the operands.
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape
  /// Adds the nodes of the vector–Jacobian product and returns one for each operand that is wanted.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?]
  /// Adds the nodes of the Jacobian–vector product, from which nothing of the vjp is used; nil for zero.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node?
  /// Indicates that a value without rows, of operands with rows, is a sum of one term per row.
  var sumsRows: Bool { get }
  /// Returns true if row i of the value depends on row i of operands, each of which has rows first or none.
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool
  /// Computes the value in double precision.
  ///
  /// - Parameters:
  ///   - inputs: The values of the operands.
  ///   - shape: The shape of the value.
  ///   - batch: The rows computed at once.
  /// - Returns: A tensor of that shape.
  /// - Throws: ``GraphError/label(_:row:found:classes:)`` without the name.
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor
}

extension OperationRule {
  static var signatures: [OperationSignature] { [signature] }
  var inputCount: Int { Self.signature.operandCount }
  var name: String { Self.signature.name }
  var attributes: [Attribute] { [] }
  var label: String { name.replacing("_", with: " ") }
  var symbol: String { label }
  var sumsRows: Bool { false }
  func takesLabels(operand index: Int) -> Bool { index == Self.signature.labelOperand }

  /// Returns true if operands that are lined up at the last axis meet row by row.
  func areLinedUp(_ operands: [SymbolicShape], with result: SymbolicShape) -> Bool {
    operands.allSatisfy { $0.isFixed || $0.axisCount == result.axisCount }
  }
}

/// An operation whose slopes jump somewhere, or which jumps itself.
protocol KinkedRule: OperationRule {
  /// Returns true if an element of the operands is on another side of a kink than before.
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool
}

/// Returns true if some number is above, at or below a limit, and its counterpart is not.
func areOnOtherSides(_ before: [Double], _ after: [Double], of limit: Double) -> Bool {
  func side(_ x: Double) -> Int { x > limit ? 1 : x < limit ? -1 : 0 }
  return zip(before, after).contains { side($0) != side($1) }
}

/// The arguments of a vjp rule.
struct VJPCall {
  /// The node that is differentiated.
  let node: Graph.Node
  /// Its operands.
  let inputs: [Graph.Node]
  /// The derivative of the result with respect to its value; of the same shape.
  let cotangent: Graph.Node
  /// For each operand, true if its result is used.
  let isWanted: [Bool]
}

/// The arguments of a jvp rule.
struct JVPCall {
  /// The node that moves.
  let node: Graph.Node
  /// The operation of the node.
  let operation: Graph.Operation
  /// Its operands.
  let inputs: [Graph.Node]
  /// The tangents of the operands; nil for those that do not move.
  let tangents: [Graph.Node?]

  /// The tangent of the first operand.
  var tangent: Graph.Node? { tangents[0] }
}

extension Graph.Operation {
  /// The name of the operation in messages.
  public var label: String { rule.label }

  /// The number of operands that the operation takes.
  public var operandCount: Int { rule.inputCount }

  /// The name of the operation in text, such as `log_softmax`.
  package var name: String { rule.name }

  /// The attributes of the operation in text; of a leaf, those before its shape.
  package var attributes: [Attribute] { rule.attributes }

  /// The name of the operation in pictures, such as `σ`.
  package var symbol: String { rule.symbol }

  /// Indicates that element i of the value depends only on elements i of equally large operands.
  package var isElementwise: Bool { rule is any ElementwiseRule }

  /// Indicates the gradient of an activation, of a cotangent and the activation's output.
  package var isActivationGradient: Bool { rule is any ActivationGradientRule }

  /// Indicates that the elements of the value are elements of operands, or zeros.
  package var onlyMovesElements: Bool { rule is any MovingRule }

  /// Indicates that a value without rows, of operands with rows, is a sum of one term per row.
  package var sumsRows: Bool { rule.sumsRows }

  /// Returns true if row i of the value depends on row i of operands, each of which has rows first or none.
  package func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    rule.keepsRowsApart(operands, result)
  }
}

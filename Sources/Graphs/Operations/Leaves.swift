// Leaves: values that are given, not computed.
import Tensors

/// A value that is given to a run or stands in the graph.
protocol LeafRule: OperationRule {}

extension LeafRule {
  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    preconditionFailure("the shape of a leaf is given, not derived")
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] { [] }
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? { nil }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool { true }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    preconditionFailure("the value of a leaf is given, not computed")
  }
}

struct DataRule: LeafRule {
  static let signature = OperationSignature(leaf: "data")
}

struct LabelsRule: LeafRule {
  static let signature = OperationSignature(leaf: "labels")
}

struct ParameterRule: LeafRule {
  static let signature = OperationSignature(leaf: "parameter")
}

struct ConstantRule: LeafRule {
  let values: [Double]
  static let signature = OperationSignature(leaf: "constant")
  var attributes: [Attribute] { [.list(values.map(ListItem.number))] }

  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    Tensor(shape: shape, values: values)
  }
}

struct FillRule: LeafRule {
  let value: Double
  static let signature = OperationSignature(leaf: "fill")
  var attributes: [Attribute] { [.number(value)] }

  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    Tensor(shape: shape, repeating: value)
  }
}

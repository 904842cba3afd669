// Leaves: values that are given, not computed.
import Tensors

struct LeafRule: OperationRule {
  let label: String
  var inputCount: Int { 0 }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    preconditionFailure("the shape of a leaf is given, not derived")
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] { [] }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    preconditionFailure("the value of a leaf is given, not computed")
  }
}

struct ConstantRule: OperationRule {
  let values: [Double]
  var label: String { "constant" }
  var inputCount: Int { 0 }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    preconditionFailure("the shape of a leaf is given, not derived")
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] { [] }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    Tensor(shape: shape, values: values)
  }
}

struct FillRule: OperationRule {
  let value: Double
  var label: String { "fill" }
  var inputCount: Int { 0 }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    preconditionFailure("the shape of a leaf is given, not derived")
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] { [] }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    Tensor(shape: shape, repeating: value)
  }
}

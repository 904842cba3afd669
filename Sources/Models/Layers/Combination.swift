// Layers that make one value of several inputs.
public import Configuration
public import Graphs
import Tensors

extension Layer {
  /// Two or more inputs made one.
  public enum Combination: LayerKind {
    /// The sum; axes of length 1 are repeated.
    case sum
    /// The product, element by element; axes of length 1 are repeated.
    case product
    /// The inputs one after the other along an axis of a row.
    case concatenation(axis: Int)

    /// The name in configurations.
    public var configurationName: String {
      switch self {
      case .sum: "add"
      case .product: "multiply"
      case .concatenation: "concatenate"
      }
    }

    /// True.
    public var takesSeveralInputs: Bool { true }

    /// Adds the sum, product or concatenation.
    public func output(
      of inputs: [Graph.Node], in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      switch self {
      case .sum, .product:
        try requireSameShapes(inputs, in: builder)
        let operation: Graph.Operation = self == .sum ? .add : .multiply
        return try inputs.dropFirst().reduce(inputs[0]) {
          try builder.graph.add(operation, [$0, $1])
        }
      case .concatenation(let axis):
        _ = try builder.extent(of: inputs[0], axis: axis)
        let shapes = inputs.map { builder.graph.shape(of: $0) }
        for shape in shapes
        where shape.flattening(axes: [axis + 1]) != shapes[0].flattening(axes: [axis + 1]) {
          throw builder.fault(
            found: "inputs of shapes \(builder.rowShapes(of: inputs))",
            expected: "the same but for axis \(axis)")
        }
        return try concatenated(inputs[...], axis: axis + 1, in: &builder)
      }
    }

    /// Concatenates halves of the inputs, so that an element is copied once per doubling of their number.
    private func concatenated(
      _ inputs: ArraySlice<Graph.Node>, axis: Int, in builder: inout LayerBuilder
    ) throws -> Graph.Node {
      guard inputs.count > 1 else { return inputs[inputs.startIndex] }
      let middle = inputs.startIndex + inputs.count / 2
      let first = try concatenated(inputs[..<middle], axis: axis, in: &builder)
      let second = try concatenated(inputs[middle...], axis: axis, in: &builder)
      return try builder.graph.add(.concatenate(axis: axis), [first, second])
    }

    /// Refuses inputs of other shapes; an axis of length 1 goes with any length.
    private func requireSameShapes(
      _ inputs: [Graph.Node], in builder: LayerBuilder
    ) throws(ModelError) {
      let shapes = inputs.map { builder.graph.shape(of: $0) }
      let isSame = shapes.allSatisfy { shape in
        shapes.allSatisfy { other in
          shape.axisCount == other.axisCount
            && zip(shape.extents, other.extents).allSatisfy { $0 == $1 || $0 == 1 || $1 == 1 }
        }
      }
      guard isSame else {
        throw builder.fault(
          found: "inputs of shapes \(builder.rowShapes(of: inputs))",
          expected: "the same, but for axes of length 1")
      }
    }
  }
}

extension LayerKind where Self == Layer.Combination {
  /// The sum of two or more inputs.
  public static var add: Self { .sum }
  /// The product of two or more inputs, element by element.
  public static var multiply: Self { .product }
  /// Describes two or more inputs one after the other along an axis of a row.
  public static func concatenate(axis: Int = 0) -> Self { .concatenation(axis: axis) }
}

extension Layer.Combination: ConfigurableLayerKind {
  /// The names, and the axis of `concatenate`.
  public static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative("add", meaning: "sum of the layers in 'from'") {
        (_) throws(ConfigurationError) in Layer.Combination.sum
      },
      Alternative("multiply", meaning: "product of the layers in 'from', element by element") {
        (_) throws(ConfigurationError) in Layer.Combination.product
      },
      Alternative(
        "concatenate", primary: "axis", meaning: "the layers in 'from' one after the other"
      ) { (section) throws(ConfigurationError) in
        Layer.Combination.concatenation(axis: try section.rowAxis())
      },
    ]
  }
}

extension LayerBuilder {
  /// Returns the shapes of one row of the inputs, separated by commas.
  fileprivate func rowShapes(of inputs: [Graph.Node]) -> String {
    inputs.map { rowShape(of: $0).description }.joined(separator: ", ")
  }
}

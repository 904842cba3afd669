// Layers of several inputs, and layers that take or add a part of an axis: the nodes they add.
import Graphs
import Tensors

extension LayerBuilder {
  /// Adds a sum, product or concatenation of two or more inputs.
  mutating func combination(
    _ inputs: [Graph.Node], name: String, _ kind: Layer.Kind
  ) throws -> Graph.Node {
    guard case .concatenate(let axis) = kind else {
      try requireSameShapes(inputs, name: name)
      let operation: Graph.Operation = kind == .add ? .add : .multiply
      return try inputs.dropFirst().reduce(inputs[0]) { try graph.add(operation, [$0, $1]) }
    }
    let shapes = inputs.map { graph.shape(of: $0) }
    guard axis >= 0, axis + 1 < shapes[0].axisCount else {
      throw ModelError.layer(
        name, found: "axis \(axis) of an input of shape \(row(shapes[0]))",
        expected: "one of its axes")
    }
    for shape in shapes
    where shape.flattening(axes: [axis + 1]) != shapes[0].flattening(axes: [axis + 1]) {
      throw ModelError.layer(
        name, found: "inputs of shapes \(shapes.map { row($0) }.list)",
        expected: "the same but for axis \(axis)")
    }
    return try concatenated(inputs[...], axis: axis + 1)
  }

  /// Concatenates halves of the inputs, so that an element is copied once per doubling of their number.
  private mutating func concatenated(
    _ inputs: ArraySlice<Graph.Node>, axis: Int
  ) throws -> Graph.Node {
    guard inputs.count > 1 else { return inputs[inputs.startIndex] }
    let middle = inputs.startIndex + inputs.count / 2
    let first = try concatenated(inputs[..<middle], axis: axis)
    let second = try concatenated(inputs[middle...], axis: axis)
    return try graph.add(.concatenate(axis: axis), [first, second])
  }

  /// Refuses inputs of other shapes; an axis of length 1 goes with any length.
  private func requireSameShapes(_ inputs: [Graph.Node], name: String) throws(ModelError) {
    let shapes = inputs.map { graph.shape(of: $0) }
    let isSame = shapes.allSatisfy { shape in
      shapes.allSatisfy { other in
        shape.axisCount == other.axisCount
          && zip(shape.extents, other.extents).allSatisfy { $0 == $1 || $0 == 1 || $1 == 1 }
      }
    }
    guard isSame else {
      throw .layer(
        name, found: "inputs of shapes \(shapes.map { row($0) }.list)",
        expected: "the same, but for axes of length 1")
    }
  }

  /// Adds elements `start ..< end` of an axis of a row.
  mutating func slice(
    _ input: Graph.Node, name: String, axis: Int, start: Int, end: Int?
  ) throws -> Graph.Node {
    let extent = try extent(of: input, axis: axis, name: name)
    let end = end ?? extent
    guard 0 <= start, start < end, end <= extent else {
      throw ModelError.layer(
        name, found: "elements \(start) ..< \(end) of axis \(axis)",
        expected: "some of 0 ..< \(extent)")
    }
    return try graph.add(.slice(axis: axis + 1, start: start, end: end), [input])
  }

  /// Adds zeros before and after the elements of an axis of a row.
  mutating func pad(
    _ input: Graph.Node, name: String, axis: Int, before: Int, after: Int
  ) throws -> Graph.Node {
    _ = try extent(of: input, axis: axis, name: name)
    guard before >= 0, after >= 0, before + after > 0 else {
      throw ModelError.layer(
        name, found: "\(before) zeros before and \(after) after", expected: "some")
    }
    return try graph.add(.pad(axis: axis + 1, before: before, after: after), [input])
  }

  /// The length of an axis of a row.
  private func extent(of input: Graph.Node, axis: Int, name: String) throws(ModelError) -> Int {
    let shape = graph.shape(of: input)
    guard axis >= 0, axis + 1 < shape.axisCount, case .fixed(let extent) = shape[axis + 1] else {
      throw .layer(
        name, found: "axis \(axis) of an input of shape \(row(shape))",
        expected: "one of its axes")
    }
    return extent
  }

  /// The shape of one row.
  private func row(_ shape: SymbolicShape) -> Shape {
    shape.removing(axes: [0]).resolved(batch: 1)
  }
}

extension [Shape] {
  /// The shapes, separated by commas.
  fileprivate var list: String { map(\.description).joined(separator: ", ") }
}

// Elements in another place: permuted axes, parts of an axis, and axes put together.
import Tensors

/// An operation whose elements are elements of its operands, or zeros.
protocol MovingRule: OperationRule {}

/// Axis i of the result is axis `order[i]` of the operand.
struct PermuteRule: MovingRule {
  let order: [Int]
  static let signature = OperationSignature(
    "permute", attributes: 1...1, "a list of axes such as [0, 2]"
  ) { $0.axes(0).map { .permute($0) } }
  var attributes: [Attribute] { [.axes(order)] }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard order.sorted() == Array(0..<inputs[0].axisCount) else {
      throw ShapeFault("found axes \(order), expected each of 0 ..< \(inputs[0].axisCount) once")
    }
    return SymbolicShape(order.map { inputs[0][$0] })
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let inverse = order.indices.sorted { order[$0] < order[$1] }
    return [try graph.add(.permute(inverse), [call.cotangent])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    order[0] == 0
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    var strides = Array(repeating: 1, count: order.count)
    for axis in stride(from: order.count - 2, through: 0, by: -1) {
      strides[axis] = strides[axis + 1] * inputs[0].shape[axis + 1]
    }
    var indices = [0]
    for axis in order.indices {
      indices = indices.flatMap { base in
        (0..<shape[axis]).map { base + $0 * strides[order[axis]] }
      }
    }
    return Tensor(shape: shape, values: indices.map { inputs[0].values[$0] })
  }
}

extension SymbolicShape {
  /// The shape with one axis of another length.
  func replacing(axis: Int, by count: Int) -> SymbolicShape {
    SymbolicShape(extents.indices.map { $0 == axis ? .fixed(count) : extents[$0] })
  }

  /// The length of an axis that is the same for every batch.
  func fixedExtent(axis: Int) throws(ShapeFault) -> Int {
    guard extents.indices.contains(axis), case .fixed(let count) = extents[axis] else {
      throw ShapeFault("found shape \(self), expected an axis \(axis) that is not the batch")
    }
    return count
  }
}

extension Shape {
  /// The numbers of elements of the axes before and after one.
  fileprivate func counts(around axis: Int) -> (outer: Int, inner: Int) {
    (extents[..<axis].reduce(1, *), extents[(axis + 1)...].reduce(1, *))
  }
}

/// Elements `start ..< end` of an axis.
struct SliceRule: MovingRule {
  let axis: Int
  let start: Int
  let end: Int
  static let signature = OperationSignature(
    "slice", attributes: 1...1, "an axis, a start and an end, such as [1, 0, 3]"
  ) {
    guard let n = $0.axes(0), n.count == 3 else { return nil }
    return .slice(axis: n[0], start: n[1], end: n[2])
  }
  var attributes: [Attribute] { [.axes([axis, start, end])] }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let extent = try inputs[0].fixedExtent(axis: axis)
    guard 0 <= start, start <= end, end <= extent else {
      throw ShapeFault("found elements \(start) ..< \(end), expected some of 0 ..< \(extent)")
    }
    return inputs[0].replacing(axis: axis, by: end - start)
  }
  /// The cotangent between zeros.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let extent = graph.shape(of: call.inputs[0]).resolved(batch: 1)[axis]
    return [try graph.add(.pad(axis: axis, before: start, after: extent - end), [call.cotangent])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    axis != 0
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (outer, inner) = shape.counts(around: axis)
    let extent = inputs[0].shape[axis]
    var values: [Double] = []
    for i in 0..<outer {
      values += inputs[0].values[(i * extent + start) * inner..<(i * extent + end) * inner]
    }
    return Tensor(shape: shape, values: values)
  }
}

/// Zeros before and after the elements of an axis.
struct PadRule: MovingRule {
  let axis: Int
  let before: Int
  let after: Int
  static let signature = OperationSignature(
    "pad", attributes: 1...1, "an axis and the zeros before and after, such as [1, 0, 3]"
  ) {
    guard let n = $0.axes(0), n.count == 3, n.allSatisfy({ $0 <= 1 << 20 }) else { return nil }
    return .pad(axis: n[0], before: n[1], after: n[2])
  }
  var attributes: [Attribute] { [.axes([axis, before, after])] }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let extent = try inputs[0].fixedExtent(axis: axis)
    guard before >= 0, after >= 0 else {
      throw ShapeFault("found padding \(before) and \(after), expected 0 or more")
    }
    return inputs[0].replacing(axis: axis, by: before + extent + after)
  }
  /// The part of the cotangent that is not padding.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let extent = graph.shape(of: call.inputs[0]).resolved(batch: 1)[axis]
    return [
      try graph.add(.slice(axis: axis, start: before, end: before + extent), [call.cotangent])
    ]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    axis != 0
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (outer, inner) = shape.counts(around: axis)
    let length = inputs[0].shape[axis] * inner
    var values: [Double] = []
    for i in 0..<outer {
      values += Array(repeating: 0, count: before * inner)
      values += inputs[0].values[i * length..<(i + 1) * length]
      values += Array(repeating: 0, count: after * inner)
    }
    return Tensor(shape: shape, values: values)
  }
}

/// The elements of two operands one after the other along an axis.
struct ConcatenateRule: MovingRule {
  let axis: Int
  static let signature = OperationSignature(
    "concatenate", operands: 2, attributes: 1...1, "an axis, such as [1]"
  ) {
    guard let n = $0.axes(0), n.count == 1 else { return nil }
    return .concatenate(axis: n[0])
  }
  var attributes: [Attribute] { [.axes([axis])] }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let (a, b) = (try inputs[0].fixedExtent(axis: axis), try inputs[1].fixedExtent(axis: axis))
    guard inputs[0].replacing(axis: axis, by: b) == inputs[1] else {
      throw ShapeFault(
        "found shapes \(inputs[0]) and \(inputs[1]), expected the same but for axis \(axis)")
    }
    return inputs[0].replacing(axis: axis, by: a + b)
  }
  /// The two parts of the cotangent.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let extents = call.inputs.map { graph.shape(of: $0).resolved(batch: 1)[axis] }
    var results: [Graph.Node?] = [nil, nil]
    for (index, start) in [(0, 0), (1, extents[0])] where call.isWanted[index] {
      results[index] = try graph.add(
        .slice(axis: axis, start: start, end: start + extents[index]), [call.cotangent])
    }
    return results
  }
  /// The tangents, with zeros for an operand that does not move.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    let parts = zip(call.tangents, call.inputs).map {
      $0 ?? graph.fill(0, shape: graph.shape(of: $1))
    }
    return try graph.add(.concatenate(axis: axis), parts)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    axis != 0
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let (outer, inner) = shape.counts(around: axis)
    var values: [Double] = []
    for i in 0..<outer {
      for input in inputs {
        let length = input.shape[axis] * inner
        values += input.values[i * length..<(i + 1) * length]
      }
    }
    return Tensor(shape: shape, values: values)
  }
}

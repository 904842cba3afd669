// Elements in another place: permuted axes, parts of an axis, and axes put together.
import Tensors

/// Axis i of the result is axis `order[i]` of the operand.
struct PermuteRule: OperationRule {
  let order: [Int]
  var label: String { "permute" }
  var inputCount: Int { 1 }

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
struct SliceRule: OperationRule {
  let axis: Int
  let start: Int
  let end: Int
  var label: String { "slice" }
  var inputCount: Int { 1 }

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
struct PadRule: OperationRule {
  let axis: Int
  let before: Int
  let after: Int
  var label: String { "pad" }
  var inputCount: Int { 1 }

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
struct ConcatenateRule: OperationRule {
  let axis: Int
  var label: String { "concatenate" }
  var inputCount: Int { 2 }

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

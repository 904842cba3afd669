// Pooling, and the gathering and scattering it is differentiated into.
import Tensors

/// The common part of the operations on a window over each channel.
protocol PoolingRuleBase: OperationRule {
  var pooling: Pooling { get }
}

extension PoolingRuleBase {
  /// The shape of the pooled images.
  func pooledShape(_ shape: SymbolicShape) throws(ShapeFault) -> SymbolicShape {
    let x = try ImageShape(
      shape, axisCount: pooling.window.axes.count, isChannelsLast: pooling.isChannelsLast)
    guard let positions = pooling.window.positions(over: x.spatial) else {
      throw ShapeFault(
        "found images of \(x.spatial), expected room for a window of "
          + "\(pooling.window.axes.map(\.span))")
    }
    return x.shape(
      channels: x.channels, spatial: positions, isChannelsLast: pooling.isChannelsLast)
  }

  /// Calls `body` with the indices of an element and of a position that covers it, position by position.
  func forEachPair(
    input: Shape, output: Shape, _ body: (_ x: Int, _ y: Int) -> Void
  ) {
    let isLast = pooling.isChannelsLast
    let (x, y) = (imageExtents(input, isLast), imageExtents(output, isLast))
    let loops = WindowLoops(pooling.window, input: x.spatial, output: y.spatial)
    let xs = ImageStrides(channels: x.channels, spatial: x.spatial, isChannelsLast: isLast)
    let ys = ImageStrides(channels: y.channels, spatial: y.spatial, isChannelsLast: isLast)
    for n in 0..<input[0] {
      for c in 0..<x.channels {
        let (xBase, yBase) = (n * xs.image + c * xs.channel, n * ys.image + c * ys.channel)
        loops.forEach { p, q, i, j, _ in
          body(xBase + i * xs.row + j * xs.column, yBase + p * ys.row + q * ys.column)
        }
      }
    }
  }

  /// For each position, the element that is its maximum, the first of equals; −1 where all is padding.
  func places(ofMaximaIn x: Tensor, output: Shape) -> [Int] {
    var places = Array(repeating: -1, count: output.count)
    forEachPair(input: x.shape, output: output) { i, p in
      if places[p] < 0 || x.values[i] > x.values[places[p]] { places[p] = i }
    }
    return places
  }
}

extension PoolingRuleBase {
  /// Returns true if maxima of images lie elsewhere than those of others.
  fileprivate func maximaMove(from before: Tensor, to after: Tensor) -> Bool {
    guard before != after,
      let shape = try? pooledShape(SymbolicShape(before.shape)).resolved(batch: 1)
    else { return false }
    return places(ofMaximaIn: before, output: shape) != places(ofMaximaIn: after, output: shape)
  }
}

/// The maximum of what the window covers; padding does not count.
struct MaxPoolRule: PoolingRuleBase, KinkedRule {
  let pooling: Pooling
  static let signature = OperationSignature(
    "max_pool", operands: 1, attributes: 6...6, Window.expectation
  ) { $0.pooling.map { .maxPool($0) } }
  var attributes: [Attribute] { pooling.attributes }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    for axis in pooling.window.axes where max(axis.padding.before, axis.padding.after) >= axis.span
    {
      throw ShapeFault(
        "found padding \(axis.padding), expected less than the window's \(axis.span)")
    }
    return try pooledShape(inputs[0])
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.maxPoolGradient(pooling), [call.cotangent, call.inputs[0]])]
  }
  /// The tangents where the maxima are: their places do not move.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try call.tangent.map { (t) throws(GraphError) in
      try graph.add(.maxPoolSelection(pooling), [t, call.inputs[0]])
    }
  }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    maximaMove(from: before[0], to: after[0])
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let places = places(ofMaximaIn: inputs[0], output: shape)
    return Tensor(
      shape: shape, values: places.map { $0 < 0 ? -.infinity : inputs[0].values[$0] })
  }
}

/// From a cotangent of the maxima and x to the cotangent of x: added where the maxima are.
struct MaxPoolGradientRule: PoolingRuleBase, KinkedRule {
  let pooling: Pooling
  static let signature = OperationSignature(
    "max_pool_gradient", operands: 2, attributes: 6...6, Window.expectation
  ) { $0.pooling.map { .maxPoolGradient($0) } }
  var attributes: [Attribute] { pooling.attributes }
  var symbol: String { "max pool′" }
  var label: String { "max pool'" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let pooled = try pooledShape(inputs[1])
    guard inputs[0] == pooled else {
      throw ShapeFault("cotangent has shape \(inputs[0]) but maxima have \(pooled)")
    }
    return inputs[1]
  }
  /// Linear in the cotangent; the places do not move.
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    guard call.isWanted[0] else { return [nil, nil] }
    return [try graph.add(.maxPoolSelection(pooling), [call.cotangent, call.inputs[1]]), nil]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    maximaMove(from: before[1], to: after[1])
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    var values = Array(repeating: 0.0, count: shape.count)
    let places = places(ofMaximaIn: inputs[1], output: inputs[0].shape)
    for (position, cotangent) in zip(places, inputs[0].values) where position >= 0 {
      values[position] += cotangent
    }
    return Tensor(shape: shape, values: values)
  }
}

/// From v and x, of one shape, to the elements of v where the maxima of x are.
struct MaxPoolSelectionRule: PoolingRuleBase, KinkedRule {
  let pooling: Pooling
  static let signature = OperationSignature(
    "max_pool_selection", operands: 2, attributes: 6...6, Window.expectation
  ) { $0.pooling.map { .maxPoolSelection($0) } }
  var attributes: [Attribute] { pooling.attributes }
  var label: String { "at maxima" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    guard inputs[0] == inputs[1] else {
      throw ShapeFault("found shapes \(inputs[0]) and \(inputs[1]), expected the same")
    }
    return try pooledShape(inputs[1])
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    guard call.isWanted[0] else { return [nil, nil] }
    return [try graph.add(.maxPoolGradient(pooling), [call.cotangent, call.inputs[1]]), nil]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func crossesKink(from before: [Tensor], to after: [Tensor]) -> Bool {
    maximaMove(from: before[1], to: after[1])
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let places = places(ofMaximaIn: inputs[1], output: shape)
    return Tensor(shape: shape, values: places.map { $0 < 0 ? 0 : inputs[0].values[$0] })
  }
}

/// The mean over the window; padding counts as zeros.
struct AveragePoolRule: PoolingRuleBase {
  let pooling: Pooling
  static let signature = OperationSignature(
    "average_pool", operands: 1, attributes: 6...6, Window.expectation
  ) { $0.pooling.map { .averagePool($0) } }
  var attributes: [Attribute] { pooling.attributes }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    try pooledShape(inputs[0])
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let shape = graph.shape(of: call.inputs[0]).resolved(batch: 1)
    let extents = imageExtents(shape, pooling.isChannelsLast).spatial
    return [try graph.add(.averagePoolGradient(pooling, extents: extents), [call.cotangent])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    var values = Array(repeating: 0.0, count: shape.count)
    forEachPair(input: inputs[0].shape, output: shape) { values[$1] += inputs[0].values[$0] }
    let factor = 1 / Double(pooling.kernelCount)
    return Tensor(shape: shape, values: values.map { $0 * factor })
  }
}

/// From a cotangent of the means to that of the images: each element gets its share of every mean.
struct AveragePoolGradientRule: PoolingRuleBase {
  let pooling: Pooling
  /// The spatial extents of the images.
  let extents: [Int]
  static let signature = OperationSignature(
    "average_pool_gradient", operands: 1, attributes: 7...7, Window.expectation
  ) {
    guard let pooling = $0.pooling, let extents = $0.integers(6) else { return nil }
    return .averagePoolGradient(pooling, extents: extents)
  }
  var attributes: [Attribute] { pooling.attributes + [.axes(extents)] }
  var symbol: String { "average pool′" }
  var label: String { "average pool'" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let y = try ImageShape(
      inputs[0], axisCount: pooling.window.axes.count, isChannelsLast: pooling.isChannelsLast)
    let shape = y.shape(
      channels: y.channels, spatial: extents, isChannelsLast: pooling.isChannelsLast)
    guard extents.count == y.spatial.count, try pooledShape(shape) == inputs[0] else {
      throw ShapeFault(
        "found images of \(y.spatial), expected the window's positions over \(extents)")
    }
    return shape
  }
  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    [try graph.add(.averagePool(pooling), [call.cotangent])]
  }
  /// Linear: the operation itself.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.linear(call)
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    true
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    var values = Array(repeating: 0.0, count: shape.count)
    forEachPair(input: shape, output: inputs[0].shape) { values[$0] += inputs[0].values[$1] }
    let factor = 1 / Double(pooling.kernelCount)
    return Tensor(shape: shape, values: values.map { $0 * factor })
  }
}

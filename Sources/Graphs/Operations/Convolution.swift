// Convolution and the two products it is differentiated into: three bilinear maps, each the vjp of the others.
import Tensors

/// The common part of the three maps.
///
/// With images x `[batch, C, ...]`, weights W `[O, C / groups, kernel...]` and
/// images y `[batch, O, ...]`, all of them sum x · W · y over the same triples of elements and leave out one.
protocol ConvolutionRuleBase: OperationRule {
  var convolution: Convolution { get }
}

extension ConvolutionRuleBase {
  /// Linear in each operand.
  func jvp(_ call: JVPCall, in graph: inout Graph) throws(GraphError) -> Graph.Node? {
    try graph.sum(
      call.tangents[0].map { (t) throws(GraphError) in
        try graph.add(call.operation, [t, call.inputs[1]])
      },
      call.tangents[1].map { (t) throws(GraphError) in
        try graph.add(call.operation, [call.inputs[0], t])
      }, shape: graph.shape(of: call.node))
  }

  func images(_ shape: SymbolicShape) throws(ShapeFault) -> ImageShape {
    try ImageShape(
      shape, axisCount: convolution.window.axes.count, isChannelsLast: convolution.isChannelsLast)
  }

  /// The positions of the window over images of these extents.
  func positions(over spatial: [Int]) throws(ShapeFault) -> [Int] {
    guard let positions = convolution.window.positions(over: spatial) else {
      throw ShapeFault(
        "found images of \(spatial), expected room for a window of "
          + "\(convolution.window.axes.map(\.span))")
    }
    return positions
  }

  func requireWeights(
    _ shape: SymbolicShape, inputs: Int, outputs: Int
  ) throws(ShapeFault) {
    let wanted = weightShape(inputs: inputs, outputs: outputs)
    guard shape == wanted else {
      throw ShapeFault("found weights of shape \(shape), expected \(wanted)")
    }
  }

  func weightShape(inputs: Int, outputs: Int) -> SymbolicShape {
    SymbolicShape(
      [.fixed(outputs), .fixed(inputs / convolution.groups)]
        + convolution.window.axes.map { .fixed($0.kernel) })
  }

  func requireGroups(inputs: Int, outputs: Int) throws(ShapeFault) {
    guard inputs % convolution.groups == 0, outputs % convolution.groups == 0 else {
      throw ShapeFault(
        "found \(inputs) and \(outputs) channels, expected multiples of \(convolution.groups) groups"
      )
    }
  }

  /// Calls `body` with the indices of all triples (x, W, y) whose products are summed.
  func forEachTriple(
    batch: Int, input: [Int], inputs: Int, output: [Int], outputs: Int,
    _ body: (_ x: Int, _ w: Int, _ y: Int) -> Void
  ) {
    let loops = WindowLoops(convolution.window, input: input, output: output)
    let isLast = convolution.isChannelsLast
    let xs = ImageStrides(channels: inputs, spatial: input, isChannelsLast: isLast)
    let ys = ImageStrides(channels: outputs, spatial: output, isChannelsLast: isLast)
    let (inShare, outShare) = (inputs / convolution.groups, outputs / convolution.groups)
    for n in 0..<batch {
      for o in 0..<outputs {
        for c in 0..<inShare {
          let x = n * xs.image + (o / outShare * inShare + c) * xs.channel
          let w = (o * inShare + c) * loops.kernelCount
          let y = n * ys.image + o * ys.channel
          loops.forEach { p, q, i, j, k in
            body(x + i * xs.row + j * xs.column, w + k, y + p * ys.row + q * ys.column)
          }
        }
      }
    }
  }
}

struct ConvolutionRule: ConvolutionRuleBase {
  let convolution: Convolution
  static let signature = OperationSignature(
    "convolution", operands: 2, attributes: 7...7, Window.expectation
  ) { $0.convolution.map { .convolution($0) } }
  var attributes: [Attribute] { convolution.attributes }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let x = try images(inputs[0])
    guard inputs[1].axisCount > 0, case .fixed(let outputs) = inputs[1][0] else {
      throw ShapeFault("found weights of shape \(inputs[1]), expected [out, in, kernel...]")
    }
    try requireGroups(inputs: x.channels, outputs: outputs)
    try requireWeights(inputs[1], inputs: x.channels, outputs: outputs)
    return x.shape(
      channels: outputs, spatial: try positions(over: x.spatial),
      isChannelsLast: convolution.isChannelsLast)
  }

  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let (x, W) = (call.inputs[0], call.inputs[1])
    var results: [Graph.Node?] = [nil, nil]
    if call.isWanted[0] {
      let extents = graph.spatialExtents(of: x, convolution)
      results[0] = try graph.add(
        .convolutionInputGradient(convolution, extents: extents), [call.cotangent, W])
    }
    if call.isWanted[1] {
      results[1] = try graph.add(.convolutionWeightGradient(convolution), [x, call.cotangent])
    }
    return results
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    operands[1].isFixed
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let patches = Patches(convolution, images: inputs[0].shape, positions: shape)
    var values = Array(repeating: 0.0, count: shape.count)
    patches.forEachGroup { image, group in
      let elements = patches.gathered(inputs[0].values, image: image, group: group)
      for output in patches.outputs(of: group) {
        let row = patches.sum(of: elements, weights: inputs[1].values, output: output)
        patches.write(row, image: image, output: output, into: &values)
      }
    }
    return Tensor(shape: shape, values: values)
  }
}

/// From `ȳ` and W to `x̄`; also what a transposed convolution computes.
struct ConvolutionInputGradientRule: ConvolutionRuleBase {
  let convolution: Convolution
  /// The spatial extents of x, which those of y do not tell when the stride is not 1.
  let extents: [Int]
  static let signature = OperationSignature(
    "convolution_input_gradient", operands: 2, attributes: 8...8, Window.expectation
  ) {
    guard let convolution = $0.convolution, let extents = $0.integers(7) else { return nil }
    return .convolutionInputGradient(convolution, extents: extents)
  }
  var attributes: [Attribute] { convolution.attributes + [.axes(extents)] }
  var symbol: String { "conv′" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let y = try images(inputs[0])
    guard extents.count == y.spatial.count, try positions(over: extents) == y.spatial else {
      throw ShapeFault(
        "found images of \(y.spatial), expected the window's positions over \(extents)")
    }
    guard inputs[1].axisCount > 1, case .fixed(let share) = inputs[1][1] else {
      throw ShapeFault("found weights of shape \(inputs[1]), expected [out, in, kernel...]")
    }
    let channels = share * convolution.groups
    try requireGroups(inputs: channels, outputs: y.channels)
    try requireWeights(inputs[1], inputs: channels, outputs: y.channels)
    return y.shape(
      channels: channels, spatial: extents, isChannelsLast: convolution.isChannelsLast)
  }

  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let (y, W) = (call.inputs[0], call.inputs[1])
    return [
      call.isWanted[0] ? try graph.add(.convolution(convolution), [call.cotangent, W]) : nil,
      call.isWanted[1]
        ? try graph.add(.convolutionWeightGradient(convolution), [call.cotangent, y]) : nil,
    ]
  }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    operands[1].isFixed
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let patches = Patches(convolution, images: shape, positions: inputs[0].shape)
    var values = Array(repeating: 0.0, count: shape.count)
    patches.forEachGroup { image, group in
      var elements = patches.zeros
      for output in patches.outputs(of: group) {
        let row = patches.row(inputs[0].values, image: image, output: output)
        patches.add(row, weights: inputs[1].values, output: output, to: &elements)
      }
      patches.scatter(elements, image: image, group: group, into: &values)
    }
    return Tensor(shape: shape, values: values)
  }
}

/// From x and `ȳ` to `W̄`.
struct ConvolutionWeightGradientRule: ConvolutionRuleBase {
  let convolution: Convolution
  static let signature = OperationSignature(
    "convolution_weight_gradient", operands: 2, attributes: 7...7, Window.expectation
  ) { $0.convolution.map { .convolutionWeightGradient($0) } }
  var attributes: [Attribute] { convolution.attributes }
  var symbol: String { "conv′" }

  func shape(_ inputs: [SymbolicShape]) throws(ShapeFault) -> SymbolicShape {
    let (x, y) = (try images(inputs[0]), try images(inputs[1]))
    guard x.batch == y.batch, try positions(over: x.spatial) == y.spatial else {
      throw ShapeFault(
        "found images \(inputs[0]) and \(inputs[1]), expected the second at the window's positions "
          + "over the first")
    }
    try requireGroups(inputs: x.channels, outputs: y.channels)
    return weightShape(inputs: x.channels, outputs: y.channels)
  }

  func vjp(_ call: VJPCall, in graph: inout Graph) throws(GraphError) -> [Graph.Node?] {
    let (x, y) = (call.inputs[0], call.inputs[1])
    var results: [Graph.Node?] = [nil, nil]
    if call.isWanted[0] {
      let extents = graph.spatialExtents(of: x, convolution)
      results[0] = try graph.add(
        .convolutionInputGradient(convolution, extents: extents), [y, call.cotangent])
    }
    if call.isWanted[1] {
      results[1] = try graph.add(.convolution(convolution), [x, call.cotangent])
    }
    return results
  }
  var sumsRows: Bool { true }
  func keepsRowsApart(_ operands: [SymbolicShape], _ result: SymbolicShape) -> Bool {
    false
  }
  func evaluate(_ inputs: [Tensor], shape: Shape, batch: Int) throws(GraphError) -> Tensor {
    let patches = Patches(convolution, images: inputs[0].shape, positions: inputs[1].shape)
    var values = Array(repeating: 0.0, count: shape.count)
    patches.forEachGroup { image, group in
      let elements = patches.gathered(inputs[0].values, image: image, group: group)
      for output in patches.outputs(of: group) {
        let row = patches.row(inputs[1].values, image: image, output: output)
        patches.addProducts(of: elements, row, output: output, to: &values)
      }
    }
    return Tensor(shape: shape, values: values)
  }
}

/// The channels and the spatial extents of a batch of images.
func imageExtents(_ shape: Shape, _ isChannelsLast: Bool) -> (channels: Int, spatial: [Int]) {
  let extents = Array(shape.extents.dropFirst())
  return isChannelsLast
    ? (extents[extents.count - 1], Array(extents.dropLast()))
    : (extents[0], Array(extents.dropFirst()))
}

extension Graph {
  /// The spatial extents of a node that is an operand of a convolution.
  func spatialExtents(of node: Node, _ convolution: Convolution) -> [Int] {
    imageExtents(shape(of: node).resolved(batch: 1), convolution.isChannelsLast).spatial
  }

  /// Adds a convolution.
  ///
  /// - Parameters:
  ///   - input: The node of the images, `[batch, in, spatial...]`.
  ///   - weight: The node of the weights, `[out, in / groups, kernel...]`.
  ///   - convolution: The window and the groups.
  /// - Returns: A node of shape `[batch, out, positions...]`.
  /// - Throws: ``GraphError/operands(operation:name:fault:)`` if the shapes do not go together.
  /// - Complexity: 2 · batch · out · positions · in / groups · kernel operations per run.
  public mutating func convolution(
    _ input: Node, weight: Node, _ convolution: Convolution
  ) throws(GraphError) -> Node {
    try add(.convolution(convolution), [input, weight])
  }
}

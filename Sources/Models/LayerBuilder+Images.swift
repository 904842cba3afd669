// Layers of images, normalisations and curves: the nodes they add.
import Graphs
import Tensors

extension LayerBuilder {
  /// Adds a convolution and its bias; returns its output.
  mutating func convolution(
    _ input: Graph.Node, name: String, _ layer: Layer.Convolution
  ) throws -> Graph.Node {
    let shape = try images(input, name: name, axisCount: layer.window.axisCount)
    let (inputs, outputs) = (shape[1], layer.channels)
    guard inputs % layer.groups == 0, outputs % layer.groups == 0 else {
      throw ModelError.layer(
        name, found: "\(inputs) channels of input and \(outputs) of output",
        expected: "multiples of \(layer.groups) groups")
    }
    let window = layer.window.window
    let kernel = window.axes.map(\.kernel)
    let weightCount = Shape([outputs, inputs / layer.groups] + kernel).count
    let convolution = Convolution(window, groups: layer.groups)
    let output: Graph.Node
    if layer.isTransposed {
      let extents = try transposedExtents(shape, window, name: name)
      let per = outputs / layer.groups
      let W = try weight(
        Shape([inputs, per] + kernel), layer.weight, isNormalized: layer.weightNorm,
        WeightView(
          groups: layer.groups, before: inputs / layer.groups, outputs: per,
          after: kernel.reduce(1, *)))
      output = try graph.add(
        .convolutionInputGradient(convolution, extents: extents), [input, W])
    } else {
      try requireRoom(for: window, in: shape, name: name)
      let W = try weight(
        Shape([outputs, inputs / layer.groups] + kernel), layer.weight,
        isNormalized: layer.weightNorm,
        WeightView(groups: 1, before: 1, outputs: outputs, after: weightCount / outputs))
      output = try graph.convolution(input, weight: W, convolution)
    }
    let positions = layer.isTransposed ? shape : graph.shape(of: output).resolved(batch: 1)
    count(products: weightCount, of: Shape(Array(positions.extents.dropFirst(2))).count)
    guard layer.bias else { return output }
    let b = try parameter("bias", [outputs], layer.biasValue, .bias)
    return try graph.add(.add, [output, perChannel(b, axisCount: kernel.count)])
  }

  /// `(n − 1) · stride − 2 · padding + dilation · (kernel − 1) + 1` along each axis.
  private func transposedExtents(
    _ shape: Shape, _ window: Window, name: String
  ) throws -> [Int] {
    try window.axes.indices.map { index in
      let axis = window.axes[index]
      let extent =
        (shape[index + 2] - 1) * axis.stride - axis.padding.before - axis.padding.after + axis.span
      guard extent > 0 else {
        throw ModelError.layer(
          name, found: "padding \(axis.padding.before) over an input of shape \(row(shape))",
          expected: "an output of at least one element")
      }
      return extent
    }
  }

  /// Adds a pooling; returns its output.
  mutating func pooling(
    _ input: Graph.Node, name: String, _ layer: Layer.Pooling
  ) throws -> Graph.Node {
    let shape = try images(input, name: name, axisCount: layer.window.axisCount)
    let window = layer.window.window
    try requireRoom(for: window, in: shape, name: name)
    for axis in window.axes where axis.padding.before * 2 > axis.kernel {
      throw ModelError.layer(
        name, found: "padding \(axis.padding.before)",
        expected: "at most half of the kernel, \(axis.kernel)")
    }
    let pooling = Pooling(window)
    return try graph.add(layer.isAverage ? .averagePool(pooling) : .maxPool(pooling), [input])
  }

  /// Adds the mean of each channel.
  mutating func globalAveragePool(_ input: Graph.Node, name: String) throws -> Graph.Node {
    let shape = graph.shape(of: input)
    guard shape.axisCount > 2 else {
      throw ModelError.layer(
        name, found: "an input of shape \(row(shape.resolved(batch: 1)))",
        expected: "[channels, ...]")
    }
    return try graph.add(.mean(axes: Array(2..<shape.axisCount)), [input])
  }

  /// Adds the elements of a row in another shape.
  mutating func reshape(
    _ input: Graph.Node, name: String, to extents: [Int]
  ) throws -> Graph.Node {
    let shape = graph.shape(of: input)
    guard shape.fixedCount == Shape(extents).count else {
      throw ModelError.layer(
        name, found: "an input of shape \(row(shape.resolved(batch: 1)))",
        expected: "as many elements as \(Shape(extents))")
    }
    return try graph.reshape(input, to: SymbolicShape([.batch] + extents.map(Extent.fixed)))
  }

  /// Adds the axes of a row in another order.
  mutating func permute(_ input: Graph.Node, name: String, _ axes: [Int]) throws -> Graph.Node {
    let shape = graph.shape(of: input)
    guard axes.sorted() == Array(0..<shape.axisCount - 1) else {
      throw ModelError.layer(
        name, found: "axes \(axes) for an input of shape \(row(shape.resolved(batch: 1)))",
        expected: "each of 0 ..< \(shape.axisCount - 1) once")
    }
    return try graph.add(.permute([0] + axes.map { $0 + 1 }), [input])
  }

  /// Adds a normalisation of each row by itself.
  mutating func normalization(
    _ input: Graph.Node, name: String, _ layer: Layer.Normalization
  ) throws -> Graph.Node {
    let shape = graph.shape(of: input)
    let extents = Array(shape.resolved(batch: 1).extents.dropFirst())
    let all = Array(1..<shape.axisCount)
    func requireImages() throws {
      guard extents.count > 1 else {
        throw ModelError.layer(
          name, found: "an input of shape \(Shape(extents))", expected: "[channels, ...]")
      }
    }
    switch layer.elements {
    case .row:
      let normal = try normalized(input, over: all, layer.epsilon)
      return try scaled(normal, name: name, Shape(extents), layer.affine, hasShift: true)
    case .rootMeanSquare:
      let square = try graph.add(.mean(axes: all), [graph.add(.square, [input])])
      let offset = graph.fill(layer.epsilon, shape: graph.shape(of: square))
      let inverse = try graph.power(graph.add(.add, [square, offset]), -0.5)
      let column = try graph.reshape(inverse, to: shape.flattening(axes: all))
      let normal = try graph.add(.multiply, [input, column])
      return try scaled(normal, name: name, Shape(extents), layer.affine, hasShift: false)
    case .channel:
      try requireImages()
      let normal = try normalized(input, over: Array(2..<shape.axisCount), layer.epsilon)
      return try scaledPerChannel(normal, name: name, extents, layer.affine)
    case .channelGroup(let count):
      try requireImages()
      guard extents[0] % count == 0 else {
        throw ModelError.layer(
          name, found: "\(extents[0]) channels", expected: "a multiple of \(count) groups")
      }
      let grouped = try graph.reshape(
        input,
        to: SymbolicShape([.batch, .fixed(count), .fixed(shape.fixedCount / count)]))
      let normal = try graph.reshape(normalized(grouped, over: [2], layer.epsilon), to: shape)
      return try scaledPerChannel(normal, name: name, extents, layer.affine)
    }
  }

  /// Adds mean 0 and variance 1 over axes.
  private mutating func normalized(
    _ input: Graph.Node, over axes: [Int], _ epsilon: Double
  ) throws -> Graph.Node {
    let kept = graph.shape(of: input).removing(axes: axes)
    let (one, zero) = (graph.fill(1, shape: kept), graph.fill(0, shape: kept))
    return try graph.add(
      .normalize(Normalization(axes: axes, epsilon: epsilon)), [input, one, zero])
  }

  private mutating func scaled(
    _ input: Graph.Node, name: String, _ shape: Shape, _ isAffine: Bool, hasShift: Bool
  ) throws -> Graph.Node {
    guard isAffine else { return input }
    let scale = try parameter("scale", shape, .constant(1), .normalization)
    let product = try graph.add(.multiply, [input, scale])
    guard hasShift else { return product }
    return try graph.add(
      .add, [product, parameter("shift", shape, .zeros, .normalization)])
  }

  private mutating func scaledPerChannel(
    _ input: Graph.Node, name: String, _ extents: [Int], _ isAffine: Bool
  ) throws -> Graph.Node {
    guard isAffine else { return input }
    let scale = try parameter("scale", [extents[0]], .constant(1), .normalization)
    let shift = try parameter("shift", [extents[0]], .zeros, .normalization)
    let axisCount = extents.count - 1
    let product = try graph.add(.multiply, [input, perChannel(scale, axisCount: axisCount)])
    return try graph.add(.add, [product, perChannel(shift, axisCount: axisCount)])
  }

  /// Adds `x / (k + α · mean of x² over neighbouring channels)^β`; padding counts as zeros.
  mutating func localResponse(
    _ input: Graph.Node, name: String, size: Int, alpha: Double, beta: Double, k: Double
  ) throws -> Graph.Node {
    let shape = graph.shape(of: input)
    guard shape.axisCount > 2, case .fixed(let channels) = shape[1] else {
      throw ModelError.layer(
        name, found: "an input of shape \(row(shape.resolved(batch: 1)))",
        expected: "[channels, ...]")
    }
    let inner = shape.fixedCount / max(channels, 1)
    let columns = try graph.reshape(
      graph.add(.square, [input]), to: [.batch, 1, .fixed(channels), .fixed(inner)])
    let window = Window([
      Window.Axis(kernel: size, padding: (size / 2, (size - 1) / 2)), Window.Axis(kernel: 1),
    ])
    let means = try graph.reshape(graph.add(.averagePool(Pooling(window)), [columns]), to: shape)
    let offset = graph.fill(k, shape: shape)
    let base = try graph.add(.add, [graph.scale(means, by: alpha), offset])
    return try graph.add(.multiply, [input, graph.power(base, -beta)])
  }

  /// Adds a function of each element that is composed of others.
  ///
  /// Composed so that slopes at 0 are PyTorch's.
  mutating func curve(_ x: Graph.Node, _ curve: Layer.Curve) throws -> Graph.Node {
    let shape = graph.shape(of: x)
    func constant(_ value: Double) -> Graph.Node { graph.fill(value, shape: shape) }
    // Cut on both sides, as a difference of two relus has no digits left for large x.
    func hardSigmoid() throws -> Graph.Node {
      let low = try graph.relu(graph.add(.add, [x, constant(3)]))
      return try graph.scale(graph.add(.cap(6), [low]), by: 1 / 6.0)
    }
    switch curve {
    case .leakyRelu(let slope):
      return try graph.add(
        .add, [graph.scale(x, by: slope), graph.scale(graph.relu(x), by: 1 - slope)])
    case .elu(let alpha):
      let positive = try graph.relu(x)
      let power = try graph.add(.expm1, [graph.add(.subtract, [x, positive])])
      return try graph.add(.add, [positive, graph.scale(power, by: alpha)])
    case .gelu:
      let error = try graph.add(.erf, [graph.scale(x, by: 0.5.squareRoot())])
      let share = try graph.scale(graph.add(.add, [error, constant(1)]), by: 0.5)
      return try graph.add(.multiply, [x, share])
    case .silu: return try graph.add(.multiply, [x, graph.sigmoid(x)])
    case .softplus: return try graph.add(.softplus, [x])
    case .hardSigmoid: return try hardSigmoid()
    case .hardSwish: return try graph.add(.multiply, [x, hardSigmoid()])
    }
  }

  /// One number per channel, as it lines up with images.
  mutating func perChannel(_ node: Graph.Node, axisCount: Int) throws -> Graph.Node {
    try graph.reshape(
      node,
      to: SymbolicShape([graph.shape(of: node)[0]] + Array(repeating: 1, count: axisCount)))
  }

  /// The shape of one row of images, with a batch of 1 before it.
  private func images(_ input: Graph.Node, name: String, axisCount: Int) throws -> Shape {
    let shape = graph.shape(of: input).resolved(batch: 1)
    guard shape.axisCount == axisCount + 2, shape.count > 0 else {
      throw ModelError.layer(
        name, found: "an input of shape \(row(shape))",
        expected: axisCount == 1 ? "[channels, length]" : "[channels, height, width]")
    }
    return shape
  }

  private func requireRoom(for window: Window, in shape: Shape, name: String) throws {
    guard window.positions(over: Array(shape.extents.dropFirst(2))) != nil else {
      throw ModelError.layer(
        name, found: "an input of shape \(row(shape))",
        expected: "room for a window of \(Shape(window.axes.map(\.span)))")
    }
  }

  private func row(_ shape: Shape) -> Shape { Shape(Array(shape.extents.dropFirst())) }
}

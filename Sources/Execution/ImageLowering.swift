// From nodes of images to the kernels that compute them.
import Graphs
import Kernels
import Tensors

extension PlanBuilder {
  /// Maxima whose choices are noted, or their gradient.
  mutating func pooling(
    _ noted: NotedPooling, for node: Graph.Node, into target: Location
  ) -> (Bases) -> Void {
    guard case .maxPool(let pooling) = graph[noted.pooling].operation else {
      preconditionFailure("node \(noted.pooling.index) is no max pooling")
    }
    let images = graph[noted.pooling].inputs[0]
    let window = imageWindow(
      pooling, over: shape(of: images), output: shape(of: noted.pooling))
    let choices = choices(of: noted, byteCount: window.choiceCount)
    if node == noted.gradient {
      let cotangent = location(of: noted.cotangent)
      return {
        window.maximumGradient($0[cotangent], choices: choices.pointer, into: $0[target])
      }
    }
    let (x, throughRelu) = (location(of: images), noted.throughRelu)
    return {
      window.maximum(
        $0[x], into: $0[target], choices: choices.pointer, throughRelu: throughRelu)
    }
  }

  func imageWindow(_ pooling: Pooling, over input: Shape, output: Shape) -> ImageWindow {
    precondition(pooling.isChannelsLast, "images whose channels are not last")
    return ImageWindow(
      pooling.window, batch: input[0], channels: input.extents[input.axisCount - 1],
      input: Array(input.extents[1..<input.axisCount - 1]),
      output: Array(output.extents[1..<output.axisCount - 1]))
  }

  func convolution(
    _ node: Graph.Node, _ convolution: Convolution, _ kind: ImageConvolution.Kind,
    bias: Graph.Node?, activation: Matmul.Activation, into target: Location
  ) throws(PlanError) -> (Bases) -> Void {
    precondition(convolution.isChannelsLast, "images whose channels are not last")
    let record = graph[node]
    let (a, b) = (location(of: record.inputs[0]), location(of: record.inputs[1]))
    let (first, second) = (shape(of: record.inputs[0]), shape(of: record.inputs[1]))
    let (x, y) =
      switch kind {
      case .forward: (first, shape(of: node))
      case .inputGradient: (shape(of: node), first)
      case .weightGradient: (first, second)
      }
    let kernel: ImageConvolution
    do {
      kernel = try ImageConvolution(
        kind, convolution.window, groups: convolution.groups, x: x, y: y, activation: activation,
        hasHalfOperands: halves != nil)
    } catch {
      throw .kernel(node: label(of: node), reason: "\(error)")
    }
    if let halves {
      return try halfConvolution(node, kind, kernel, bias: bias, into: target, halves)
    }
    switch kind {
    case .forward:
      guard let bias else {
        return { kernel.run(x: $0[a], w: $0[b], y: $0[target], bias: nil) }
      }
      let biasLocation = location(of: bias)
      return { kernel.run(x: $0[a], w: $0[b], y: $0[target], bias: $0[biasLocation]) }
    case .inputGradient: return { kernel.run(x: $0[target], w: $0[b], y: $0[a], bias: nil) }
    case .weightGradient: return { kernel.run(x: $0[a], w: $0[target], y: $0[b], bias: nil) }
    }
  }
}

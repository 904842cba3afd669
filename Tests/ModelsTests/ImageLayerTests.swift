// Layers of images and losses against PyTorch, made by Tests/Reference/layers.py.
import CPUBackend
import Configuration
import Execution
import Foundation
import Graphs
import Models
import Tensors
import TestSupport
import Testing

/// Results of one network.
struct LayerReference: Decodable, Sendable, CustomStringConvertible {
  let name: String
  let sample: [Int]
  let losses: [Double]
  let gradients: [Double]
  /// The mean over the rows of a loss that weighs them.
  let mean: Double?
  /// Running averages after one step, where there are any.
  let states: [[Double]]?
  /// Losses in evaluation, with other averages.
  let evaluation: [Double]?
  var description: String { name }

  static func all() throws -> [LayerReference] {
    let url = repository.appendingPathComponent("Tests/Reference/layers.json")
    return try JSONDecoder().decode([LayerReference].self, from: Data(contentsOf: url))
  }
}

/// The same networks as in the script, as configurations write them.
private let configurations = [
  "lenet": """
  model:
    - conv2d: { channels: 3, kernel: 3, padding: 1 }
    - relu
    - max_pool2d: 2
    - conv2d: { channels: 5, kernel: 3, padding: 1 }
    - relu
    - max_pool2d: 2
    - affine: 6
    - relu
    - affine: 4
  """,
  "windows": """
  model:
    - conv2d: { channels: 4, kernel: [3, 2], stride: [2, 1], padding: [1, 0] }
    - leaky_relu: 0.1
    - conv2d: { channels: 6, kernel: 2, dilation: 2, groups: 2 }
    - elu
    - avg_pool2d: { kernel: 2, stride: 1, padding: 1 }
    - conv_transpose2d: { channels: 4, kernel: 3, stride: 2, padding: 1, groups: 2 }
    - gelu
    - silu
    - max_pool2d: { kernel: 3, stride: 2, padding: 1 }
    - global_avg_pool
    - affine: 3
  """,
  "norms": """
  model:
    - conv2d: { channels: 4, kernel: 3, padding: 1 }
    - layer_norm
    - hard_swish
    - group_norm: 2
    - softplus
    - instance_norm
    - local_response_norm: { size: 3, alpha: 0.5, k: 2 }
    - rms_norm
    - hard_sigmoid
    - affine: 3
  """,
  "signals": """
  model:
    - conv1d: { channels: 4, kernel: 3, stride: 2, padding: 2 }
    - relu
    - max_pool1d: 2
    - conv_transpose1d: { channels: 2, kernel: 2, stride: 2 }
    - tanh
    - permute: [1, 0]
    - avg_pool1d: 2
    - affine: 3
  """,
  "residual": """
  model:
    - conv2d: { channels: 4, kernel: 3, padding: 1 }
      name: stem
    - repeat:
        times: 2
        layers:
          - conv2d: { channels: 4, kernel: 3, padding: 1 }
          - relu
          - conv2d: { channels: 4, kernel: 1 }
          - add:
            from: [input, conv2d2]
          - relu
      name: block
    - global_avg_pool:
      from: stem
    - affine: 4
    - sigmoid
    - reshape: [4, 1, 1]
      name: gate
    - multiply:
      from: [block, gate]
      name: gated
    - slice: { axis: 0, start: 1, end: 3 }
      from: block
    - slice: { axis: 2, end: 4 }
    - pad: { axis: 2, before: 1, after: 1 }
    - concatenate:
      from: [gated, stem, pad1]
    - global_avg_pool
    - affine: 3
  """,
  "shared": """
  model:
    - slice: { end: 2 }
      name: front
    - slice: { start: 2 }
      name: back
      from: samples
    - conv2d: { channels: 3, kernel: 3 }
      name: a
      from: front
    - conv2d: { channels: 3, kernel: 3 }
      name: c
      from: back
      share: a
    - multiply:
      from: [a, c]
    - add:
      from: [multiply1, a]
    - affine: 5
    - tanh
    - affine: 5
      name: twice
    - tanh
    - affine: 5
      share: twice
    - affine: 3
  """,
  "words": """
  model:
    - slice: { end: 3 }
    - embedding: { count: 7, units: 4 }
      name: table
    - permute: [1, 0]
    - conv1d: { channels: 3, kernel: 2 }
    - flatten:
      name: words
    - slice: { end: 1 }
      from: samples
    - embedding: { count: 7, units: 4 }
      share: table
    - flatten:
      name: first
    - slice: { start: 3 }
      from: samples
      name: numbers
    - concatenate:
      from: [words, first, numbers]
    - affine: 3
  """,
  "weight_norm": """
  model:
    - conv2d: { channels: 4, kernel: 3, padding: 1, groups: 2, weight_norm: true }
    - relu
    - conv_transpose2d: { channels: 6, kernel: 2, groups: 2, weight_norm: true }
    - tanh
    - affine: { units: 3, weight_norm: true }
  """,
  "batch_norms": """
  model:
    - conv2d: { channels: 4, kernel: 3, padding: 1 }
    - batch_norm: { momentum: 0.25, epsilon: 0.001 }
    - relu
    - max_pool2d: 2
    - affine: 5
    - batch_norm: { affine: false }
    - tanh
    - affine: 3
  """,
  "batch_norm_signals": """
  model:
    - batch_norm: { momentum: 0.5 }
    - conv1d: { channels: 3, kernel: 2 }
    - relu
    - affine: 3
  """,
]

/// Losses with keys of their own, of four rows or, of responses, three.
private let losses: [String: Loss] = [
  "label_smoothing": .crossEntropy(labelSmoothing: 0.2, classWeights: nil),
  "class_weights": .crossEntropy(labelSmoothing: 0, classWeights: [0.5, 2, 1.25]),
  "both": .crossEntropy(labelSmoothing: 0.3, classWeights: [0.5, 2, 1.25]),
  "huber with delta": .huber(delta: 0.4),
]

private func layers(_ text: String) throws -> [Layer] {
  let tree = try ConfigurationTree(text: text, source: "run.yaml", folder: "/data", overrides: [])
  let reader = ConfigurationReader(tree)
  let layers = try Layer.read(from: reader.root)
  _ = try reader.finish()
  return layers
}

/// The formula of the script.
private func numbers(_ shape: Shape, salt: Int, scale: Double = 1) -> Tensor {
  Tensor(
    shape: shape,
    values: (0..<shape.count).map {
      Double(($0 * 7919 + salt * 104_729) % 2003 - 1001) / 1001 * scale
    })
}

@Suite("Layers of images and losses")
struct ImageLayerTests {
  private func loss(_ reference: LayerReference) -> Loss? {
    losses[reference.name] ?? plainLosses.first { $0.configurationName == reference.name }
  }

  private func network(_ reference: LayerReference) throws -> Network {
    if let loss = loss(reference) {
      return try Network(
        layers: [.affine(loss.takesLabels ? 3 : 2)], loss: loss,
        sampleShape: Shape(reference.sample), targets: loss.takesLabels ? .labels : .responses(2))
    }
    return try Network(
      layers: layers(configurations[reference.name] ?? ""), loss: .softmaxCrossEntropy,
      sampleShape: Shape(reference.sample), targets: .labels)
  }

  private func values(_ network: Network, _ reference: LayerReference) -> [String: Tensor] {
    let loss = loss(reference)
    let rows = reference.losses.count
    let responses = numbers([3, 2], salt: 6).values.map { ($0 + 1) / 2 }
    let labels = (0..<rows).map { [0.0, 1, 2, 1][$0] }
    var values = [
      Network.samplesName: numbers(
        Shape([rows] + reference.sample), salt: 5, scale: loss == nil ? 1 : 4),
      Network.targetsName: loss?.takesLabels == false
        ? Tensor(shape: [3, 2], values: responses) : Tensor(shape: [rows], values: labels),
    ]
    if reference.name == "words" {
      var samples = values[Network.samplesName]?.values ?? []
      for (row, words) in [[0.0, 6, 3], [3, 3, 5], [2, 0, 3]].enumerated() {
        samples.replaceSubrange(5 * row..<5 * row + 3, with: words)
      }
      values[Network.samplesName] = Tensor(shape: [3, 5], values: samples)
    }
    for (index, parameter) in network.parameters.enumerated() {
      values[parameter.name] = numbers(parameter.shape, salt: 31 + index, scale: 0.5)
    }
    return values
  }

  private func weighted(_ gradient: Tensor) -> Double {
    let weights = numbers([gradient.values.count], salt: 17).values
    return zip(gradient.values, weights).reduce(0) { $0 + $1.0 * $1.1 }
  }

  @Test(
    "give PyTorch's losses and gradients in double precision", arguments: try LayerReference.all())
  func interpreter(_ reference: LayerReference) throws {
    let network = try network(reference)
    try #require(network.parameters.count == reference.gradients.count)
    let values = values(network, reference)
    let results = try network.graph.evaluate(
      [network.loss] + network.gradients, with: values, batch: reference.losses.count)
    if let mean = reference.mean {
      let weight =
        try network.rowWeight.map { try network.graph.evaluate([$0], with: values)[0].values }
        ?? Array(repeating: 1, count: reference.losses.count)
      let found = reference.losses.reduce(0, +) / weight.reduce(0, +)
      #expect(isClose(found, mean, tolerance: 1e-11), "\(found) \(mean)")
    }
    for (found, expected) in zip(results[0].values, reference.losses) {
      #expect(isClose(found, expected, tolerance: 1e-11), "\(found) \(expected)")
    }
    for (index, expected) in reference.gradients.enumerated() {
      let found = weighted(results[index + 1])
      let name = network.parameters[index].name
      #expect(
        abs(found - expected) < 1e-10 * max(1, abs(expected)), "\(name): \(found) \(expected)")
    }
  }

  @Test(
    "give PyTorch's running averages, and its losses in evaluation",
    arguments: try LayerReference.all().filter { $0.states != nil })
  func states(_ reference: LayerReference) throws {
    let network = try network(reference)
    var values = values(network, reference)
    let states = try #require(reference.states)
    try #require(network.states.count == states.count)
    for (index, (state, expected)) in zip(network.states, states).enumerated() {
      let statistic = try network.graph.evaluate(
        [#require(state.statistic)], with: values, batch: 3)[0].values
      let initial = state.name.hasSuffix("variance") ? 1.0 : 0
      for (sum, expected) in zip(statistic, expected) {
        let found = (1 - state.momentum) * initial + state.momentum * sum / 3
        #expect(isClose(found, expected, tolerance: 1e-12), "\(state.name)")
      }
      let numbers = numbers(state.shape, salt: 51 + index, scale: 0.5).values
      values[state.name] = Tensor(shape: state.shape, values: numbers.map { initial + $0 })
    }
    let losses = try network.evaluation.graph.evaluate(
      [network.evaluation.loss], with: values, batch: 3)[0].values
    for (found, expected) in zip(losses, reference.evaluation ?? []) {
      #expect(isClose(found, expected, tolerance: 1e-11), "\(found) \(expected)")
    }
  }

  @Test("give them in Float by the plan", arguments: try LayerReference.all())
  func plan(_ reference: LayerReference) throws {
    let network = try network(reference)
    let values = values(network, reference)
    let layout = network.layout
    let plan = try Plan(
      network.graph, batch: reference.losses.count, values: [network.loss],
      gradients: network.summed.map { ($0.name, $0.node) }, layout: layout,
      workspace: CPU().makeWorkspace())
    let (parameters, gradient) = (
      FloatBuffer(count: layout.count), FloatBuffer(count: layout.count)
    )
    for parameter in network.parameters {
      let range = try #require(layout[parameter.name])
      for (offset, value) in (values[parameter.name]?.values ?? []).enumerated() {
        parameters.pointer[range.offset + offset] = Float(value)
      }
    }
    let samples = try #require(plan.data(Network.samplesName))
    for (index, value) in (values[Network.samplesName]?.values ?? []).enumerated() {
      samples[index] = Float(value)
    }
    for (index, value) in (values[Network.targetsName]?.values ?? []).enumerated() {
      plan.labels(Network.targetsName)?[index] = Int32(value)
      plan.data(Network.targetsName)?[index] = Float(value)
    }
    plan.run(parameters: parameters.pointer, gradient: gradient.pointer)
    let losses = plan.value(of: network.loss)
    for (row, expected) in reference.losses.enumerated() {
      #expect(abs(Double(losses[row]) - expected) < 2e-5, "\(losses[row]) \(expected)")
    }
    for (parameter, expected) in zip(network.parameters, reference.gradients) {
      let range = try #require(layout[parameter.name])
      let found = range.indices.map { Double(gradient.pointer[$0]) }
      let sum = weighted(Tensor(shape: parameter.shape, values: found))
      #expect(
        abs(sum - expected) < 1e-4 * max(1, abs(expected)), "\(parameter.name): \(sum) \(expected)")
    }
  }

  @Test(
    "are refused by name where the shape does not fit",
    arguments: [
      (
        "[{affine: 4}, {conv2d: {channels: 2, kernel: 3}}]",
        "layer 'conv2d1': found an input of shape [4], expected [channels, height, width]"
      ),
      (
        "[{conv2d: {channels: 2, kernel: 9}}]",
        "layer 'conv2d1': found an input of shape [2, 8, 6], expected room for a window of [9, 9]"
      ),
      (
        "[{conv2d: {channels: 3, kernel: 3, groups: 2}, name: head}]",
        "layer 'head': found 2 channels of input and 3 of output, expected multiples of 2 groups"
      ),
      (
        "[{max_pool2d: {kernel: 2, padding: 2}}]",
        "layer 'max_pool2d1': found padding 2, expected at most half of the kernel, 2"
      ),
      (
        "[{group_norm: 3}]",
        "layer 'group_norm1': found 2 channels, expected a multiple of 3 groups"
      ),
      (
        "[{affine: 4}, global_avg_pool]",
        "layer 'global_avg_pool1': found an input of shape [4], expected [channels, ...]"
      ),
      (
        "[{reshape: [5, 5]}]",
        "layer 'reshape1': found an input of shape [2, 8, 6], expected as many elements as [5, 5]"
      ),
      (
        "[{permute: [0, 1]}]",
        "layer 'permute1': found axes [0, 1] for an input of shape [2, 8, 6], expected each of 0 ..< 3 once"
      ),
    ])
  func refusals(_ model: String, _ message: String) throws {
    let layers = try layers("model: \(model)")
    do {
      _ = try Network(
        layers: layers + [.affine(2)], loss: .softmaxCrossEntropy, sampleShape: [2, 8, 6],
        targets: .labels)
      Issue.record("no error, expected \(message)")
    } catch {
      #expect("\(error)" == message)
    }
  }
}

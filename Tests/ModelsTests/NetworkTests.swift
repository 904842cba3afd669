import Graphs
import Models
import Tensors
import TestSupport
import Testing

@Suite("Networks")
struct NetworkTests {
  @Test("prediction, loss and gradients are JAX's", arguments: try ReferenceGraphs().networks)
  func reference(_ reference: ReferenceGraphs.NetworkCase) throws {
    let loss = try #require(plainLosses.first { $0.configurationName == reference.loss })
    let layers = try reference.layers.map { word in
      if let units = Int(word) { return Layer.affine(units) }
      let activation = Layer.Activation.allCases.first { $0.configurationName == word }
      return Layer.activation(try #require(activation))
    }
    let samples = reference.samples.tensor
    let targets = reference.targets.tensor
    let network = try Network(
      layers: layers, loss: loss, sampleShape: [samples.shape[1]],
      targets: loss.takesLabels ? .labels : .responses(targets.shape[1]))
    var values = reference.parameters.mapValues(\.tensor)
    #expect(Set(values.keys) == Set(network.parameters.map(\.name)))
    values[Network.samplesName] = samples
    values[Network.targetsName] = targets

    var graph = network.graph
    let found = try graph.evaluate(
      [network.prediction, network.loss] + network.gradients, with: values)
    #expect(relativeDistance(found[0], reference.prediction.tensor) < 1e-12)
    #expect(relativeDistance(found[1], reference.losses.tensor) < 1e-12)
    for (parameter, gradient) in zip(network.parameters, found.dropFirst(2)) {
      let expected = try #require(reference.gradients[parameter.name]).tensor
      #expect(relativeDistance(gradient, expected) < 1e-11, "\(parameter.name)")
    }

    // The gradient of the squared norm of the gradient.
    guard let curvature = reference.curvature else { return }
    var squares: Graph.Node?
    for gradient in network.gradients {
      let axes = Array(0..<graph.shape(of: gradient).axisCount)
      let norm = try graph.add(.squaredNorm(axes: axes), [gradient])
      squares = if let sum = squares { try graph.add(.add, [sum, norm]) } else { norm }
    }
    let second = try graph.gradient(
      of: #require(squares), withRespectTo: network.parameters.map(\.node))
    for (parameter, value) in zip(network.parameters, try graph.evaluate(second, with: values)) {
      let expected = try #require(curvature[parameter.name]).tensor
      #expect(relativeDistance(value, expected) < 1e-9, "\(parameter.name)")
    }
  }

  @Test("layers are numbered by kind, parameters named after them, samples flattened")
  func names() throws {
    let network = try Network(
      layers: [
        .affine(16), .activation(.relu), .affine(8, bias: false, name: "middle"),
        .activation(.relu), .affine(10),
      ], loss: .softmaxCrossEntropy, sampleShape: [1, 8, 8], targets: .labels)
    #expect(network.layers.map(\.name) == ["affine1", "relu1", "middle", "relu2", "affine3"])
    #expect(network.layers.map(\.kind) == ["affine", "relu", "affine", "relu", "affine"])
    #expect(
      network.parameters.map(\.name)
        == ["affine1/weight", "affine1/bias", "middle/weight", "affine3/weight", "affine3/bias"])
    #expect(network.parameters.map(\.shape) == [[16, 64], [16], [8, 16], [10, 8], [10]])
    #expect(network.layers.map(\.parameterCount) == [1040, 0, 128, 0, 90])
    #expect(network.layers.map(\.flops) == [2048, 0, 256, 0, 160])
    #expect(network.layers.map(\.outputShape) == [[16], [16], [8], [8], [10]])
    #expect(network.layout.elementCount == 1258 && network.outputCount == 10)
    #expect(network.sampleShape == [1, 8, 8] && network.lossKind == .softmaxCrossEntropy)
    let graph = network.graph
    graph.verify()
    #expect(graph.shape(of: network.prediction) == [.batch, 10])
    #expect(graph.shape(of: network.loss) == [.batch])
    #expect(
      network.gradients.map { graph.shape(of: $0) }
        == network.parameters.map { SymbolicShape($0.shape) })
  }

  @Test("samples that are single numbers, and layers that keep the shape of samples")
  func shapes() throws {
    let line = try Network(
      layers: [.affine(1)], loss: .squaredNorm, sampleShape: [], targets: .responses(1))
    #expect(line.parameters.map(\.shape) == [[1, 1], [1]])
    let image = try Network(
      layers: [.activation(.softmax), .affine(2)], loss: .softmaxCrossEntropy,
      sampleShape: [3, 4, 5], targets: .labels)
    #expect(image.layers[0].outputShape == [3, 4, 5])
    #expect(image.parameters[0].shape == [2, 60])
  }

  @Test("frozen layers have no gradient, kinds and factors are known")
  func frozen() throws {
    let network = try Network(
      layers: [
        Layer(
          .affine(units: 3, bias: true, weight: .zeros, biasValue: .zeros), name: "kept",
          isFrozen: true),
        Layer(.normalization(.row), learningRateFactor: 0.5), .affine(2),
      ], loss: .softmaxCrossEntropy, sampleShape: [4], targets: .labels)
    #expect(network.parameters.map(\.isFrozen) == [true, true, false, false, false, false])
    #expect(network.parameters.map(\.learningRateFactor) == [1, 1, 0.5, 0.5, 1, 1])
    #expect(
      network.parameters.map(\.kind)
        == [.weight, .bias, .normalization, .normalization, .weight, .bias])
    #expect(network.trainableParameters == Array(network.parameters.dropFirst(2)))
    #expect(
      network.gradients.map { network.graph.shape(of: $0) }
        == network.trainableParameters.map { SymbolicShape($0.shape) })
  }

  @Test("initial values are those of each initializer, and padding stays zero")
  func initialValues() throws {
    let network = try Network(
      layers: [
        Layer(.affine(units: 3, bias: true, weight: .constant(2), biasValue: .constant(-1)))
      ], loss: .squaredNorm, sampleShape: [5], targets: .responses(3))
    let parameters = FloatBuffer(count: network.layout.count)
    network.writeInitialValues(into: parameters, seed: 1)
    #expect(
      Array(parameters.elements)
        == Array(repeating: 2, count: 15) + [0] + Array(repeating: -1, count: 3)
        + Array(repeating: 0, count: 13))
  }
}

@Suite("Errors of models")
struct ModelErrorTests {
  private func text(
    _ layers: [Layer], _ loss: Loss = .softmaxCrossEntropy, _ shape: Shape = [4],
    _ targets: Network.Targets = .labels
  ) -> String {
    do {
      _ = try Network(layers: layers, loss: loss, sampleShape: shape, targets: targets)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test("layers")
  func layers() {
    #expect(
      text([.affine(3, name: "a"), .activation(.relu, name: "a")]) == "two layers are named 'a'")
    #expect(
      text([.affine(3, name: "affine2"), .affine(3)]) == "two layers are named 'affine2'")
    #expect(
      text([.affine(3)], .softmaxCrossEntropy, [3, 0])
        == "layer 'affine1': found an input of shape [batch, 3, 0], expected some elements")
    #expect(text([.affine(0)]) == "layer 'affine1': found 0 units, expected at least 1")
    #expect(text([.affine(-2)]) == "layer 'affine1': found -2 units, expected at least 1")
    #expect(
      text([.activation(.softmax), .affine(2)], .softmaxCrossEntropy, [])
        == "layer 'softmax1': found an input of shape [batch], expected [batch, ...]")
  }

  @Test("what is said of parameters of a layer that has none, and nothing to train")
  func parameters() {
    #expect(
      text([Layer(.flatten, isFrozen: true), .affine(2)])
        == "layer 'flatten1': found 'frozen', expected parameters of its own")
    #expect(
      text([Layer(.flatten, learningRateFactor: 2), .affine(2)])
        == "layer 'flatten1': found 'learning_rate', expected parameters of its own")
    let affine = Layer.Affine(units: 2, bias: true, weight: .zeros, biasValue: .zeros)
    #expect(
      text([Layer(affine, isFrozen: true)]) == "all parameters are frozen, expected some to train")
  }

  @Test("losses and targets")
  func losses() {
    #expect(
      text([.activation(.relu)], .softmaxCrossEntropy, [3, 4])
        == "loss 'softmax_cross_entropy': found outputs of shape [batch, 3, 4], "
        + "expected [batch, classes]")
    #expect(
      text([.affine(3)], .softmaxCrossEntropy, [4], .responses(3))
        == "loss 'softmax_cross_entropy': found responses in the data, expected class labels")
    #expect(
      text([.affine(3)], .meanSquaredError)
        == "loss 'mean_squared_error': found class labels in the data, expected responses")
    #expect(
      text([.affine(3)], .squaredNorm)
        == "loss 'squared_norm': found class labels in the data, expected responses")
    #expect(
      text([.affine(3)], .squaredNorm, [4], .responses(2))
        == "loss 'squared_norm': found outputs of shape [batch, 3], "
        + "expected [batch, 2] as the responses have")
    #expect(text([.affine(2)], .squaredNorm, [4], .responses(2)) == "no error")
    #expect(
      text([.affine(3)], .crossEntropy(labelSmoothing: 0, classWeights: [1, 2]))
        == "loss 'softmax_cross_entropy': found 2 class weights, expected 3, one for each class")
  }
}

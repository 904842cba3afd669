// Layers and losses that do not come with the library; the two are those of the doc comments.
import Configuration
import Foundation
import Graphs
import Models
import Tensors
import Testing

struct Swish: LayerKind {
  var configurationName: String { "swish" }

  func output(of inputs: [Graph.Node], in builder: inout LayerBuilder) throws -> Graph.Node {
    let x = inputs[0]
    let beta = try builder.parameter(
      "beta", shape: builder.rowShape(of: x), initially: .constant(1), kind: .weight)
    let gate = try builder.graph.sigmoid(builder.graph.add(.multiply, [x, beta]))
    return try builder.graph.add(.multiply, [x, gate])
  }
}

extension Swish: ConfigurableLayerKind {
  static var alternatives: [Alternative<any LayerKind>] {
    [Alternative("swish", meaning: "x · σ(β·x), β trained") { _ in Swish() }]
  }
}

struct LogCosh: LossKind {
  var configurationName: String { "log_cosh" }

  func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    let error = try graph.add(.abs, [graph.add(.subtract, [outputs, targets])])
    let tail = try graph.add(.softplus, [graph.scale(error, by: -2)])
    let sum = try graph.add(.mean(axes: [1]), [graph.add(.add, [error, tail])])
    let log2 = graph.fill(0.6931471805599453, shape: graph.shape(of: sum))
    return RowLosses(try graph.add(.subtract, [sum, log2]))
  }
}

extension LogCosh: ConfigurableLossKind {
  static var alternative: Alternative<any LossKind> {
    Alternative("log_cosh", meaning: "mean of log cosh(e)") { _ in LogCosh() }
  }
}

/// A layer that is refused.
private struct Faulty: LayerKind {
  enum Fault: Hashable { case shape, ownError }
  struct OwnError: Error, CustomStringConvertible { let description = "own error" }
  let fault: Fault
  var configurationName: String { "faulty" }

  func output(of inputs: [Graph.Node], in builder: inout LayerBuilder) throws -> Graph.Node {
    guard fault == .shape else { throw OwnError() }
    return try builder.graph.add(.sum(axes: [0]), inputs)
  }
}

/// A loss that forgets to be one number per row.
private struct WideLoss: LossKind {
  var configurationName: String { "wide" }

  func losses(
    of outputs: Graph.Node, targets: Graph.Node, in graph: inout Graph
  ) throws -> RowLosses {
    RowLosses(try graph.add(.subtract, [outputs, targets]))
  }
}

@Suite("Layers and losses of other packages")
struct OwnKindTests {
  private func network(
    _ layers: [Layer], _ loss: Loss = Loss(LogCosh()), responses: Int = 1
  ) throws(ModelError) -> Network {
    try Network(
      layers: layers, loss: loss, sampleShape: [3], targets: .responses(responses))
  }

  @Test("are named, numbered, and have parameters and gradients as the library's")
  func ownKinds() throws {
    let network = try network([
      .affine(4), Layer(Swish()), Layer(Swish()), Layer(Swish(), sharing: "swish2"), .affine(1),
    ])
    #expect(network.layers.map(\.name) == ["affine1", "swish1", "swish2", "swish3", "affine2"])
    #expect(
      network.parameters.map(\.name) == [
        "affine1/weight", "affine1/bias", "swish1/beta", "swish2/beta", "affine2/weight",
        "affine2/bias",
      ])
    #expect(network.lossKind.configurationName == "log_cosh" && !network.lossKind.takesLabels)
    network.graph.verify()
  }

  @Test("give the numbers of their formulas")
  func numbers() throws {
    let network = try network([Layer(Swish())], responses: 3)
    let (x, t) = ([0.5, -2, 3], [1.0, 0, -1])
    let found = try network.graph.evaluate(
      [network.prediction, network.loss],
      with: [
        Network.samplesName: Tensor(shape: [1, 3], values: x),
        Network.targetsName: Tensor(shape: [1, 3], values: t),
        "swish1/beta": Tensor(shape: [3], values: [1, 0.5, 2]),
      ])
    let expected = zip(x, [1, 0.5, 2]).map { $0 / (1 + exp(-$0 * $1)) }
    for (a, b) in zip(found[0].values, expected) { #expect(abs(a - b) < 1e-14) }
    let loss = zip(expected, t).reduce(0) { $0 + log(cosh($1.0 - $1.1)) / 3 }
    #expect(abs(found[1].values[0] - loss) < 1e-14)
  }

  @Test("are read from configurations by a catalog that has them")
  func catalog() throws {
    var catalog = ModelCatalog.builtIn
    catalog.layers.append(Swish.self)
    catalog.losses.append(LogCosh.self)
    let text = "{ model: [affine: 4, { swish: , name: gate }, affine: 1], loss: log_cosh }"
    let reader = ConfigurationReader(
      try ConfigurationTree(text: text, source: "run.yaml", folder: "/data", overrides: []))
    let layers = try Layer.read(from: reader.root, catalog: catalog)
    #expect(layers == [.affine(4), Layer(Swish(), name: "gate"), .affine(1)])
    #expect(try Loss.read(from: reader.root, catalog: catalog) == Loss(LogCosh()))
    _ = try reader.finish()
  }

  @Test("are refused with their names where they give something else than rows")
  func refusals() {
    func text(_ layers: [Layer], _ loss: Loss = Loss(LogCosh())) -> String {
      do {
        _ = try network(layers, loss)
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    #expect(
      text([.affine(2), Layer(Faulty(fault: .shape))])
        == "layer 'faulty1': found an output of shape [2], expected [batch, ...]")
    #expect(text([Layer(Faulty(fault: .ownError))]) == "own error")
    #expect(
      text([.affine(1)], Loss(WideLoss()))
        == "loss 'wide': found losses or weights of shape [batch, 1], expected [batch]")
  }

  @Test("are told apart by their records: by type, properties and place")
  func records() throws {
    #expect(Layer(Swish()).record == "swish: ModelsTests.Swish Swish()")
    #expect(
      Layer(Faulty(fault: .shape), name: "f", from: ["a", "b"], isFrozen: true).record
        == #"faulty: ModelsTests.Faulty {fault: shape}, name: f, from: ["a", "b"], frozen"#)
    #expect(
      Layer(repeating: [.affine(3, bias: false), .activation(.elu(alpha: 0.5))], times: 2).record
        == "repeat: 2 × [affine: Models.Affine {units: 3, bias: false, weight: scaled(he, uniform), "
        + "biasValue: zeros, weightNorm: false}, elu: Models.Activation elu(alpha: 0.5)]")
    #expect(Loss(LogCosh()).record == "log_cosh: ModelsTests.LogCosh LogCosh()")
    #expect(
      Loss.crossEntropy(labelSmoothing: 0, classWeights: [1, 2]).record
        == "softmax_cross_entropy: Models.CrossEntropy {labelSmoothing: 0.0, classWeights: [1.0, 2.0]}"
    )
    let one = try network([.affine(1)]).graphRecord
    #expect(try network([.affine(1)]).graphRecord == one)
    #expect(try network([.affine(1)], .squaredNorm).graphRecord != one)
    #expect(one.hasPrefix("samples data [] [batch, 3]\n"))
  }
}

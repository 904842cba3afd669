// Models and rows that a program makes in Swift, in place of those that a configuration names.
import Communication
import Configuration
import DataParallel
import Foundation
import Graphs
import Models
import Tensors
import TestSupport
import Testing
import Training

/// `x · σ(β·x)` with a fixed β.
private struct Swish: LayerKind {
  let beta: Double
  /// Stands for what a new version of the code computes.
  nonisolated(unsafe) static var isRewritten = false

  var configurationName: String { "swish" }

  func output(of inputs: [Graph.Node], in builder: inout LayerBuilder) throws -> Graph.Node {
    let x = inputs[0]
    let scaled = try builder.graph.scale(x, by: beta)
    let gate = try Swish.isRewritten ? builder.graph.tanh(scaled) : builder.graph.sigmoid(scaled)
    return try builder.graph.add(.multiply, [x, gate])
  }
}

extension Swish: ConfigurableLayerKind {
  static var alternatives: [Alternative<any LayerKind>] {
    [
      Alternative("swish", primary: "beta", meaning: "x · σ(β·x)") {
        (section) throws(ConfigurationError) in
        Swish(beta: try section.number("beta", default: 1, meaning: "β"))
      }
    ]
  }
}

@Suite("Models and rows made in Swift", .serialized)
struct ProgramModelTests {
  private let settings =
    "batch_size: 8\nmicrobatches: 4\ncheckpoint: { every: 3, keep: 100 }\nepochs: "

  private func model(beta: Double = 1) -> Model {
    Model([.affine(6), Layer(Swish(beta: beta)), .affine(3)], loss: .softmaxCrossEntropy)
  }

  private func rows(_ count: Int = 20, classes: Int = 3) throws -> ArrayRows {
    var numbers = TestNumbers("rows made in Swift")
    let samples = numbers.tensor([count, 4]).values.map { Float($0) }
    return try ArrayRows(samples: samples, shape: [4], labels: (0..<count).map { $0 % classes })
  }

  private func train(
    _ model: Model, train: ArrayRows?, test: ArrayRows? = nil, settings: String,
    output: String? = nil, stopAfter: Int? = nil
  ) throws -> TrainingSession {
    var steps = 0
    let session = try TrainingSession(
      TrainingRequest(model, train: train, test: test, settings: settings, output: output),
      communicator: SoloCommunicator(),
      stopIsRequested: {
        steps += 1
        return stopAfter.map { steps >= $0 } ?? false
      })
    _ = try session.run()
    return session
  }

  private func problem(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test("train without a run directory, and give their parameters by name")
  func parameters() throws {
    let session = try train(
      model(), train: rows(), test: rows(7), settings: settings + "2\nevaluation: { top: 2 }")
    #expect(session.step == 6 && session.runPath == nil && session.checkpointPath == nil)
    #expect(session.evaluations.map(\.evaluation.count) == [7])
    let trained = session.trainedModel
    #expect(trained["affine1/weight"]?.shape == [6, 4] && trained["affine3/weight"] == nil)
    #expect(trained.step == 6)
    let again = try train(
      model(), train: rows(), test: rows(7), settings: settings + "2\nevaluation: { top: 2 }")
    #expect(again.trainedModel.digest() == trained.digest())
  }

  @Test("go on in a run directory to the same bits, and are read back from its checkpoints")
  func resume() throws {
    let folder = try RunFolder()
    let rows = try rows()
    let whole = try train(
      model(), train: rows, settings: settings + "4", output: folder.path("whole"))
    // A session that is kept keeps its run directory.
    _ = try train(
      model(), train: rows, settings: settings + "4", output: folder.path("part"), stopAfter: 4)
    let rest = try train(
      model(), train: rows, settings: settings + "4", output: folder.path("part"))
    #expect(rest.startStep == 4 && rest.step == 12)
    #expect(rest.trainedModel.digest() == whole.trainedModel.digest())
    let checkpoint = try #require(rest.checkpointPath)
    let read = try TrainedModel(checkpoint: checkpoint, model: model())
    #expect(read["affine2/bias"] == rest.trainedModel["affine2/bias"])
    #expect(
      problem { _ = try TrainedModel(checkpoint: checkpoint, model: model(beta: 2)) }.hasSuffix(
        "'model': found swish: TrainingTests.Swish {beta: 1.0}, expected swish: "
          + "TrainingTests.Swish {beta: 2.0}"))
    // The program nndist cannot know the layer.
    #expect(
      problem { _ = try TrainedModel(checkpoint: checkpoint) }.contains(
        "'model.0': unknown layer 'affine: Models.Affine {"))
  }

  @Test(
    "do not go on as another model: with other properties, or with code that computes another graph"
  )
  func otherModel() throws {
    let folder = try RunFolder()
    let rows = try rows()
    _ = try train(
      model(), train: rows, settings: settings + "4", output: folder.path("run"), stopAfter: 4)
    func goOn(_ model: Model) -> String {
      problem {
        _ = try train(model, train: rows, settings: settings + "4", output: folder.path("run"))
      }
    }
    let other = goOn(model(beta: 2))
    #expect(other.contains("swish: TrainingTests.Swish {beta: 1.0}"), "\(other)")
    Swish.isRewritten = true
    defer { Swish.isRewritten = false }
    let rewritten = goOn(model())
    #expect(rewritten.contains("'model_graph' is "), "\(rewritten)")
  }

  @Test("a layer in a catalog is named by configurations, and read back by them")
  func catalog() throws {
    let folder = try RunFolder()
    let path = try folder.write(
      """
      data: { train: \(bundled("iris")) }
      model: [affine: 4, swish: 2, affine: 3]
      batch_size: 40
      epochs: 1
      """)
    var request = TrainingRequest(
      configurationPath: path, output: folder.path("run"), kind: "test")
    request.catalog.layers.append(Swish.self)
    let session = try TrainingSession(request, communicator: SoloCommunicator())
    _ = try session.run()
    let checkpoint = try #require(session.checkpointPath)
    let read = try TrainedModel(checkpoint: checkpoint, catalog: request.catalog)
    #expect(read.network.layers.map(\.name) == ["affine1", "swish1", "affine2"])
    #expect(
      problem { _ = try TrainedModel(checkpoint: checkpoint) }.contains("unknown layer 'swish'"))
  }

  @Test("rows for validation are a share of the arrays")
  func validation() throws {
    let session = try train(
      model(), train: rows(), settings: settings + "1\ndata: { validation: 0.25 }")
    #expect(
      session.splits.train.rowCount == 15 && session.evaluations.map(\.split) == ["validation"])
  }

  @Test("arrays that make no rows, and settings that do not go with them, are refused")
  func refusals() throws {
    #expect(
      problem { _ = try ArrayRows(samples: [1, 2, 3], shape: [2], labels: [0, 1]) }
        == "arrays: found 3 numbers of samples, expected 4, of shape [2] for each of 2 rows")
    #expect(
      problem { _ = try ArrayRows(samples: [1, .nan], shape: [2], responses: [1]) }
        == "arrays: found nan in samples, expected finite numbers")
    #expect(
      problem { _ = try ArrayRows(samples: [1], shape: [1], labels: [-1]) }
        == "arrays: found label -1 of row 0, expected a class from 0")
    #expect(
      problem { _ = try ArrayRows(samples: [], shape: [1], labels: []) }
        == "arrays: found no rows, expected at least one")
    #expect(
      problem { _ = try train(model(), train: rows(classes: 4), settings: settings + "1") }
        == "arrays: found label 3 of row 3, expected one of 0 ..< 3")
    #expect(
      problem { _ = try train(model(), train: rows(), settings: "data: { train: x.h5 }") }
        == "settings:1: 'data.train': found x.h5, expected 'arrays'")
    #expect(
      problem { _ = try train(model(), train: rows(), settings: "model: [relu]") }
        == "settings:1: 'model': found relu, expected affine: Models.Affine {units: 6, bias: true, "
        + "weight: scaled(he, uniform), biasValue: zeros, weightNorm: false}")
    #expect(
      problem { _ = try train(model(), train: nil, settings: settings + "1") }
        == "settings: missing key 'data.train', expected the path of a file")
  }
}

// Runs of models that are no chain, with frozen and shared parameters, weighted classes and tables.

import Checkpoints
import Communication
import Datasets
import Models
import Tensors
import TestSupport
import Testing
import Training

private let residual = """
  data: { train: \(bundled("iris")), test: \(bundled("iris-test")) }
  model:
    - affine: 8
      frozen: true
      name: stem
    - repeat:
        times: 2
        layers:
          - affine: { units: 8, weight_norm: true }
          - tanh
          - add:
            from: [input, tanh1]
      name: block
    - affine: 8
      name: side
    - affine: 8
      share: side
      name: again
    - concatenate:
      from: [again, stem]
    - affine: 3
  loss: { softmax_cross_entropy: { label_smoothing: 0.1, class_weights: [1, 0.25, 3] } }
  optimizer: { adam: { learning_rate: 0.01, weight_decay: 0.1 } }
  batch_size: 32
  microbatches: 6
  epochs: 3
  seed: 5

  """

@Suite("Runs of models that are no chain")
struct GraphModelTests {
  @Test("end in one answer for any number of workers, and after a stop")
  func oneAnswer() throws {
    let folder = try RunFolder()
    let path = try folder.write(residual)
    try folder.train(path, ["run.workers=1"], to: "one")
    try folder.train(path, ["run.workers=3"], to: "three")
    try folder.train(path, to: "stopped", stopAfter: 5)
    try folder.train(path, to: "stopped")
    let digest = try folder.digest("one")
    #expect(try folder.digest("three") == digest)
    #expect(try folder.digest("stopped") == digest)
  }

  @Test("leave what is frozen as it began, and change all else")
  func frozen() throws {
    let folder = try RunFolder()
    let path = try folder.write(residual)
    let (session, _) = try folder.train(path)
    let model = try TrainedModel(checkpoint: try #require(session.checkpointPath))
    let network = model.network
    let initial = FloatBuffer(count: network.layout.count)
    network.writeInitialValues(into: initial, seed: 5)
    for parameter in network.parameters {
      let range = try #require(network.layout[parameter.name])
      let isSame = range.indices.allSatisfy {
        initial.pointer[$0].bitPattern == model.parameters.pointer[$0].bitPattern
      }
      #expect(isSame == (parameter.name.hasPrefix("stem/")), "\(parameter.name)")
    }
  }

  @Test("learn which row of a table to take")
  func table() throws {
    let folder = try RunFolder()
    let writer = try DatasetWriter(
      path: folder.path("words.h5"),
      arrays: [
        .init(name: "samples", type: .float32, shape: [96, 2]),
        .init(name: "labels", type: .int64, shape: [96]),
      ])
    var numbers = TestNumbers("words")
    let words = (0..<192).map { _ in numbers.below(12) }
    try writer.append(words.map { Float($0) }, to: "samples")
    // Whether both words are even or both odd: no sum of two numbers tells.
    let labels: [Int64] = (0..<96).map { row in Int64((words[2 * row] + words[2 * row + 1]) % 2) }
    try writer.append(labels, to: "labels")
    try writer.finish()
    let path = try folder.write(
      """
      data: { train: words.h5, test: words.h5 }
      model: [{ embedding: { count: 12, units: 3 } }, affine: 8, tanh, affine: 2]
      optimizer: { adam: 0.02 }
      batch_size: 16
      microbatches: 4
      epochs: 60

      """)
    let (session, _) = try folder.train(path)
    let evaluation = try #require(session.evaluations.first?.evaluation)
    #expect(evaluation.correct == 96)
    let place = try #require(words.firstIndex(of: 11))
    let few = { try folder.train(path, ["model.0.embedding.count=11"], to: "few") }
    #expect(
      message { _ = try few() }
        == "\(folder.path("words.h5")): row \(place / 2) of the samples holds 11.0 at element "
        + "\(place % 2), expected a whole number within 0..<11, which layer 'embedding1' has")
    let other = try TrainedModel(checkpoint: try #require(session.checkpointPath))
    #expect(throws: TrainingError.self) {
      _ = try other.open(bundled("iris"), needsTargets: false)
    }
  }
}

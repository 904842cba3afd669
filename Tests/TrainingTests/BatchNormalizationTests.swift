// Batch normalisation in whole runs, against PyTorch: Tests/Reference/batch_norm.py.

import Checkpoints
import Datasets
import Foundation
import Models
import Tensors
import TestSupport
import Testing
import Training

private struct Reference: Decodable {
  let losses: [Double]
  let states: [[Double]]
  let evaluation: Double

  init() throws {
    let url = repository.appendingPathComponent("Tests/Reference/batch_norm.json")
    self = try JSONDecoder().decode(Reference.self, from: Data(contentsOf: url))
  }
}

/// The formula of the script.
private func numbers(_ count: Int, salt: Int, scale: Float = 1) -> [Float] {
  (0..<count).map { Float(($0 * 7919 + salt * 104_729) % 2003 - 1001) / 1001 * scale }
}

@Suite("Batch normalisation")
struct BatchNormalizationTests {
  private func configuration(_ folder: RunFolder, statistics: String) throws -> String {
    try writeRows(to: folder.path("rows.h5"))
    return try folder.write(
      """
      data: { train: rows.h5, test: rows.h5, shuffle: false }
      model:
        - conv2d: { channels: 3, kernel: 3, padding: 1 }
        - batch_norm: { statistics: \(statistics) }
        - relu
        - max_pool2d: 2
        - affine: 6
        - batch_norm: { statistics: \(statistics), momentum: 0.3, epsilon: 0.001 }
        - tanh
        - affine: 3
      optimizer: { sgd: { learning_rate: 0.1, momentum: 0.9 } }
      batch_size: 16
      microbatches: 1
      epochs: 4

      """)
  }

  private func writeRows(to path: String) throws {
    let writer = try DatasetWriter(
      path: path,
      arrays: [
        .init(name: "samples", type: .float32, shape: [40, 1, 6, 6]),
        .init(name: "labels", type: .int64, shape: [40]),
      ], replacing: true)
    try writer.append(numbers(40 * 36, salt: 5), to: "samples")
    try writer.append((0..<40).map { Int64($0 % 3) }, to: "labels")
    try writer.finish()
  }

  /// Writes a checkpoint of the initial parameters and states.
  private func writeInitial(_ network: Network, to path: String) throws {
    let vector = FloatBuffer(count: network.layout.count)
    network.writeInitialValues(into: vector, seed: 1)
    for (index, range) in network.parameterLayout.ranges.enumerated() {
      for (offset, number) in numbers(range.count, salt: 31 + index, scale: 0.5).enumerated() {
        vector.pointer[range.offset + offset] = number
      }
    }
    var content = CheckpointContent(RunRecord())
    content.add("parameters", network.parameterLayout, from: vector)
    content.add("state", network.stateLayout, from: vector)
    try content.write(to: path)
  }

  @Test("steps, running averages and evaluation are PyTorch's")
  func steps() throws {
    try compare(statistics: "microbatch", [])
  }

  @Test(
    "over all microbatches the answer is that of one",
    arguments: [1, 6, 8, 16])
  func total(microbatches: Int) throws {
    try compare(
      statistics: "batch", ["microbatches=\(microbatches)", "run.workers=\(1 + microbatches % 3)"])
  }

  private func compare(statistics: String, _ overrides: [String]) throws {
    let reference = try Reference()
    let folder = try RunFolder()
    let path = try configuration(folder, statistics: statistics)
    let (dry, _) = try folder.train(path, ["epochs=1"], to: "dry")
    try writeInitial(dry.plan.network, to: folder.path("initial.h5"))
    var losses: [Double] = []
    let (session, _) = try folder.train(
      path, overrides, initialCheckpoint: folder.path("initial.h5")
    ) { event in
      if case .step(_, _, _, let loss) = event { losses.append(loss) }
    }
    try #require(losses.count == reference.losses.count)
    for (found, expected) in zip(losses, reference.losses) {
      #expect(abs(found - expected) < 1e-5, "\(found) \(expected)")
    }
    let evaluation = try #require(session.evaluations.first).evaluation
    #expect(abs(evaluation.loss - reference.evaluation) < 1e-5)
    let model = try TrainedModel(checkpoint: #require(session.checkpointPath))
    for (range, expected) in zip(model.network.stateLayout.ranges, reference.states) {
      let found = model.parameters.elements[range.indices]
      for (found, expected) in zip(found, expected) {
        #expect(abs(Double(found) - expected) < 1e-5, "\(range.name): \(found) \(expected)")
      }
    }
  }

  @Test("a microbatch of one row has no variance of a channel with one value")
  func oneRow() throws {
    let folder = try RunFolder()
    let path = try configuration(folder, statistics: "microbatch")
    #expect(
      message { try folder.train(path, ["microbatches=16"]) }
        == "layer 'batch_norm2': found a microbatch of 1 row, whose channels have no variance, in "
        + "steps of 16 rows and 16 microbatches; expected at least 2 rows: at most 8 microbatches, "
        + "'statistics: batch', or a batch_size that leaves another rest")
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test(
    "a rest of one row is refused, and the size of the batch named",
    arguments: ["microbatch", "batch"])
  func restOfOneRow(statistics: String) throws {
    let folder = try RunFolder()
    let path = try configuration(folder, statistics: statistics)
    #expect(
      message { try folder.train(path, ["batch_size=39"]) }
        == "layer 'batch_norm2': found a step of 1 row, whose channels have no variance; expected at "
        + "least 2 rows: set a batch_size that leaves no rest of 1 row at the end of an epoch")
  }

  @Test("a rest of any other number of rows is trained on by default", arguments: [2, 3, 7, 10])
  func rest(rows: Int) throws {
    let folder = try RunFolder()
    let path = try configuration(folder, statistics: "microbatch")
    let (session, _) = try folder.train(
      path, ["batch_size=\(40 - rows)", "microbatches=null", "data.test=null"])
    #expect(session.step == 8)
    #expect(session.plan.microbatches == (rows == 7 ? 2 : 1))
    #expect(session.notices == [])
  }
}

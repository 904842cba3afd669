// Mean and deviation of the samples: what is measured, and that it goes wherever the parameters go.

import CPUBackend
import Checkpoints
import Communication
import DataParallel
import Datasets
import Foundation
import Models
import Tensors
import TestSupport
import Testing
import Training

/// Samples in memory.
private final class Samples: RowSource {
  let rowCount: Int
  private let values: [Float]

  init(_ rowCount: Int, _ values: [Float]) {
    self.rowCount = rowCount
    self.values = values
  }

  func read(
    _ rows: UnsafeBufferPointer<Int>, samples: UnsafeMutablePointer<Float>, targets: TargetMemory?
  ) {
    let count = values.count / rowCount
    for (index, row) in rows.enumerated() {
      for place in 0..<count { samples[index * count + place] = values[row * count + place] }
    }
  }
}

@Suite("Normalisation of samples")
struct InputNormalizationTests {
  private func statistics(
    _ samples: Samples, _ shape: Shape, _ normalization: InputNormalization, workers: Int = 1
  ) throws -> InputStatistics {
    try InputStatistics(
      of: samples, sampleShape: shape, normalization, workers: workers,
      communicator: SoloCommunicator())
  }

  @Test(
    "measures each element, or each entry of the first axis; what never changes is divided by 1")
  func measures() throws {
    // Two images of two channels and two pixels; the last pixel never changes.
    let samples = Samples(2, [1, 3, 10, 7, /**/ 5, 7, 20, 7])
    let element = try statistics(samples, [2, 1, 2], .element)
    #expect(element.means == [3, 5, 15, 7])
    #expect(element.deviations == [2, 2, 5, 1])
    let channel = try statistics(samples, [2, 1, 2], .channel)
    #expect(channel.means == [4, 11])
    #expect(channel.deviations == [Float(5).squareRoot(), Float(28.5).squareRoot()])
    #expect(try statistics(samples, [4], .channel) == element)
  }

  @Test("is exact where the mean is far from 0, and where nothing changes")
  func farMean() throws {
    let far = Samples(1000, (0..<1000).map { 1e6 + Float($0 % 2) })
    #expect(try statistics(far, [1], .element).deviations == [0.5])
    let still = Samples(777, Array(repeating: 0.1, count: 777 * 3))
    let statistics = try statistics(still, [3], .element)
    #expect(statistics.means == [0.1, 0.1, 0.1])
    #expect(statistics.deviations == [1, 1, 1])
  }

  @Test("is the same in every bit on any number of workers, and as exact as two passes in Double")
  func workers() throws {
    var numbers = TestNumbers("samples to normalise")
    let (count, shape) = (301, Shape([3, 5, 7]))
    let values = (0..<count * shape.count).map { _ in Float(numbers.uniform(2...9)) }
    for normalization in [InputNormalization.channel, .element] {
      let samples = Samples(count, values)
      let expected = try statistics(samples, shape, normalization)
      for workers in 2...5 {
        #expect(try statistics(samples, shape, normalization, workers: workers) == expected)
      }
      let groups = expected.means.count
      for group in 0..<groups {
        let own = values.indices.filter { $0 % shape.count * groups / shape.count == group }
          .map { Double(values[$0]) }
        let mean = own.reduce(0, +) / Double(own.count)
        let variance = own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(own.count)
        #expect(abs(Double(expected.means[group]) - mean) < 1e-6)
        #expect(abs(Double(expected.deviations[group]) - variance.squareRoot()) < 1e-6)
      }
    }
  }

  private static let digits = """
    data:
      train: \(bundled("digits"))
      test: \(bundled("digits-test"))
      validation: 0.2
      normalize: element
    model: [affine: 16, relu, affine: 10]
    batch_size: 150
    microbatches: 6
    epochs: 2
    evaluation: { every: 16 }

    """

  @Test("keeps mean and deviation of the training rows alone in the checkpoint, from the start")
  func checkpoint() throws {
    let folder = try RunFolder()
    let path = try folder.write(InputNormalizationTests.digits)
    try folder.train(path, ["checkpoint.at_start=true", "checkpoint.keep=100"])
    let dataset = try Dataset.open(bundled("digits"))
    let train = try RowSelection.split(1500, validation: 0.2, seed: 1).train
    let expected = try InputStatistics(
      of: DatasetRows(dataset, selection: train), sampleShape: [1, 8, 8], .element, workers: 1,
      communicator: SoloCommunicator())
    for step in [0, 16] {
      let model = try TrainedModel(
        checkpoint: folder.path("run/checkpoints/\(String(format: "step-%010d.h5", step))"))
      for (name, values) in [
        ("input/mean", expected.means), ("input/deviation", expected.deviations),
      ] {
        let range = try #require(model.network.layout[name])
        #expect(Array(model.parameters.elements[range.indices]) == values, "\(name) at \(step)")
      }
    }
  }

  @Test("is part of the model: a checkpoint evaluates as training did, with raw data")
  func evaluation() throws {
    let folder = try RunFolder()
    let path = try folder.write(InputNormalizationTests.digits)
    let (session, _) = try folder.train(path)
    let model = try TrainedModel(checkpoint: folder.path("run/checkpoints/step-0000000016.h5"))
    let rows = try model.open(bundled("digits-test"), needsTargets: true)
    let evaluator = try Evaluator(
      model.network, parameters: model.parameters, rowCounts: [297],
      options: .init(pieceSize: 256), backend: CPU(), communicator: SoloCommunicator())
    let expected = try #require(session.evaluations.last)
    #expect(expected.split == "test")
    #expect(try evaluator.evaluate(rows) == expected.evaluation)
  }

  @Test("trains as on data that was normalised before")
  func sameAsBefore() throws {
    let folder = try RunFolder()
    // The bundled iris is normalised by scale and bias, from mean and deviation of the training rows.
    let text = """
      data: { train: \(bundled("iris")) }
      model: [affine: 8, tanh, affine: 3]
      batch_size: 40
      microbatches: 2
      epochs: 3

      """
    let path = try folder.write(text)
    for normalization in ["none", "channel", "element"] {
      try folder.train(path, ["data.normalize=\(normalization)"], to: normalization)
    }
    #expect(try folder.records("channel") == folder.records("element"))
    let losses = try ["none", "element"].map { name in
      try folder.records(name).compactMap { $0.firstMatch(of: /"loss":([0-9.]+)/) }
        .compactMap { Double($0.1) }
    }
    #expect(losses[0].count == 9 && losses[1].count == 9)
    for (before, now) in zip(losses[0], losses[1]) { #expect(abs(before - now) < 1e-4) }
  }

  @Test("gives the same run on any number of workers, after a stop, and refuses to be changed")
  func run() throws {
    let folder = try RunFolder()
    let path = try folder.write(InputNormalizationTests.digits)
    try folder.train(path, ["run.workers=1"], to: "whole")
    try folder.train(path, ["run.workers=3"], to: "workers")
    #expect(try folder.digest("workers") == folder.digest("whole"))
    #expect(try folder.train(path, stopAfter: 5).ending == .stopped)
    #expect(try folder.train(path).session.startStep == 5)
    #expect(try folder.digest() == folder.digest("whole"))
    #expect(try folder.records() == folder.records("whole"))
    #expect(
      message { try folder.train(path, ["data.normalize=channel"]) }
        .contains("'data.normalize' is element, not channel"))
  }

  @Test("is refused by name where samples name rows of tables, as random changes are")
  func tables() throws {
    let folder = try RunFolder()
    let path = try folder.write(
      "data: { train: \(bundled("digits")) }\nbatch_size: 50\n"
        + "model: [embedding: { count: 17, units: 2 }, affine: 10]\n")
    #expect(
      message { try folder.train(path, ["data.normalize=channel"], isDryRun: true) }
        .contains("numbers that are multiply of 'input'"))
    #expect(
      message { try folder.train(path, ["data.augment.flip=true"], isDryRun: true) }
        == "data.augment is set for samples that name rows of tables, expected images of shape "
        + "[channels, height, width]")
  }
}

import ArgumentParser
import Communication
import Datasets
import Execution
import Foundation
import Models
import Numerics
import Tensors
import Training

/// `nndist predict`.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Writes the predictions of a checkpoint for all rows of a data file.",
    discussion: """
      The output is HDF5: 'labels' [N] and 'probabilities' [N, classes], or 'responses' [N, M], \
      which are probabilities where the loss is binary_cross_entropy.
      """)

  @Argument(help: "The checkpoint.") var checkpoint: String
  @Option(help: "The data file, HDF5; it needs no targets.") var data: String
  @Option(help: "The file to write.") var output: String
  @OptionGroup var names: DatasetNameOptions
  @Flag(help: "Replaces the file if it exists.") var replace = false

  func validate() throws {
    try requireApart(
      output, option: "--output", from: [("the data file", data), ("the checkpoint", checkpoint)])
  }

  func run() throws {
    Job.onAllRanks(self) { communicator in
      let (model, rows, evaluator) = try names.open(
        data, for: checkpoint, needsTargets: false, communicator)
      let writer = try communicator.agreeingOnFailure {
        communicator.isRoot ? try PredictionWriter(output, model, rows, replace) : nil
      }
      var failure: (any Error)?
      try evaluator.predict(rows) { outputs in
        guard let writer, failure == nil else { return }
        do { try writer.append(outputs) } catch { failure = error }
      }
      try communicator.agreeingOnFailure {
        if let failure { throw failure }
        try writer?.finish()
      }
      if communicator.isRoot {
        print("\(output): predictions for \(counted(rows.rowCount, "row"))")
      }
      return 0
    }
  }
}

/// A writer of predictions, block by block.
private final class PredictionWriter {
  private let writer: DatasetWriter
  private let outputCount: Int
  private let lossKind: Loss
  private let arithmetic: any FlatArithmetic

  init(_ path: String, _ model: TrainedModel, _ rows: DatasetRows, _ replacing: Bool) throws {
    let network = model.network
    arithmetic = model.configuration.backend.arithmetic
    outputCount = network.outputCount
    lossKind = network.lossKind
    let (count, width) = (rows.rowCount, network.outputCount)
    var arrays = [DatasetWriter.Array(name: "responses", type: .float32, shape: [count, width])]
    if lossKind.takesLabels {
      arrays = [
        DatasetWriter.Array(
          name: "labels", type: .int64, shape: [count],
          attributes: rows.dataset.classNames.map { ["class_names": .texts($0)] } ?? [:]),
        DatasetWriter.Array(name: "probabilities", type: .float32, shape: [count, width]),
      ]
    }
    writer = try DatasetWriter(path: path, arrays: arrays, replacing: replacing)
  }

  func append(_ outputs: [Float]) throws {
    guard lossKind.takesLabels else {
      var responses = outputs
      if lossKind.outputActivation == .sigmoid { applySigmoid(&responses) }
      return try writer.append(responses, to: "responses")
    }
    let rows = outputs.count / outputCount
    var labels = [Int32](repeating: 0, count: rows)
    var probabilities = [Float](repeating: 0, count: outputs.count)
    outputs.withUnsafeBufferPointer { outputs in
      guard let logits = outputs.baseAddress else { return }
      labels.withUnsafeMutableBufferPointer { labels in
        guard let labels = labels.baseAddress else { return }
        Classification.argmax(logits, rows: rows, classes: outputCount, into: labels)
      }
      probabilities.withUnsafeMutableBufferPointer { probabilities in
        guard let probabilities = probabilities.baseAddress else { return }
        arithmetic.softmax(logits, rows: rows, columns: outputCount, into: probabilities)
      }
    }
    try writer.append(labels.map { Int64($0) }, to: "labels")
    try writer.append(probabilities, to: "probabilities")
  }

  func finish() throws { try writer.finish() }
}

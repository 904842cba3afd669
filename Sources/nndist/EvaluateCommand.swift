import ArgumentParser
import Communication
import Datasets
import Foundation
import Models
import Runs
import Training

/// The options that name the datasets inside a file.
struct DatasetNameOptions: ParsableArguments {
  @Option(name: .customLong("samples"), help: "The name of the dataset of samples in the file.")
  var samples: String?
  @Option(name: .customLong("targets"), help: "The name of the dataset of labels or responses.")
  var targets: String?

  /// Opens a checkpoint and a data file that fits it, the same on all ranks, ready to be evaluated.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - data: The data file.
  ///   - checkpoint: The checkpoint.
  ///   - needsTargets: Whether targets are wanted; without, only predictions can be asked for.
  ///   - communicator: The ranks.
  /// - Returns: The model, the rows, and the evaluator of the one on the other.
  /// - Throws: `CommunicationError`, in which failures of all kinds are agreed on by all ranks.
  func open(
    _ data: String, for checkpoint: String, needsTargets: Bool, _ communicator: any Communicator
  ) throws(CommunicationError) -> (TrainedModel, DatasetRows, Evaluator) {
    let (model, rows) = try communicator.together {
      let model = try TrainedModel(checkpoint: checkpoint)
      let rows = try model.open(
        data, samples: samples, targets: targets, needsTargets: needsTargets)
      return (model, rows)
    }
    try communicator.requireSame(rows.dataset.fingerprint, named: "content of \(data)")
    let evaluator = try Evaluator(
      model.network, rowCounts: [rows.rowCount], blockSize: model.configuration.evaluationBlock,
      workers: communicator.placement.ownCoreCount, parameters: model.parameters,
      hasTargets: needsTargets, communicator: communicator)
    return (model, rows, evaluator)
  }
}

/// `nndist evaluate`.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Evaluates a checkpoint on all rows of a data file.")

  @Argument(help: "The checkpoint.") var checkpoint: String
  @Option(help: "The data file, HDF5.") var data: String
  @OptionGroup var names: DatasetNameOptions
  @Flag(help: "Prints one line of JSON.") var json = false

  func run() throws {
    try Job.onAllRanks { communicator in
      let (model, rows, evaluator) = try names.open(
        data, for: checkpoint, needsTargets: true, communicator)
      let evaluation = try evaluator.evaluate(rows)
      guard communicator.isRoot else { return 0 }
      if json {
        print(
          jsonObject([
            ("checkpoint", .string(checkpoint)), ("data", .string(data)),
            ("step", .integer(model.step)), ("loss", .double(evaluation.loss)),
            ("correct", evaluation.correct.map { .integer($0) } ?? .null),
            ("count", .integer(evaluation.count)),
          ]))
      } else {
        print("\(data): \(evaluation.text)")
      }
      return 0
    }
  }
}

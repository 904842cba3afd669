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
      let (model, rows) = try communicator.together {
        let model = try TrainedModel(checkpoint: checkpoint)
        let rows = try model.open(
          data, samples: names.samples, targets: names.targets, needsTargets: true)
        return (model, rows)
      }
      try communicator.requireSame(rows.dataset.fingerprint, named: "content of \(data)")
      let evaluator = try Evaluator(
        model.network, rowCounts: [rows.rowCount],
        blockSize: model.configuration.evaluationBlock,
        workers: communicator.placement.ownCoreCount, parameters: model.parameters,
        communicator: communicator)
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

import ArgumentParser
import Communication
import Datasets
import Execution
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
  @OptionGroup var reading: SampleReadingOptions
  @Option(
    help: """
      Which parameters of the checkpoint to use: 'average', the moving average where there is one, \
      or 'raw', as the last step left them.
      """) var parameters = ParameterChoice.average

  private var settings: TrainedModel.Reading {
    var settings = TrainedModel.Reading()
    (settings.samples, settings.targets) = (samples, targets)
    settings.layout = reading.layout
    (settings.scale, settings.bias) = (reading.scales, reading.biases)
    return settings
  }

  /// Opens a checkpoint and a data file that fits it, the same on all ranks, ready to be evaluated.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - data: The data file.
  ///   - checkpoint: The checkpoint.
  ///   - needsTargets: True to evaluate; false to compute only predictions.
  ///   - top: The value of `--top`.
  ///   - communicator: The ranks.
  /// - Returns: The model, the rows, and the evaluator of the model on the rows.
  /// - Throws: `CommunicationError`, which wraps any failure after all ranks agree on it.
  func open(
    _ data: String, for checkpoint: String, needsTargets: Bool, top: Int? = nil,
    _ communicator: any Communicator
  ) throws(CommunicationError) -> (TrainedModel, DatasetRows, Evaluator) {
    let model = try communicator.agreeingOnFailure {
      let model = try TrainedModel(checkpoint: checkpoint, isRaw: parameters == .raw)
      try model.network.requireTop(top, key: "--top")
      return model
    }
    if communicator.size > 1 {
      // Ranks divide the rows: other bits on one rank would end up in the common result.
      try communicator.requireSame(
        model.configuration.environment.description, named: "arithmetic")
      try communicator.requireSame(model.digest(), named: "content of \(checkpoint)")
    }
    let sharing = try RowSharing(communicator, limit: model.configuration.sharedMemoryLimit)
    let rows = try sharing.open { open in
      try model.open(data, reading: settings, needsTargets: needsTargets, by: open)
    }
    try communicator.requireSame(rows.dataset.fingerprint, named: "content of \(data)")
    if communicator.isRoot {
      for notice in rows.dataset.notices { printErrorLine("notice: \(notice.text)") }
    }
    var options = Evaluator.Options(pieceSize: model.configuration.evaluationBlock)
    options.workers = communicator.placement.ownCoreCount
    options.hasTargets = needsTargets
    options.top = top
    let evaluator = try Evaluator(
      model.network, parameters: model.parameters, rowCounts: [rows.rowCount], options: options,
      backend: model.configuration.backend, communicator: communicator)
    return (model, rows, evaluator)
  }
}

/// The options for the conversion of stored samples to values.
struct SampleReadingOptions: ParsableArguments {
  @Option(
    help: "Where samples have their channels, chw or hwc, instead of what checkpoint and file say.",
    transform: { text in
      guard let layout = SampleLayout(rawValue: text) else {
        throw ValidationError("found '\(text)', expected chw or hwc")
      }
      return layout
    })
  var layout: SampleLayout?
  @Option(
    parsing: .unconditional,
    help: "The factor of stored samples, or one per channel, joined by commas; likewise.")
  var scale: String?
  @Option(
    parsing: .unconditional,
    help: "What is added to scaled samples, or one per channel, joined by commas; likewise.")
  var bias: String?

  var scales: [Double]? { scale.map(numbers) }
  var biases: [Double]? { bias.map(numbers) }

  func validate() throws {
    for (name, text) in [("--scale", scale), ("--bias", bias)] {
      guard let text, !numbers(text).allSatisfy(\.isFinite) else { continue }
      throw ValidationError(
        "\(name): found '\(text)', expected finite numbers such as 0.5 or 1,1,2")
    }
  }

  /// Returns the numbers in a text, with NaN for anything else.
  private func numbers(_ text: String) -> [Double] {
    text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) ?? .nan }
  }
}

/// `nndist evaluate`.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Evaluates a checkpoint on all rows of a data file.",
    discussion: """
      For class labels: accuracy, precision, recall and F1 of each class, their means over the \
      classes that occur, and which classes are taken for which. For responses: mean squared and \
      absolute error and R² of each, and of all, where R² weights each by its variance. The same \
      bits on any number of ranks.
      """)

  @Argument(help: "The checkpoint.") var checkpoint: String
  @Option(help: "The data file, HDF5.") var data: String
  @Option(help: "Also counts the rows whose label is among that many largest outputs.")
  var top: Int?
  @OptionGroup var names: DatasetNameOptions
  @Flag(help: "Prints one line of JSON.") var json = false

  func run() throws {
    Job.onAllRanks(self) { communicator in
      let (model, rows, evaluator) = try names.open(
        data, for: checkpoint, needsTargets: true, top: top, communicator)
      let report = try evaluator.report(on: rows)
      guard communicator.isRoot else { return 0 }
      let classNames = rows.dataset.classNames
      if json {
        let origin: [(key: String, value: JSONValue)] = [
          ("checkpoint", .string(checkpoint)), ("data", .string(data)),
          ("step", .integer(model.step)),
        ]
        print(jsonObject(origin + report.fields(classNames: classNames)))
      } else {
        print("\(data): \(report.evaluation.text)")
        for line in report.detailLines(classNames: classNames) { print(line) }
      }
      return 0
    }
  }
}

extension Dataset {
  /// The names of the classes, if the file has them.
  var classNames: [String]? {
    if case .labels(let names) = targets { names } else { nil }
  }
}

/// A value of `--parameters`.
enum ParameterChoice: String, CaseIterable, ExpressibleByArgument {
  case average, raw
}

// Small runs in this process, on the bundled data or on rows made here.

import Checkpoints
import Communication
import Datasets
import Execution
import Foundation
import Models
import Tensors
import TestSupport
import Testing
import Training

/// A folder for the runs of one test.
struct RunFolder {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A path in the folder.
  func path(_ name: String) -> String { folder.file(name) }

  /// Writes a configuration and returns its path.
  func write(_ text: String, to name: String = "run.yaml") throws -> String {
    try folder.write(Array(text.utf8), to: name)
  }

  /// The bundled file of that name.
  static func bundled(_ name: String) -> String {
    repository.appendingPathComponent("datasets/\(name).h5").path
  }

  /// Trains in this process alone, from the configuration of that name.
  @discardableResult
  func train(
    _ configuration: String, _ overrides: [String] = [], to output: String = "run",
    isFresh: Bool = false, initialCheckpoint: String? = nil, isDryRun: Bool = false,
    stopAfter: Int? = nil, trace: TraceRequest? = nil, backend: (any Backend)? = nil,
    report: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws -> (session: TrainingSession, ending: TrainingSession.Ending) {
    let steps = Counter()
    let session = try TrainingSession(
      TrainingRequest(
        configurationPath: configuration, overrides: overrides, output: path(output),
        kind: "test", isFresh: isFresh, initialCheckpoint: initialCheckpoint, isDryRun: isDryRun,
        trace: trace, backend: backend),
      communicator: SoloCommunicator(),
      // Asked once a step, before the step is counted.
      stopIsRequested: { stopAfter.map { steps.next() >= $0 } ?? false },
      report: report)
    return (session, try session.run())
  }

  /// The digest of the newest checkpoint of a run.
  func digest(_ output: String = "run") throws -> String {
    let (checkpoint, _) = try CheckpointFolder(path("\(output)/checkpoints")).newestGood()
    return try #require(checkpoint).digest()
  }

  /// The parameters of a checkpoint and where each lies, the average where there is one.
  func parameters(
    _ checkpoint: String, isRaw: Bool = false
  ) throws -> (layout: FlatLayout, elements: [Float]) {
    let model = try TrainedModel(checkpoint: path(checkpoint), isRaw: isRaw)
    return withExtendedLifetime(model) {
      (model.network.layout, Array(model.parameters.elements))
    }
  }

  /// The steps of the checkpoints of a run.
  func checkpointSteps(_ output: String = "run") throws -> [Int] {
    try CheckpointFolder(path("\(output)/checkpoints")).entries().map(\.step)
  }

  /// The records of a run, without those of time.
  func records(_ output: String = "run") throws -> [String] {
    String(decoding: try contents(of: path("\(output)/metrics.jsonl")), as: UTF8.self)
      .split(separator: "\n").map(String.init).filter { !$0.contains("\"kind\":\"timing\"") }
  }
}

/// Counts from 1.
final class Counter {
  private var count = 0
  func next() -> Int {
    count += 1
    return count
  }
}

/// The message of the error that a body throws.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "nothing was thrown"
  } catch {
    return "\(error)"
  }
}

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

/// The configuration of a run of 16 steps on the bundled flowers.
let irisRun = """
  data: { train: \(bundled("iris")), test: \(bundled("iris-test")) }
  model: [affine: 8, tanh, affine: 3]
  optimizer: { adam: 0.01 }
  batch_size: 32
  microbatches: 6
  epochs: 4
  checkpoint: { every: 5, keep: 100 }
  evaluation: { every: 3 }
  seed: 5

  """

/// A folder for the runs of one test.
struct RunFolder {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A path in the folder.
  func path(_ name: String) -> String { folder.file(name) }

  /// Writes a configuration and returns its path.
  func write(_ text: String, to name: String = "run.yaml") throws -> String {
    try folder.write(text, to: name)
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
    var request = TrainingRequest(
      configurationPath: configuration, overrides: overrides, output: path(output), kind: "test")
    request.isFresh = isFresh
    request.initialCheckpoint = initialCheckpoint
    request.isDryRun = isDryRun
    request.trace = trace
    request.backend = backend
    let session = try TrainingSession(
      request, communicator: SoloCommunicator(),
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
  func records(_ output: String = "run") throws -> [String] { try folder.records(output) }
}

/// Counts from 1.
final class Counter {
  private var count = 0
  func next() -> Int {
    count += 1
    return count
  }
}

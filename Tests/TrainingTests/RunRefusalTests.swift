// Runs that are refused, or end, with a message: by their configuration, their data or their losses.

import Datasets
import Foundation
import Runs
import TestSupport
import Testing
import Training

@Suite("Refusal of a run")
struct RunRefusalTests {
  @Test("stops at a loss that is no number, keeps the checkpoints before it, and is not resumed")
  func nonfiniteLoss() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun.replacingOccurrences(of: "tanh", with: "relu"))
    let overrides = ["optimizer={sgd: 1e30}", "checkpoint.at_start=true"]
    let text = message { try folder.train(path, overrides) }
    #expect(
      text == "loss of step 2 is nan, expected a finite number; a smaller learning_rate may help; "
        + "checkpoints before it are kept")
    #expect(try folder.checkpointSteps() == [0])
    let status = try #require(try RunStatus.read(inFolder: folder.path("run")))
    #expect(status.state == .failed)
    #expect(status.message == text)
    #expect(!status.isUnfinished)
  }

  @Test("names the key that changed since the run began")
  func changedKey() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    try folder.train(path, stopAfter: 3)
    for (override, words) in [
      ("seed=6", "'seed' is 5, not 6"), ("batch_size=31", "'batch_size' is 32, not 31"),
      ("microbatches=7", "'microbatches' is 6, not 7"),
      ("model.0.affine.units=9", "'model.0.affine.units' is 8, not 9"),
    ] {
      let text = message { try folder.train(path, [override]) }
      #expect(
        text == "\(folder.path("run"))/config.yaml: \(words); only epochs, checkpoint, evaluation, "
          + "metrics and run may change; --fresh starts over, another --output begins another run")
    }
    #expect(try folder.checkpointSteps() == [3])
    // These may change.
    let (session, _) = try folder.train(
      path, ["epochs=2", "checkpoint=never", "evaluation=never", "metrics=2", "run.workers=1"])
    #expect(session.startStep == 3)
    #expect(session.step == 8)
  }

  @Test("names the data that changed since the run began")
  func changedData() throws {
    let folder = try RunFolder()
    let data = folder.path("data.h5")
    func write(_ value: Float) throws {
      let writer = try DatasetWriter(
        path: data,
        arrays: [
          .init(name: "samples", type: .float32, shape: [8, 2]),
          .init(name: "labels", type: .int64, shape: [8]),
        ], replacing: true)
      try writer.append((0..<16).map { $0 == 3 ? value : Float($0) / 16 }, to: "samples")
      try writer.append((0..<8).map { Int64($0 % 2) }, to: "labels")
      try writer.finish()
    }
    try write(0)
    let path = try folder.write(
      "data: { train: data.h5 }\nmodel: [affine: 2]\nbatch_size: 3\nepochs: 2\n")
    try folder.train(path, stopAfter: 2)
    try write(1)
    let text = message { try folder.train(path) }
    #expect(text.hasPrefix("\(data): train data has fingerprint "))
    #expect(text.hasSuffix(" as when the run began"))
    try write(0)
    #expect(try folder.train(path).session.startStep == 2)
  }

  @Test(
    "names the thing, what was found and what was expected, and makes no run directory",
    arguments: [
      (
        "batch_size=121",
        "batch_size is 121 but \(bundled("iris")) has only 120 rows to train on; "
          + "expected at most that many"
      ),
      (
        "model=[affine: 2]",
        "\(bundled("iris")): 'labels' row 80 is 2, expected a class within 0..<2"
      ),
      (
        "data.test=\(bundled("digits-test"))",
        "\(bundled("digits-test")): found samples of shape [1, 8, 8], expected [4] as in "
          + bundled("iris")
      ),
      (
        "model=[{affine: 3, name: a}, {affine: 3, name: a}]", "two layers are named 'a'"
      ),
      (
        "data.train=no-such.h5", "no-such.h5: No such file or directory"
      ),
    ])
  func refusals(override: String, expected: String) throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    let text = message { try folder.train(path, [override]) }
    #expect(text.hasSuffix(expected))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test("refuses a model larger than the memory of the host before asking for it")
  func tooLarge() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    let text = message {
      try folder.train(path, ["model=[affine: 16777216, affine: 16777216, affine: 3]"])
    }
    #expect(text.hasPrefix("model has 281475127705603 parameters, found 4503602.0 GB for them, "))
  }
}

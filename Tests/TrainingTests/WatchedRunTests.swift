// Runs whose evaluations decide: how fast they learn, when they end, and which checkpoint is best.

import Checkpoints
import Foundation
import Runs
import TestSupport
import Testing
import Training

@Suite("Run that is watched")
struct WatchedRunTests {
  @Test("is slowed down by evaluations that do not improve, from the next step on")
  func plateau() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    var slowed: [(step: Int, factor: Double)] = []
    try folder.train(
      path,
      [
        "schedule={plateau: {patience: 1, factor: 0, threshold: 0.99}}",
        "checkpoint={every: 1, keep: 99}",
      ]
    ) { event in
      if case .slowed(let step, _, let factor) = event { slowed.append((step, factor)) }
    }
    // Evaluated after 3, 6, 9, …; the third is the second in a row that is no better.
    #expect(slowed.map(\.step) == [9] && slowed.map(\.factor) == [0])
    func parameters(_ step: Int) throws -> [Float] {
      let name = String(format: "run/checkpoints/step-%010d.h5", step)
      return try folder.parameters(name).elements
    }
    #expect(try parameters(8) != parameters(9))
    #expect(try parameters(9) == parameters(10))
  }

  @Test("ends early when evaluations no longer improve, and is finished then")
  func earlyStopping() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    let overrides = ["early_stopping={patience: 2, minimum_change: 10}"]
    /// A session holds its run directory, so it ends here.
    func train(_ more: [String] = [], to output: String = "run", stopAfter: Int? = nil) throws
      -> (TrainingSession.Ending, step: Int, reason: String?)
    {
      let (session, ending) = try folder.train(
        path, overrides + more, to: output, stopAfter: stopAfter)
      return (ending, session.step, session.earlyEnd)
    }
    let (ending, step, reason) = try train()
    #expect(ending == .finished && step == 9)
    let start =
      "stopped early after step 9: loss on test has not fallen by more than 10.0 in 2 evaluations; "
      + "its best is "
    #expect(reason?.hasPrefix(start) == true)
    #expect(try folder.checkpointSteps() == [5, 9])
    let status = folder.path("run/status.json")
    #expect(try RunStatus.read(inFolder: folder.path("run"))?.state == .finished)
    #expect(try RunStatus.read(inFolder: folder.path("run"))?.message == reason)
    // The same again, also when it was killed before it could say so, and with more epochs.
    let text = String(decoding: try contents(of: status), as: UTF8.self)
      .replacingOccurrences(of: "finished", with: "running")
    try Data(text.utf8).write(to: URL(fileURLWithPath: status))
    for more in [[], ["epochs=9"]] {
      #expect(try train(more) == (.wasFinished, 9, reason))
      #expect(try RunStatus.read(inFolder: folder.path("run"))?.state == .finished)
      #expect(try RunStatus.read(inFolder: folder.path("run"))?.message == reason)
    }
    #expect(try train(to: "other", stopAfter: 5) == (.stopped, 5, nil))
    #expect(try train(to: "other") == (.finished, 9, reason))
    #expect(try folder.records("other") == folder.records())
  }

  @Test("counts evaluations that are due, so that more epochs are as if asked for at once")
  func moreEpochsOfWatchedRun() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    let overrides = [
      "schedule={plateau: {patience: 0, factor: 0.5, threshold: 0.3}}", "evaluation=5",
    ]
    try folder.train(path, overrides + ["epochs=6"], to: "whole")
    try folder.train(path, overrides + ["epochs=2"])
    try folder.train(path, overrides + ["epochs=6"])
    #expect(try folder.digest() == folder.digest("whole"))
  }

  @Test("may evaluate at other times when it goes on, but not where evaluations decide how")
  func otherEvaluations() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    try folder.train(path, ["epochs=1"], to: "plain")
    try folder.train(path, ["epochs=2", "evaluation=2"], to: "plain")
    try folder.train(path, ["epochs=1", "schedule=plateau"])
    let text = message {
      try folder.train(path, ["epochs=2", "schedule=plateau", "evaluation=2"])
    }
    #expect(text.contains("'evaluation.every'"))
  }

  @Test("keeps the newest checkpoints and the best, by rows correct and then by loss")
  func bestCheckpoint() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    var best: (step: Int, evaluation: Evaluation)?
    let (session, _) = try folder.train(
      path, ["checkpoint={every: 2, keep: 2}", "evaluation=2", "epochs=12"]
    ) { event in
      guard case .evaluated(_, let step, _, let evaluation) = event else { return }
      if best.map({ evaluation.isBetter(than: $0.evaluation) }) ?? true {
        best = (step, evaluation)
      }
    }
    let expected = try #require(best)
    #expect(session.best?.step == expected.step)
    #expect(session.best?.evaluation == expected.evaluation)
    #expect(try folder.checkpointSteps() == Set([expected.step, 46, 48]).sorted())
    let noted = try CheckpointFolder(folder.path("run/checkpoints")).best()
    #expect(noted?.step == expected.step)
  }

  @Test("prefers more rows correct, then a lower loss")
  func better() {
    let evaluation = Evaluation(loss: 1, correct: 10, count: 20)
    #expect(Evaluation(loss: 9, correct: 11, count: 20).isBetter(than: evaluation))
    #expect(!Evaluation(loss: 0.1, correct: 9, count: 20).isBetter(than: evaluation))
    #expect(Evaluation(loss: 0.9, correct: 10, count: 20).isBetter(than: evaluation))
    #expect(!evaluation.isBetter(than: evaluation))
    let regression = Evaluation(loss: 1, correct: nil, count: 20)
    #expect(Evaluation(loss: 0.5, correct: nil, count: 20).isBetter(than: regression))
  }

  @Test("validates on a share of the training rows that is left out of training")
  func validationShare() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    var splits: Set<String> = []
    let (session, _) = try folder.train(path, ["data.validation=0.25"]) { event in
      guard case .evaluated(let split, _, _, let evaluation) = event else { return }
      splits.insert(split)
      #expect(evaluation.count == 30)
    }
    #expect(splits == ["validation", "test"])
    #expect(session.plan.rowCount == 90)
    #expect(session.plan.stepsPerEpoch == 3)
  }
}

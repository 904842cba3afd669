// Whole runs in this process: what a run does when, and that stopping it changes nothing.

import CPUBackend
import Checkpoints
import Communication
import DataParallel
import Datasets
import Foundation
import Models
import Runs
import Tensors
import TestSupport
import Testing
import Training

private let iris = """
  data: { train: \(RunFolder.bundled("iris")), test: \(RunFolder.bundled("iris-test")) }
  model: [affine: 8, tanh, affine: 3]
  optimizer: { adam: 0.01 }
  batch_size: 32
  microbatches: 6
  epochs: 4
  checkpoint: { every: 5, keep: 100 }
  evaluation: { every: 3 }
  seed: 5

  """

@Suite("Run")
struct SessionTests {
  @Test(
    "takes as many steps as batches fit into the epochs, the last of an epoch with what is left")
  func steps() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    var epochs: [Int] = []
    let (session, ending) = try folder.train(path) { event in
      if case .step(_, _, let epoch, _) = event { epochs.append(epoch) }
    }
    #expect(ending == .finished)
    #expect(session.plan.stepsPerEpoch == 4)
    #expect(session.step == 16)
    #expect(epochs == (1...4).flatMap { Array(repeating: $0, count: 4) })
    #expect(session.timing.rowCount == 4 * 120)
    #expect(try folder.checkpointSteps() == [5, 10, 15, 16])
  }

  @Test("evaluates when due and at the end, counting each row once")
  func evaluations() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    var steps: [Int] = []
    try folder.train(path) { event in
      guard case .evaluated(let split, let step, _, let evaluation) = event else { return }
      steps.append(step)
      #expect(split == "test")
      #expect(evaluation.count == 30)
    }
    #expect(steps == [3, 6, 9, 12, 15, 16])
  }

  @Test(
    "evaluates rows in blocks to the same count, whatever the block", arguments: [1, 7, 30, 256])
  func blocks(block: Int) throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    let (session, _) = try folder.train(path, ["evaluation.block=\(block)"])
    let evaluation = try #require(session.evaluations.first?.evaluation)
    let checkpoint = folder.path("run/checkpoints/step-0000000016.h5")
    let model = try TrainedModel(checkpoint: checkpoint)
    let rows = try model.open(RunFolder.bundled("iris-test"), needsTargets: true)
    #expect(rows.rowCount == evaluation.count)
    var correct = 0
    let evaluator = try Evaluator(
      model.network, rowCounts: [30], blockSize: 30, parameters: model.parameters,
      hasTargets: false, backend: CPU(), communicator: SoloCommunicator())
    var outputs: [Float] = []
    try evaluator.predict(rows) { outputs += $0 }
    var labels = [Int32](repeating: 0, count: 30)
    Array(0..<30).withUnsafeBufferPointer { indices in
      labels.withUnsafeMutableBufferPointer { labels in
        guard let labels = labels.baseAddress else { return }
        rows.dataset.readLabels(rows: indices, into: labels)
      }
    }
    for row in 0..<30 {
      let scores = outputs[3 * row..<3 * row + 3]
      let best = scores.firstIndex(of: scores.max() ?? 0).map { $0 - 3 * row }
      if best == Int(labels[row]) { correct += 1 }
    }
    #expect(evaluation.correct == correct)
  }

  @Test("ends in the same bits wherever it was stopped", arguments: [1, 2, 4, 5, 7, 15, 16])
  func stopAnywhere(step: Int) throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    try folder.train(path, to: "whole")
    // A request during the last step comes too late to stop anything.
    let ending = try folder.train(path, stopAfter: step).ending
    #expect(ending == (step == 16 ? .finished : .stopped))
    #expect(try folder.checkpointSteps().last == step)
    let (resumed, end) = try folder.train(path)
    #expect(end == (step == 16 ? .wasFinished : .finished))
    #expect(resumed.startStep == step)
    #expect(try folder.digest() == folder.digest("whole"))
    #expect(try folder.records() == folder.records("whole"))
  }

  @Test("ends in the same bits when stopped after every step, with every optimiser")
  func stopEverywhere() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    for overrides in [
      ["optimizer={sgd: {learning_rate: 0.1, momentum: 0, l1: 0.001}}", "train.clip.value=0.02"],
      ["optimizer={sgd: {learning_rate: 0.1, nesterov: true}}", "train.clip.norm=0.3"],
      ["optimizer={adamw: {learning_rate: 0.01, no_decay: bias}}", "average=0.9"],
      ["optimizer={lars: {learning_rate: 10}}", "average={decay: 0.8, start: 5}"],
      ["optimizer={lamb: {learning_rate: 0.01}}", "train.clip.norm=0.3"],
    ] {
      try folder.train(path, overrides, to: "whole", isFresh: true)
      try folder.train(path, overrides, isFresh: true, stopAfter: 1)
      while try folder.train(path, overrides, stopAfter: 1).ending == .stopped {}
      #expect(try folder.digest() == folder.digest("whole"), "\(overrides)")
      #expect(try folder.records() == folder.records("whole"), "\(overrides)")
    }
  }

  @Test("ends in the same bits when stopped after every step, with every schedule")
  func stopEverywhereOnSchedule() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    for overrides in [
      ["schedule={one_cycle: 4}"], ["schedule={polynomial: {epochs: 3, power: 2, warmup: 1}}"],
      ["schedule={exponential: 0.5}"], ["schedule={multi_step: [1, 2.5]}"],
      [
        "schedule={plateau: {patience: 0, factor: 0.3, threshold: 0.2}}", "evaluation=2",
        "early_stopping={patience: 4, minimum_change: 0.2}",
      ],
    ] {
      try folder.train(path, overrides, to: "whole", isFresh: true)
      try folder.train(path, overrides, isFresh: true, stopAfter: 1)
      while try folder.train(path, overrides, stopAfter: 1).ending == .stopped {}
      #expect(try folder.digest() == folder.digest("whole"), "\(overrides)")
      #expect(try folder.records() == folder.records("whole"), "\(overrides)")
    }
  }

  @Test("is slowed down by evaluations that do not improve, from the next step on")
  func plateau() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
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
    let path = try folder.write(iris)
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
    let path = try folder.write(iris)
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
    let path = try folder.write(iris)
    try folder.train(path, ["epochs=1"], to: "plain")
    try folder.train(path, ["epochs=2", "evaluation=2"], to: "plain")
    try folder.train(path, ["epochs=1", "schedule=plateau"])
    let text = message {
      try folder.train(path, ["epochs=2", "schedule=plateau", "evaluation=2"])
    }
    #expect(text.contains("'evaluation.every'"))
  }

  @Test("records the norm of the gradient where it is clipped by norm")
  func gradientNorms() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    func steps(_ output: String) throws -> [String] {
      try folder.records(output).filter { $0.contains("\"kind\":\"step\"") }
    }
    try folder.train(path, to: "plain")
    #expect(try steps("plain").allSatisfy { !$0.contains("gradient_norm") })
    // A norm that is never reached: the same bits.
    try folder.train(path, ["train.clip.norm=1e9"], to: "large")
    #expect(try steps("large").allSatisfy { $0.contains("\"gradient_norm\":") })
    #expect(try folder.digest("large") == folder.digest("plain"))
    try folder.train(path, ["train.clip.norm=0.1"], to: "small")
    #expect(try folder.digest("small") != folder.digest("plain"))
  }

  @Test(
    "evaluates the average of parameters and running averages, which a checkpoint holds beside them",
    arguments: ["tanh", "batch_norm"])
  func average(layer: String) throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    let overrides = [
      "checkpoint={every: 1, keep: 99}", "epochs=2", "model=[affine: 8, \(layer), affine: 3]",
    ]
    try folder.train(path, overrides, to: "plain")
    let (session, _) = try folder.train(path, overrides + ["average={decay: 0.75, start: 3}"])
    var average: [Float] = []
    for step in 1...8 {
      let name = "checkpoints/step-000000000\(step).h5"
      let p = try folder.parameters("run/\(name)", isRaw: true).elements
      // Averaging changes no parameter.
      #expect(try folder.parameters("plain/\(name)").elements == p)
      average = step <= 3 ? p : zip(average, p).map { $0 + 0.25 * ($1 - $0) }
      #expect(try folder.parameters("run/\(name)").elements == average, "step \(step)")
    }
    let model = try TrainedModel(
      checkpoint: folder.path("run/checkpoints/step-0000000008.h5"))
    #expect(model.isAverage)
    let rows = try model.open(RunFolder.bundled("iris-test"), needsTargets: true)
    let evaluation = try Evaluator(
      model.network, rowCounts: [30], blockSize: 256, parameters: model.parameters,
      backend: CPU(), communicator: SoloCommunicator()
    ).evaluate(rows)
    #expect(evaluation == session.evaluations.first?.evaluation)
  }

  @Test("keeps a frozen layer as it was, and lets one learn at a rate of its own")
  func ratesOfLayers() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    func parameters(_ output: String, _ step: Int) throws -> (layout: FlatLayout, [Float]) {
      try folder.parameters("\(output)/checkpoints/step-000000000\(step).h5")
    }
    for factor in ["1", "0.5"] {
      try folder.train(
        path,
        [
          "model=[{affine: 8, frozen: true}, tanh, {affine: 5, learning_rate: \(factor)}, tanh, affine: 3]",
          "checkpoint={every: 1, keep: 99, at_start: true}", "epochs=1", "train.clip.norm=0.05",
          "optimizer={sgd: {learning_rate: 0.1, weight_decay: 0.1}}",
        ], to: factor)
    }
    let (layout, before) = try parameters("1", 0)
    let (_, after) = try parameters("1", 4)
    for array in layout.ranges {
      let isSame = before[array.indices] == after[array.indices]
      #expect(isSame == array.name.hasPrefix("affine1/"), "\(array.name)")
    }
    let (_, whole) = try parameters("1", 1)
    let (_, half) = try parameters("0.5", 1)
    for array in layout.ranges {
      for i in array.indices {
        let change =
          array.name.hasPrefix("affine2/") ? 0.5 * (whole[i] - before[i]) : whole[i] - before[i]
        #expect(abs(half[i] - before[i] - change) < 1e-6, "\(array.name)")
      }
    }
  }

  @Test("goes on from the newest good checkpoint when later ones are damaged")
  func damagedCheckpoint() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    try folder.train(path, to: "whole")
    try folder.train(path, stopAfter: 12)
    let newest = folder.path("run/checkpoints/step-0000000012.h5")
    var bytes = try contents(of: newest)
    bytes[bytes.count / 2] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: newest))
    let (session, _) = try folder.train(path)
    #expect(session.startStep == 10)
    #expect(session.notices.count == 1 && session.notices[0].contains(newest))
    #expect(try folder.digest() == folder.digest("whole"))
    #expect(try folder.records() == folder.records("whole"))
  }

  @Test("may be made longer: as if it had been so from the beginning")
  func moreEpochs() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    try folder.train(path, ["epochs=6", "evaluation=never"], to: "whole")
    try folder.train(path, ["epochs=2", "evaluation=never"])
    try folder.train(path, ["epochs=6", "evaluation=never"])
    #expect(try folder.digest() == folder.digest("whole"))
  }

  @Test("that is finished says so and changes nothing")
  func finished() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    try folder.train(path)
    let before = try contents(of: folder.path("run/metrics.jsonl"))
    let (session, ending) = try folder.train(path)
    #expect(ending == .wasFinished)
    #expect(session.startStep == 16)
    #expect(try contents(of: folder.path("run/metrics.jsonl")) == before)
  }

  @Test("killed after its last checkpoint is known as finished when it is asked again")
  func killedAtTheEnd() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    try folder.train(path)
    let status = folder.path("run/status.json")
    let text = String(decoding: try contents(of: status), as: UTF8.self)
      .replacingOccurrences(of: "finished", with: "running")
    try Data(text.utf8).write(to: URL(fileURLWithPath: status))
    #expect(try folder.train(path).ending == .wasFinished)
    #expect(try RunStatus.read(inFolder: folder.path("run"))?.state == .finished)
  }

  @Test("of no epochs ends at once, with the initial parameters if asked for")
  func noEpochs() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    #expect(try folder.train(path, ["epochs=0"]).ending == .finished)
    #expect(try folder.checkpointSteps() == [])
    let atStart = ["epochs=0", "checkpoint.at_start=true"]
    #expect(try folder.train(path, atStart, to: "other").ending == .finished)
    #expect(try folder.checkpointSteps("other") == [0])
    #expect(try folder.train(path, atStart, to: "other").ending == .wasFinished)
  }

  @Test("with a learning rate of 0 ends in the bits it began with")
  func noLearning() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    try folder.train(
      path, ["optimizer={sgd: {learning_rate: 0, momentum: 0}}", "checkpoint.at_start=true"])
    let first = try Checkpoint(folder.path("run/checkpoints/step-0000000000.h5")).digest()
    #expect(try folder.digest() == first)
  }

  @Test("may have a batch of all rows, and more microbatches than rows", arguments: [1, 120, 200])
  func wholeBatch(microbatches: Int) throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    let overrides = ["batch_size=120", "microbatches=\(microbatches)", "optimizer.adam=0.05"]
    let (session, _) = try folder.train(path, overrides + ["epochs=30"])
    #expect(session.step == 30)
    let evaluation = try #require(session.evaluations.first?.evaluation)
    #expect(try #require(evaluation.correct) >= 25)
  }

  @Test("keeps the newest checkpoints and the best, by rows correct and then by loss")
  func bestCheckpoint() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
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
    let path = try folder.write(iris)
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

  @Test("begins with the parameters of another run's checkpoint if asked to")
  func initialCheckpoint() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    try folder.train(path, to: "first")
    let checkpoint = folder.path("first/checkpoints/step-0000000016.h5")
    let overrides = ["epochs=0", "checkpoint.at_start=true"]
    try folder.train(path, overrides, to: "second", initialCheckpoint: checkpoint)
    let end = try TrainedModel(checkpoint: checkpoint)
    let begin = try TrainedModel(checkpoint: folder.path("second/checkpoints/step-0000000000.h5"))
    #expect(begin.step == 0)
    for index in 0..<end.parameters.count {
      #expect(begin.parameters.pointer[index] == end.parameters.pointer[index])
    }
  }

  @Test("leaves nothing behind when its first parameters cannot be read")
  func missingInitialCheckpoint() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    let text = message { try folder.train(path, initialCheckpoint: folder.path("no.h5")) }
    #expect(text.contains("no.h5: No such file or directory"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test("writes nothing when it is a dry run")
  func dryRun() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    let session = try TrainingSession(
      TrainingRequest(
        configurationPath: path, output: folder.path("run"), kind: "test", isDryRun: true),
      communicator: SoloCommunicator())
    #expect(session.runPath == nil)
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test("has one answer for any number of workers", arguments: [1, 2, 3, 5, 8, 11])
  func workers(count: Int) throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    try folder.train(path, ["run.workers=1"], to: "one")
    try folder.train(path, ["run.workers=\(count)"])
    #expect(try folder.digest() == folder.digest("one"))
    #expect(try folder.records() == folder.records("one"))
  }
}

@Suite("Refusal of a run")
struct RefusalTests {
  @Test("stops at a loss that is no number, keeps the checkpoints before it, and is not resumed")
  func nonfiniteLoss() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris.replacingOccurrences(of: "tanh", with: "relu"))
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
    let path = try folder.write(iris)
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
        "batch_size is 121 but \(RunFolder.bundled("iris")) has only 120 rows to train on; "
          + "expected at most that many"
      ),
      (
        "model=[affine: 2]",
        "\(RunFolder.bundled("iris")): 'labels' row 80 is 2, expected a class within 0..<2"
      ),
      (
        "data.test=\(RunFolder.bundled("digits-test"))",
        "\(RunFolder.bundled("digits-test")): found samples of shape [1, 8, 8], expected [4] as in "
          + RunFolder.bundled("iris")
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
    let path = try folder.write(iris)
    let text = message { try folder.train(path, [override]) }
    #expect(text.hasSuffix(expected))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test("refuses a model larger than the memory of the host before asking for it")
  func tooLarge() throws {
    let folder = try RunFolder()
    let path = try folder.write(iris)
    let text = message {
      try folder.train(path, ["model=[affine: 16777216, affine: 16777216, affine: 3]"])
    }
    #expect(text.hasPrefix("model has 281475127705603 parameters, found 4503602.0 GB for them, "))
  }
}

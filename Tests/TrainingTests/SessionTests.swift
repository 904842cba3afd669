// Whole runs in this process: what a run does when, and with which parameters.

import CPUBackend
import Checkpoints
import Communication
import DataParallel
import Datasets
import Foundation
import Tensors
import TestSupport
import Testing
import Training

@Suite("Run")
struct SessionTests {
  @Test(
    "takes as many steps as batches fit into the epochs, the last of an epoch with what is left")
  func steps() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
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
    let path = try folder.write(irisRun)
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
    "evaluates to the same bits and count, however many rows at once", arguments: [1, 7, 30, 256])
  func blocks(block: Int) throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    let (session, _) = try folder.train(path, ["evaluation.block=\(block)"])
    let evaluation = try #require(session.evaluations.first?.evaluation)
    let other = try RunFolder()
    let (whole, _) = try other.train(try other.write(irisRun))
    #expect(whole.evaluations.first?.evaluation == evaluation)
    let checkpoint = folder.path("run/checkpoints/step-0000000016.h5")
    let model = try TrainedModel(checkpoint: checkpoint)
    let rows = try model.open(bundled("iris-test"), needsTargets: true)
    #expect(rows.rowCount == evaluation.count)
    var correct = 0
    var options = Evaluator.Options(pieceSize: 30)
    options.hasTargets = false
    let evaluator = try Evaluator(
      model.network, parameters: model.parameters, rowCounts: [30], options: options,
      backend: CPU(), communicator: SoloCommunicator())
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

  @Test("of no epochs ends at once, with the initial parameters if asked for")
  func noEpochs() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
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
    let path = try folder.write(irisRun)
    try folder.train(
      path, ["optimizer={sgd: {learning_rate: 0, momentum: 0}}", "checkpoint.at_start=true"])
    let first = try Checkpoint(folder.path("run/checkpoints/step-0000000000.h5")).digest()
    #expect(try folder.digest() == first)
  }

  @Test("may have a batch of all rows, and more microbatches than rows", arguments: [1, 120, 200])
  func wholeBatch(microbatches: Int) throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    let overrides = ["batch_size=120", "microbatches=\(microbatches)", "optimizer.adam=0.05"]
    let (session, _) = try folder.train(path, overrides + ["epochs=30"])
    #expect(session.step == 30)
    let evaluation = try #require(session.evaluations.first?.evaluation)
    #expect(try #require(evaluation.correct) >= 25)
  }

  @Test("has one answer for any number of workers", arguments: [1, 2, 3, 5, 8, 11])
  func workers(count: Int) throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    try folder.train(path, ["run.workers=1"], to: "one")
    try folder.train(path, ["run.workers=\(count)"])
    #expect(try folder.digest() == folder.digest("one"))
    #expect(try folder.records() == folder.records("one"))
  }

  @Test("records the norm of the gradient where it is clipped by norm")
  func gradientNorms() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
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
    let path = try folder.write(irisRun)
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
    let rows = try model.open(bundled("iris-test"), needsTargets: true)
    let evaluation = try Evaluator(
      model.network, parameters: model.parameters, rowCounts: [30],
      options: .init(pieceSize: 256), backend: CPU(), communicator: SoloCommunicator()
    ).evaluate(rows)
    #expect(evaluation == session.evaluations.first?.evaluation)
  }

  @Test("keeps a frozen layer as it was, and lets one learn at a rate of its own")
  func ratesOfLayers() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
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

  @Test("begins with the parameters of another run's checkpoint if asked to")
  func initialCheckpoint() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
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
    let path = try folder.write(irisRun)
    let text = message { try folder.train(path, initialCheckpoint: folder.path("no.h5")) }
    #expect(text.contains("no.h5: No such file or directory"))
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }

  @Test("writes nothing when it is a dry run")
  func dryRun() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    var request = TrainingRequest(
      configurationPath: path, output: folder.path("run"), kind: "test")
    request.isDryRun = true
    let session = try TrainingSession(request, communicator: SoloCommunicator())
    #expect(session.runPath == nil)
    #expect(!FileManager.default.fileExists(atPath: folder.path("run")))
  }
}

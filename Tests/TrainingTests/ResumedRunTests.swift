// Runs that were stopped or ended, and are asked for again.

import Foundation
import Runs
import TestSupport
import Testing
import Training

@Suite("Run that goes on")
struct ResumedRunTests {
  @Test("ends in the same bits wherever it was stopped", arguments: [1, 2, 4, 5, 7, 15, 16])
  func stopAnywhere(step: Int) throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
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

  @Test(
    "ends in the same bits when stopped after every step, with every optimiser and schedule",
    arguments: [
      ["optimizer={sgd: {learning_rate: 0.1, momentum: 0, l1: 0.001}}", "train.clip.value=0.02"],
      ["optimizer={sgd: {learning_rate: 0.1, nesterov: true}}", "train.clip.norm=0.3"],
      ["optimizer={adamw: {learning_rate: 0.01, no_decay: bias}}", "average=0.9"],
      ["optimizer={lars: {learning_rate: 10}}", "average={decay: 0.8, start: 5}"],
      ["optimizer={lamb: {learning_rate: 0.01}}", "train.clip.norm=0.3"],
      ["schedule={one_cycle: 4}"], ["schedule={polynomial: {epochs: 3, power: 2, warmup: 1}}"],
      ["schedule={exponential: 0.5}"], ["schedule={multi_step: [1, 2.5]}"],
      [
        "schedule={plateau: {patience: 0, factor: 0.3, threshold: 0.2}}", "evaluation=2",
        "early_stopping={patience: 4, minimum_change: 0.2}",
      ],
    ])
  func stopEverywhere(overrides: [String]) throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    try folder.train(path, overrides, to: "whole")
    while try folder.train(path, overrides, stopAfter: 1).ending == .stopped {}
    #expect(try folder.digest() == folder.digest("whole"))
    #expect(try folder.records() == folder.records("whole"))
  }

  @Test("goes on from the newest good checkpoint when later ones are damaged")
  func damagedCheckpoint() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
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
    let path = try folder.write(irisRun)
    try folder.train(path, ["epochs=6", "evaluation=never"], to: "whole")
    try folder.train(path, ["epochs=2", "evaluation=never"])
    try folder.train(path, ["epochs=6", "evaluation=never"])
    #expect(try folder.digest() == folder.digest("whole"))
  }

  @Test("that is finished says so and changes nothing")
  func finished() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
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
    let path = try folder.write(irisRun)
    try folder.train(path)
    let status = folder.path("run/status.json")
    let text = String(decoding: try contents(of: status), as: UTF8.self)
      .replacingOccurrences(of: "finished", with: "running")
    try Data(text.utf8).write(to: URL(fileURLWithPath: status))
    #expect(try folder.train(path).ending == .wasFinished)
    #expect(try RunStatus.read(inFolder: folder.path("run"))?.state == .finished)
  }
}

// Whole runs whose ranks are threads of the test: more ways to divide the work than mpirun could start, and a
// fault is named by step, array and element.

import Tensors
import TestSupport
import Testing
import Training

@Suite("Run on ranks that are threads", .timeLimit(.minutes(10)))
struct ThreadedRunTests {
  /// Ranks by the hosts that they are on.
  private static let teams = [
    [[0]], [[0, 1]], [[0], [1]], [[0, 1, 2]], [[0, 1], [2]], [[0], [1], [2]], [[0, 2], [1, 3]],
    [[0, 1], [2, 3], [4]], [[0, 1, 2, 3, 4, 5, 6]],
  ]

  @Test(
    "has the parameters of one rank and worker after every step",
    arguments: [
      ["microbatches=1"], ["microbatches=6", "train.clip.norm=0.5", "average=0.9"],
      ["microbatches=7", "optimizer={lamb: 0.01}"],
      ["microbatches=5", "optimizer={adam: 0.01}", "optimizer.sharded=false"],
      ["microbatches=4", "model=[affine: 8, batch_norm: { statistics: batch }, tanh, affine: 3]"],
      ["microbatches=40", "optimizer={lars: 1}"],
    ])
  func steps(overrides: [String]) throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    let overrides = overrides + ["checkpoint={every: 1, keep: 99}", "epochs=1"]
    try folder.train(path, overrides + ["run.workers=1"], to: "whole")
    for (index, hosts) in ThreadedRunTests.teams.enumerated() {
      for workers in 1...3 {
        let group = ["auto", "1", "2", "4"][(index + workers) % 4]
        let output = folder.path("run-\(index)-\(workers)")
        try onThreads(hosts: hosts, coresOfHost: 1) { communicator in
          let session = try TrainingSession(
            TrainingRequest(
              configurationPath: path,
              overrides: overrides + ["run.workers=\(workers)", "run.group=\(group)"],
              output: output, kind: "test"),
            communicator: communicator)
          let ending = try session.run()
          try require(ending == .finished, "\(ending)")
        }
        if let fault = try fault(of: "run-\(index)-\(workers)", in: folder) {
          Issue.record("\(fault), hosts \(hosts) with \(workers) workers a rank, group \(group)")
          return
        }
      }
    }
  }

  @Test("names the first element that differs, or these tests would show nothing")
  func otherSeed() throws {
    let folder = try RunFolder()
    let path = try folder.write(irisRun)
    let overrides = ["checkpoint={every: 1, keep: 99}", "epochs=1"]
    try folder.train(path, overrides, to: "whole")
    try folder.train(path, overrides + ["seed=6"], to: "other")
    try folder.train(path, overrides + ["data.shuffle=false"], to: "ordered")
    for run in ["other", "ordered"] {
      let fault = try #require(try fault(of: run, in: folder))
      #expect(fault.hasPrefix("step 1: element ") && fault.contains(" of affine1/weight is "))
    }
    #expect(try self.fault(of: "whole", in: folder) == nil)
  }

  /// The first step, array and element in which a run differs from that of one rank.
  private func fault(of run: String, in folder: RunFolder) throws -> String? {
    let steps = try folder.checkpointSteps("whole")
    #expect(steps == [1, 2, 3, 4])
    for step in steps {
      let name = "checkpoints/step-000000000\(step).h5"
      let (layout, expected) = try folder.parameters("whole/\(name)", isRaw: true)
      let found = try folder.parameters("\(run)/\(name)", isRaw: true).elements
      for array in layout.ranges {
        for i in array.indices where found[i].bitPattern != expected[i].bitPattern {
          return "step \(step): element \(i - array.offset) of \(array.name) is \(found[i]), "
            + "expected \(expected[i])"
        }
      }
    }
    guard try folder.digest(run) == folder.digest("whole") else { return "only the state differs" }
    return try folder.records(run) == folder.records("whole") ? nil : "only the records differ"
  }
}

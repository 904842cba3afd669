// Dropout and batch normalisation in whole runs: one answer on any number of hands.

import Foundation
import TestSupport
import Testing

@Suite("One answer with dropout and batch normalisation", .serialized, .timeLimit(.minutes(5)))
struct ModesTests {
  /// Both forms of batch normalisation, of one value per channel and of several.
  private static let iris = """
    data: { train: \(bundled("iris")), test: \(bundled("iris-test")) }
    model:
      - reshape: [1, 4]
      - conv1d: { channels: 4, kernel: 2 }
      - batch_norm
      - relu
      - dropout: 0.3
      - affine: 8
      - batch_norm: { statistics: batch, momentum: 0.2 }
      - tanh
      - dropout: 0.5
      - affine: 3
    optimizer: { sgd: { learning_rate: 0.1, momentum: 0.9 } }
    batch_size: 21
    microbatches: 6
    epochs: 2

    """

  private func workplace() throws -> Workplace {
    let place = try Workplace()
    try place.write(ModesTests.iris, to: "modes.yaml")
    return place
  }

  @Test("same digest and records on any ranks, workers and groups", arguments: [6, 8])
  func hands(microbatches: Int) throws {
    let place = try workplace()
    let hands: [(ranks: Int, workers: Int, group: String)] = [
      (1, 1, "auto"), (1, 2, "auto"), (2, 1, "auto"), (3, 1, "2"), (4, 1, "false"), (5, 2, "2"),
      (8, 1, "auto"), (2, 2, "false"),
    ]
    for (index, hand) in hands.enumerated() {
      try place.succeed(
        "train", "modes.yaml", "--output", "run-\(index)", "--set", "microbatches=\(microbatches)",
        "--set", "run.workers=\(hand.workers)", "--set", "run.shared_memory=\(hand.group)",
        ranks: hand.ranks)
      #expect(
        try place.digest("run-\(index)", step: 12) == place.digest("run-0", step: 12), "\(hand)")
      #expect(try place.records("run-\(index)") == place.records("run-0"), "\(hand)")
    }
  }

  @Test("goes on with other ranks, groups and workers after every stop")
  func chain() throws {
    let place = try workplace()
    let chain: [(ranks: Int, values: [String])] = [
      (3, ["run.shared_memory=2"]), (1, ["run.workers=2"]), (2, ["optimizer.sharded=false"]),
      (5, ["run.shared_memory=false"]),
    ]
    try place.succeed("train", "modes.yaml", "--output", "whole", "--set", "epochs=8")
    for (index, link) in chain.enumerated() {
      try place.succeed(
        ["train", "modes.yaml", "--output", "run", "--set", "epochs=\(2 * (index + 1))"]
          + link.values.flatMap { ["--set", $0] }, ranks: link.ranks)
    }
    #expect(try place.digest("run", step: 48) == place.digest("whole", step: 48))
    #expect(try place.records("run") == place.records("whole"))
  }

  @Test("a checkpoint holds running averages apart, and the optimiser none of them")
  func checkpoint() throws {
    let place = try workplace()
    try place.succeed("train", "modes.yaml", "--output", "run")
    let info = try place.succeed(
      "checkpoint", "info", "run/checkpoints/step-0000000012.h5")
    #expect(info.contains("state: 4 arrays, 24 numbers\n"))
    #expect(info.contains("parameters: 10 arrays, "))
    #expect(info.contains("optimizer/momentum: 10 arrays, "))
    // Evaluation needs the averages, and draws nothing.
    var outputs: Set<String> = []
    for ranks in [1, 3] {
      outputs.insert(
        try place.succeed(
          "evaluate", "run/checkpoints/step-0000000012.h5", "--data",
          bundled("iris-test"), "--json", ranks: ranks))
    }
    #expect(outputs.count == 1)
  }

  @Test("derivatives of both forms are right, with a fixed mask")
  func check() throws {
    let place = try workplace()
    try place.succeed("check", "modes.yaml")
  }

  @Test("a row that cannot be used on one rank ends the job, while the others sum")
  func failure() throws {
    let place = try workplace()
    let path = try place.writeData(
      "bad.h5", Workplace.Content(sample: { $0 == 4 * 25 ? .nan : Float($0 % 7) }))
    let result = try place.nndist(
      [
        "train", "modes.yaml", "--output", "run", "--set", "data.train=\(path)", "--set",
        "data.test=null", "--set", "run.data_memory=0",
      ], ranks: 3)
    #expect(result.status == 65, "\(result)")
    #expect(result.error.contains("bad.h5"), "\(result)")
  }
}

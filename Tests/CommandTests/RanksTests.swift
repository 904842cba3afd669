// One answer: whatever number of ranks and workers computes it.

import TestSupport
import Testing

@Suite("One answer on any number of ranks", .serialized, .timeLimit(.minutes(5)))
struct RanksTests {
  /// The name of each case, its changes to the configuration, and its last step.
  private static let cases: [(name: String, overrides: [String], step: Int)] = [
    ("momentum, short last batch, 6 microbatches", [], 12),
    (
      "Adam, 8 microbatches, validation share",
      ["microbatches=8", "optimizer=adam", "data.validation=0.2"], 10
    ),
    ("one microbatch", ["microbatches=1", "optimizer={sgd: {nesterov: true}}"], 12),
    ("more microbatches than rows", ["microbatches=30", "optimizer={adamw: 0.01}"], 12),
  ]

  @Test("same digest and records on 1, 2, 3, 4, 5 and 8 ranks", arguments: 0..<4)
  func ranks(index: Int) throws {
    let (name, values, step) = RanksTests.cases[index]
    let place = try Workplace()
    // Every number of ranks meets the cases that matter to it, without all of all.
    let counts = index == 0 ? [1, 2, 3, 4, 5, 8] : [1, 3, 5 + index]
    for count in counts {
      let result = try place.nndist(
        ["train", "iris.yaml", "--output", "run-\(count)"] + overrides(values), ranks: count)
      #expect(result.status == 0, "\(name) on \(count): \(result)")
      #expect(try place.digest("run-\(count)", step: step) == place.digest("run-1", step: step))
      #expect(try place.records("run-\(count)") == place.records("run-1"), "\(name) on \(count)")
    }
    #expect(try place.records("run-1").count { $0.contains("\"kind\":\"step\"") } == step)
  }

  @Test("8 microbatches on 11 ranks, and ranks with workers")
  func moreRanksThanMicrobatches() throws {
    let place = try Workplace()
    let values = overrides(["microbatches=8"])
    for (count, workers) in [(1, 1), (11, 1), (3, 2), (2, 3)] {
      let name = "run-\(count)-\(workers)"
      let result = try place.nndist(
        ["train", "iris.yaml", "--output", name, "--set", "run.workers=\(workers)"] + values,
        ranks: count)
      #expect(result.status == 0, "\(result)")
      #expect(try place.digest(name, step: 12) == place.digest("run-1-1", step: 12))
      #expect(try place.records(name) == place.records("run-1-1"))
    }
  }

  @Test("ranks that share memory or do not, that shard the optimiser or do not")
  func groups() throws {
    let place = try Workplace()
    let hands: [(ranks: Int, group: String, isSharded: Bool, workers: Int)] = [
      (1, "auto", true, 1), (2, "false", true, 2), (3, "2", true, 1), (4, "2", false, 1),
      (5, "3", true, 2), (3, "auto", false, 2), (2, "false", false, 1),
    ]
    for (index, hand) in hands.enumerated() {
      try place.succeed(
        "train", "iris.yaml", "--output", "run-\(index)", "--set", "run.workers=\(hand.workers)",
        "--set", "run.shared_memory=\(hand.group)", "--set", "optimizer.sharded=\(hand.isSharded)",
        ranks: hand.ranks)
      #expect(
        try place.digest("run-\(index)", step: 12) == place.digest("run-0", step: 12), "\(hand)")
      #expect(try place.records("run-\(index)") == place.records("run-0"), "\(hand)")
    }
  }

  @Test(
    "norms over elements, whoever adds which of them",
    arguments: [
      ["optimizer={lamb: 0.01}", "average=0.9"],
      ["optimizer={lars: {learning_rate: 5, no_adaptation: []}}", "train.clip.norm=0.5"],
      ["optimizer={adamw: 0.01}", "train.clip.norm=0.2", "average={decay: 0.9, start: 4}"],
      ["optimizer={lamb: {learning_rate: 0.01, l1: 1e-4}}", "train.clip.value=0.001"],
    ])
  func norms(values: [String]) throws {
    let place = try Workplace()
    // Arrays of several blocks, which ranks and workers share.
    try place.write(
      """
      data:
        train: \(bundled("digits"))
        test: \(bundled("digits-test"))
      model: [affine: 300, relu, affine: 150, relu, affine: 10]
      batch_size: 256
      microbatches: 6
      epochs: 1

      """, to: "digits.yaml")
    let hands: [(ranks: Int, group: String, isSharded: Bool, workers: Int)] = [
      (1, "auto", true, 1), (1, "auto", true, 3), (2, "auto", true, 2), (2, "false", true, 1),
      (3, "2", true, 2), (3, "2", false, 1), (4, "auto", false, 1), (8, "3", true, 1),
    ]
    for (index, hand) in hands.enumerated() {
      try place.succeed(
        [
          "train", "digits.yaml", "--output", "run-\(index)", "--set",
          "run.workers=\(hand.workers)", "--set", "run.shared_memory=\(hand.group)", "--set",
          "optimizer.sharded=\(hand.isSharded)",
        ] + overrides(values), ranks: hand.ranks)
      #expect(
        try place.digest("run-\(index)", step: 6) == place.digest("run-0", step: 6), "\(hand)")
      #expect(try place.records("run-\(index)") == place.records("run-0"), "\(hand)")
    }
  }

  @Test("rows from shared memory, from one's own and from the file, on 1, 2, 3 and 8 ranks")
  func rows() throws {
    let place = try Workplace()
    let share = overrides(["data.validation=0.2"])
    for (index, (count, values)) in [
      (1, []), (2, []), (3, ["run.shared_memory=2"]), (8, []), (2, ["run.shared_memory=false"]),
      (1, ["run.data_memory=0"]), (3, ["run.data_memory=0"]),
    ].enumerated() {
      let output = try place.succeed(
        ["train", "iris.yaml", "--output", "run-\(index)"] + share + overrides(values), ranks: count
      )
      #expect(output.contains("read from the file row by row") == (values == ["run.data_memory=0"]))
      #expect(try place.digest("run-\(index)", step: 10) == place.digest("run-0", step: 10))
      #expect(try place.records("run-\(index)") == place.records("run-0"))
    }
  }

  @Test("goes on with other ranks, groups and workers after every stop")
  func chain() throws {
    let place = try Workplace()
    let chain: [(ranks: Int, values: [String])] = [
      (3, ["run.shared_memory=2"]), (1, ["run.workers=2"]), (2, ["optimizer.sharded=false"]),
      (4, ["run.shared_memory=false"]), (5, ["run.shared_memory=3", "run.workers=2"]),
    ]
    let same = overrides(["optimizer={lamb: 0.01}", "train.clip.norm=0.5", "average=0.9"])
    try place.succeed(["train", "iris.yaml", "--output", "whole", "--set", "epochs=10"] + same)
    for (index, link) in chain.enumerated() {
      try place.succeed(
        ["train", "iris.yaml", "--output", "run", "--set", "epochs=\(2 * (index + 1))"]
          + overrides(link.values) + same, ranks: link.ranks)
    }
    #expect(try place.digest("run", step: 60) == place.digest("whole", step: 60))
  }

  @Test("buckets between groups, in which nothing but the order of the tree gives one answer")
  func order() throws {
    func answer(_ kind: String, _ limit: String, ranks: Int) throws -> String {
      let result = try launch("RankChecks", "order", kind, limit, ranks: ranks)
      #expect(result.status == 0, "\(result)")
      return result.output
    }
    var exact: Set<String> = []
    for (limit, ranks) in [("8", 1), ("8", 3), ("1", 2), ("1", 3), ("2", 3), ("2", 4), ("3", 5)] {
      exact.insert(try answer("exact", limit, ranks: ranks))
    }
    #expect(exact.count == 1)
    // The same microbatches, added in MPI's order: this check can fail.
    var free: Set<String> = []
    for ranks in [1, 2, 3, 4] { free.insert(try answer("free", "8", ranks: ranks)) }
    #expect(free.count > 1)
  }

  @Test("images of digits, the same on 1 and 4 ranks")
  func digits() throws {
    let place = try Workplace()
    try place.write(
      """
      data:
        train: \(bundled("digits"))
        test: \(bundled("digits-test"))
      model: [affine: 64, relu, affine: 10]
      batch_size: 128
      microbatches: 8
      epochs: 2

      """, to: "digits.yaml")
    for ranks in [1, 4] {
      try place.succeed("train", "digits.yaml", "--output", "run-\(ranks)", ranks: ranks)
    }
    #expect(try place.digest("run-1", step: 24) == place.digest("run-4", step: 24))
    #expect(try place.records("run-1") == place.records("run-4"))
  }

  @Test("other microbatches or another seed give other bits, or these tests would show nothing")
  func otherBits() throws {
    let place = try Workplace()
    var digests: Set<String> = []
    for (index, value) in ["microbatches=6", "microbatches=1", "seed=2", "data.shuffle=false"]
      .enumerated()
    {
      try place.succeed("train", "iris.yaml", "--output", "run-\(index)", "--set", value)
      digests.insert(try place.digest("run-\(index)", step: 12))
    }
    #expect(digests.count == 4)
  }
}

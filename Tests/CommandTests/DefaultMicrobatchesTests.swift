// A configuration that sets no microbatches: one answer on any number of ranks, and what is said of hands
// without work.

import Foundation
import TestSupport
import Testing

@Suite("Without microbatches", .serialized, .timeLimit(.minutes(5)))
struct DefaultMicrobatchesTests {
  private func place(_ model: String) throws -> Workplace {
    let place = try Workplace()
    try place.write(
      """
      data: { train: \(bundled("iris")), test: \(bundled("iris-test")) }
      model: \(model)
      optimizer: { sgd: { learning_rate: 0.1, momentum: 0.9 } }
      batch_size: 110
      epochs: 3

      """, to: "run.yaml")
    return place
  }

  private func notices(_ output: String) -> [String] {
    output.split(separator: "\n").map(String.init).filter { $0.hasPrefix("notice: ") }
  }

  @Test(
    "the answer is the same on 1, 2, 3 and 8 ranks, also with a rest of 10 rows to normalise",
    arguments: [
      "[affine: 256, relu, affine: 3]", "[affine: 16, batch_norm, relu, affine: 3]",
      "[affine: 16, {batch_norm: {statistics: batch}}, relu, affine: 3]",
    ])
  func oneAnswer(model: String) throws {
    let place = try place(model)
    var digests: Set<String> = []
    for ranks in [1, 2, 3, 8] {
      try place.succeed(["train", "run.yaml", "--output", "\(ranks)"], ranks: ranks)
      digests.insert(try place.digest("\(ranks)", step: 6))
      #expect(try place.records("\(ranks)") == place.records("1"))
    }
    #expect(digests.count == 1)
  }

  @Test("workers without a microbatch are told of, with the setting that uses them")
  func hands() throws {
    let place = try place("[affine: 16, relu, affine: 3]")
    let output = try place.succeed(["train", "run.yaml", "--dry-run"], ranks: 8)
    #expect(
      output.contains("\n8 ranks × 1 worker on 1 host, batches of 110 rows in 16 microbatches, "))
    #expect(notices(output) == [])
    let many = try place.succeed("train", "run.yaml", "--dry-run", "--set", "run.workers=24")
    #expect(
      notices(many) == [
        "notice: 16 microbatches keep 16 of 24 workers busy; --set microbatches=32 would use all, which "
          + "is another answer"
      ])
    let workers = try place.succeed(
      "train", "run.yaml", "--dry-run", "--set", "microbatches=2", "--set", "run.workers=3")
    #expect(
      notices(workers) == [
        "notice: 2 microbatches keep 2 of 3 workers busy; --set microbatches=4 would use all, which is "
          + "another answer"
      ])
    for overrides in [["microbatches=8"], ["microbatches=2"], ["microbatches=9", "run.workers=1"]] {
      let arguments = ["train", "run.yaml", "--dry-run"] + overrides.flatMap { ["--set", $0] }
      #expect(notices(try place.succeed(arguments, ranks: 8)) == [])
    }
    #expect(
      notices(try place.succeed("train", "run.yaml", "--dry-run", "--set", "run.workers=1")) == [])
    let few = try place.succeed(
      ["train", "run.yaml", "--dry-run", "--set", "batch_size=1"], ranks: 2)
    #expect(
      notices(few) == [
        "notice: 1 microbatch keeps 1 of 2 workers busy; a larger batch_size would use more"
      ])
  }

  @Test("statistics of the whole batch are named where those of microbatches are the limit")
  func statistics() throws {
    let place = try place("[affine: 16, batch_norm, relu, affine: 3]")
    let output = try place.succeed(["train", "run.yaml", "--dry-run"], ranks: 8)
    #expect(
      notices(output) == [
        "notice: 4 microbatches keep 4 of 8 workers busy, since batch_norm takes statistics of each and "
          + "needs rows for them; 'statistics: batch' in these layers with --set microbatches=8 would use "
          + "all, which is another answer"
      ])
  }

  @Test("evaluation, prediction and measurement do with more ranks than microbatches")
  func others() throws {
    let place = try place("[affine: 16, relu, affine: 3]")
    let output = try place.succeed(
      ["train", "run.yaml", "--output", "run", "--set", "microbatches=1"], ranks: 8)
    // One rank alone has work, so none is the slowest.
    #expect(!output.contains("slowest rank"))
    let checkpoint = "run/checkpoints/step-0000000006.h5"
    let test = bundled("iris-test")
    let line = try place.succeed("evaluate", checkpoint, "--data", test)
    #expect(try place.succeed(["evaluate", checkpoint, "--data", test], ranks: 8) == line)
    try place.succeed(
      ["predict", checkpoint, "--data", test, "--output", "p.h5"], ranks: 8)
    let bench = try place.succeed(
      [
        "bench", "step", "run.yaml", "--samples", "4", "--classes", "3", "--rounds", "1", "--steps",
        "2", "--no-floor", "--set", "run.workers=2", "--set", "batch_size=1",
      ], ranks: 8)
    #expect(bench.contains("\"microbatches\":1,"))
  }

  @Test("a run that goes on keeps the number it began with")
  func resumed() throws {
    let place = try place("[affine: 16, relu, affine: 3]")
    try place.succeed("train", "run.yaml", "--output", "run", "--set", "microbatches=4")
    let output = try place.succeed(
      ["train", "run.yaml", "--output", "run", "--set", "epochs=4"], ranks: 2)
    #expect(output.contains(" in 4 microbatches, "))
    #expect(
      notices(output) == ["notice: microbatches: 4, as the run began, where a new one has 16"])
  }
}

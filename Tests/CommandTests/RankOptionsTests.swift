// What options and other commands do on several ranks.

import TestSupport
import Testing

@Suite("Options on any number of ranks", .serialized, .timeLimit(.minutes(5)))
struct RankOptionsTests {
  @Test("random changes and normalisation of images, on ranks with workers")
  func augmentation() throws {
    let place = try Workplace()
    let values = [
      "data.train=\(bundled("digits"))", "data.test=\(bundled("digits-test"))",
      "data.augment={flip: true, shift: 2, cutout: 3}", "data.normalize=element",
      "data.validation=0.1", "model=[affine: 10]", "batch_size=128",
    ]
    for (count, workers) in [(1, 1), (2, 2), (3, 1), (4, 1)] {
      let name = "run-\(count)"
      try place.succeed(
        ["train", "iris.yaml", "--output", name]
          + overrides(values + ["run.workers=\(workers)"]), ranks: count)
      #expect(try place.digest(name, step: 22) == place.digest("run-1", step: 22))
      #expect(try place.records(name) == place.records("run-1"))
    }
  }

  @Test("evaluations that slow a run down and end it, alike on all ranks and after stops")
  func watchedEvaluations() throws {
    let place = try Workplace()
    let values = overrides([
      "epochs=9", "evaluation=2", "schedule={plateau: {patience: 0, factor: 0.3, threshold: 0.2}}",
      "early_stopping={patience: 3, minimum_change: 0.1, watch: accuracy}", "average=0.5",
      "train.clip=0.5",
    ])
    var outputs: Set<String> = []
    for (index, (ranks, group)) in [(1, "auto"), (3, "auto"), (4, "2"), (2, "false")].enumerated() {
      let output = try place.succeed(
        ["train", "iris.yaml", "--output", "run-\(index)", "--set", "run.shared_memory=\(group)"]
          + values, ranks: ranks)
      let lines = output.split(separator: "\n").filter {
        $0.contains("no improvement: learning rate times") || $0.hasPrefix("stopped early after")
      }
      #expect(lines.count >= 2, "\(output)")
      outputs.insert(lines.joined(separator: "\n"))
      #expect(try place.records("run-\(index)") == place.records("run-0"))
    }
    #expect(outputs.count == 1)
    // The same command again, on other ranks, has nothing to do.
    let again = try place.succeed(
      ["train", "iris.yaml", "--output", "run-0"] + values, ranks: 2)
    #expect(again.contains("finished before: stopped early after step "))
    #expect(again.contains("; start over with --fresh"))
    // Its average and its parameters are two models.
    let newest = try #require(try place.names("run-0/checkpoints").max())
    let evaluations = try [[], ["--parameters", "average"], ["--parameters", "raw"]].map { choice in
      try place.succeed(
        [
          "evaluate", "run-0/checkpoints/\(newest)", "--data", bundled("iris-test"),
          "--json",
        ]
          + choice)
    }
    #expect(evaluations[0] == evaluations[1])
    #expect(evaluations[0] != evaluations[2])
  }

  @Test(
    "phases of a run that add up to its time on the wall, on every rank",
    arguments: [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1)])
  func timing(ranks: Int, workers: Int) throws {
    let place = try Workplace()
    try place.write(
      """
      data: { train: \(bundled("digits")), test: \(bundled("digits-test")) }
      model: [affine: 128, relu, affine: 10]
      batch_size: 60
      microbatches: 6
      epochs: 40
      checkpoint: { every: 100, at_start: true }

      """, to: "run.yaml")
    let result = try launch(
      "RankChecks", "timing", "run.yaml", "run", "\(workers)", ranks: ranks, directory: place.url)
    #expect(result.status == 0, "\(result)")
  }

  @Test("a trace of the first steps, with a process for each rank and a thread for each worker")
  func trace() throws {
    let place = try Workplace()
    try place.succeed(
      ["train", "iris.yaml", "--output", "run", "--trace", "trace.json", "--trace-steps", "3"]
        + overrides(["run.workers=2"]), ranks: 2)
    let events = try TraceEvents(place.folder.file("trace.json"))
    #expect(Set(events.complete.map(\.process)) == [0, 1])
    for process in 0..<2 {
      let own = events.complete.filter { $0.process == process }
      #expect(Set(own.map(\.thread)) == [0, 1])
      #expect(own.filter { $0.category == "step" }.map(\.name) == ["step 1", "step 2", "step 3"])
    }
    let late = try place.nndist("train", "iris.yaml", "--output", "other", "--trace", "no/t.json")
    #expect(late.status == 74)
    #expect(
      late.error
        == "nndist: no/t.json: No such file or directory, expected the path of a file in a "
        + "folder that is there\n")
    #expect(!place.exists("other"))
  }

  @Test(
    "parameters of rounded operands, alone or as ranks and workers, or refuses them by name")
  func precision() throws {
    let place = try Workplace()
    try place.write(
      """
      data: { train: \(bundled("digits")), test: \(bundled("digits-test")) }
      model: [conv2d: { channels: 16, kernel: 3 }, relu, affine: 64, tanh, affine: 10]
      batch_size: 100
      microbatches: 6
      epochs: 2
      train: { precision: bf16 }

      """, to: "run.yaml")
    let refused = try run(
      "nndist", arguments: ["train", "run.yaml", "--output", "refused"],
      environment: ["DNNL_MAX_CPU_ISA": "AVX512_CORE"], directory: place.url)
    #expect(refused.status == 78)
    let start = "nndist: train.precision is bf16, which needs avx512_core_bf16 or avx512_core_amx; "
    #expect(refused.error.hasPrefix("\(start)found oneDNN "), "\(refused)")
    #expect(refused.error.hasSuffix(" (avx512_core), expected float\n"), "\(refused)")
    guard try run("nndist", "env").output.contains("avx512_core_bf16") else { return }
    var digests: Set<String> = []
    for (ranks, workers) in [(1, 1), (1, 3), (2, 1), (3, 2)] {
      let name = "\(ranks)x\(workers)"
      try place.succeed(
        ["train", "run.yaml", "--output", name] + overrides(["run.workers=\(workers)"]),
        ranks: ranks)
      digests.insert(try place.digest(name, step: 30))
    }
    #expect(digests.count == 1)
    try place.succeed(
      "train", "run.yaml", "--output", "whole", "--set", "train.precision=float")
    #expect(try place.digest("whole", step: 30) != digests.first)
  }

  @Test("gradients sent as bf16 are no longer one answer, and the run says so first")
  func roundedGradients() throws {
    let place = try Workplace()
    let values = overrides(["train.gradient_exchange=bf16", "run.shared_memory=false"])
    var digests: Set<String> = []
    for ranks in [1, 2, 4] {
      let output = try place.succeed(
        ["train", "iris.yaml", "--output", "run-\(ranks)"] + values, ranks: ranks)
      #expect(output.hasPrefix("not one answer: train.gradient_exchange is bf16"))
      digests.insert(try place.digest("run-\(ranks)", step: 12))
    }
    #expect(digests.count == 3)
    // Close all the same: what rounding loses is sent later.
    let losses = try [1, 2, 4].map { ranks in
      try place.records("run-\(ranks)").filter { $0.contains("\"kind\":\"step\"") }.map { line in
        Double(line.split(separator: "\"loss\":").last?.dropLast() ?? "") ?? .nan
      }
    }
    for (one, other) in zip(losses[0], losses[2]) { #expect(abs(one - other) < 0.02 * one) }
  }

  @Test("evaluates the same rows to the same loss on any number of ranks")
  func evaluate() throws {
    let place = try Workplace()
    let data = bundled("digits")
    try place.succeed(
      "train", "iris.yaml", "--output", "run", "--set",
      "data={train: \(bundled("digits-test")), test: \(data)}", "--set", "model=[affine: 10]",
      "--set", "evaluation.block=7", "--set", "epochs=1")
    var outputs: Set<String> = []
    var predictions: Set<[UInt8]> = []
    let checkpoint = "run/checkpoints/step-0000000015.h5"
    for ranks in [1, 3, 8] {
      outputs.insert(
        try place.succeed(
          "evaluate", checkpoint, "--data", data, "--json", "--top", "2", ranks: ranks))
      try place.succeed(
        "predict", checkpoint, "--data", data, "--output", "p\(ranks).h5", ranks: ranks)
      predictions.insert(try contents(of: place.folder.file("p\(ranks).h5")))
    }
    #expect(outputs.count == 1)
    #expect(outputs.first?.contains("\"count\":1500") == true)
    #expect(predictions.count == 1)
    let diabetes = bundled("diabetes")
    try place.succeed(
      "train", "iris.yaml", "--output", "regression", "--set",
      "data={train: \(diabetes), test: \(bundled("diabetes-test"))}", "--set",
      "model=[affine: 1]", "--set", "loss=squared_norm", "--set", "evaluation.block=7", "--set",
      "optimizer={sgd: 0.01}", "--set", "epochs=1")
    let errors = try [1, 3, 8].map {
      try place.succeed(
        "evaluate", "regression/checkpoints/step-0000000017.h5", "--data", diabetes, "--json",
        ranks: $0)
    }
    #expect(Set(errors).count == 1)
  }
}

// One answer: whatever number of ranks and workers computes it, wherever it was stopped or killed.

import Foundation
import TestSupport
import Testing

@Suite("One answer on any number of ranks", .serialized, .timeLimit(.minutes(5)))
struct RanksTests {
  /// What a configuration comes to, and the step it ends with.
  private static let cases: [(name: String, overrides: [String], step: Int)] = [
    ("momentum, short last batch, 6 microbatches", [], 12),
    (
      "Adam, 8 microbatches, validation share",
      ["microbatches=8", "optimizer=adam", "data.validation=0.2"], 10
    ),
    ("one microbatch", ["microbatches=1", "optimizer={sgd: {nesterov: true}}"], 12),
    ("more microbatches than rows", ["microbatches=30", "optimizer={adamw: 0.01}"], 12),
  ]

  private func overrides(_ values: [String]) -> [String] { values.flatMap { ["--set", $0] } }

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

  @Test("random changes and normalisation of images, on ranks with workers")
  func augmentation() throws {
    let place = try Workplace()
    let values = [
      "data.train=\(Workplace.bundled("digits"))", "data.test=\(Workplace.bundled("digits-test"))",
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
        train: \(Workplace.bundled("digits"))
        test: \(Workplace.bundled("digits-test"))
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
          "evaluate", "run-0/checkpoints/\(newest)", "--data", Workplace.bundled("iris-test"),
          "--json",
        ]
          + choice)
    }
    #expect(evaluations[0] == evaluations[1])
    #expect(evaluations[0] != evaluations[2])
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

  @Test(
    "phases of a run that add up to its time on the wall, on every rank",
    arguments: [(1, 1), (1, 2), (2, 1), (2, 2), (4, 1)])
  func timing(ranks: Int, workers: Int) throws {
    let place = try Workplace()
    try place.write(
      """
      data: { train: \(Workplace.bundled("digits")), test: \(Workplace.bundled("digits-test")) }
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
      data: { train: \(Workplace.bundled("digits")), test: \(Workplace.bundled("digits-test")) }
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
    #expect(
      refused.error == "nndist: train.precision is bf16, which needs avx512_core_bf16 or "
        + "avx512_core_amx; found avx512_core, expected float\n")
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

  @Test("images of digits, the same on 1 and 4 ranks")
  func digits() throws {
    let place = try Workplace()
    try place.write(
      """
      data:
        train: \(Workplace.bundled("digits"))
        test: \(Workplace.bundled("digits-test"))
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

  @Test("evaluates the same rows to the same loss on any number of ranks")
  func evaluate() throws {
    let place = try Workplace()
    try place.succeed("train", "iris.yaml", "--output", "run", "--set", "evaluation.block=7")
    var outputs: Set<String> = []
    var predictions: Set<[UInt8]> = []
    let checkpoint = "run/checkpoints/step-0000000012.h5"
    for ranks in [1, 3, 8] {
      let data = Workplace.bundled("iris-test")
      outputs.insert(
        try place.succeed(
          "evaluate", checkpoint, "--data", data, "--json", "--top", "2", ranks: ranks))
      try place.succeed(
        "predict", checkpoint, "--data", data, "--output", "p\(ranks).h5", ranks: ranks)
      predictions.insert(try contents(of: place.folder.file("p\(ranks).h5")))
    }
    #expect(outputs.count == 1)
    #expect(outputs.first?.contains("\"count\":30") == true)
    #expect(predictions.count == 1)
    let diabetes = Workplace.bundled("diabetes-test")
    try place.succeed(
      "train", "iris.yaml", "--output", "regression", "--set",
      "data={train: \(Workplace.bundled("diabetes")), test: \(diabetes)}", "--set",
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

@Suite("Nothing lost", .serialized, .timeLimit(.minutes(5)))
struct ResumeTests {
  /// A run long enough to be stopped in the middle.
  private let long = [
    "train", "iris.yaml", "--output", "run", "--set", "epochs=2000000", "--set",
    "evaluation=never", "--set", "metrics=1000",
  ]

  /// Starts the program and waits until `hasBegun`; without one, until it has recorded something.
  private func begin(
    _ place: Workplace, _ arguments: [String], ranks: Int, until hasBegun: (() -> Bool)? = nil
  ) throws -> Process {
    let process = Process()
    let program = try builtProgram("nndist").path
    if ranks == 1 {
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments = arguments
    } else {
      process.executableURL = repository.appendingPathComponent("launch/mpirun")
      process.arguments = ["-n", "\(ranks)", program] + arguments
    }
    process.currentDirectoryURL = place.url
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try withAllSignals { try process.run() }
    let metrics = place.folder.file("run/metrics.jsonl")
    for _ in 0..<3000 where process.isRunning {
      // Records are written once a second: then it trains.
      let isThere = hasBegun ?? { (try? contents(of: metrics).isEmpty) == false }
      if isThere() { break }
      usleep(10_000)
    }
    return process
  }

  private struct NoCheckpoint: Error {}

  /// Waits for a process that has been asked to end, and kills it when it does not.
  private func end(_ process: Process) {
    for _ in 0..<6000 where process.isRunning { usleep(10_000) }
    if process.isRunning {
      Issue.record("process \(process.processIdentifier) did not end within a minute")
      kill(process.processIdentifier, SIGKILL)
    }
    process.waitUntilExit()
  }

  /// The step of the newest checkpoint.
  private func lastStep(_ place: Workplace) throws -> Int {
    let steps = try place.names("run/checkpoints").compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst(5).dropLast(3)) : nil
    }
    guard let last = steps.max() else { throw NoCheckpoint() }
    return last
  }

  @Test(
    "stops with a checkpoint and status 75 when asked to",
    arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR2], [1, 3])
  func stopSignal(signal: Int32, ranks: Int) throws {
    let place = try Workplace()
    let process = try begin(place, long + ["--set", "checkpoint=never"], ranks: ranks)
    kill(process.processIdentifier, signal)
    end(process)
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 75)
    let step = try lastStep(place)
    #expect(step > 0)
    // The same end as a run that was never asked, at another number of ranks.
    let epochs = ["--set", "epochs=\(step / 6 + 1)", "--set", "checkpoint=never"]
    let others = ["--set", "evaluation=never", "--set", "metrics=1000"]
    let end = (step / 6 + 1) * 6
    for (output, count) in [("run", 2), ("whole", 1)] {
      let result = try place.nndist(
        ["train", "iris.yaml", "--output", output] + epochs + others, ranks: count)
      #expect(result.status == 0, "\(result)")
    }
    #expect(try place.digest("run", step: end) == place.digest("whole", step: end))
    #expect(try place.records("run") == place.records("whole"))
  }

  @Test("stops all ranks when one of them is asked to")
  func stopOneRank() throws {
    let place = try Workplace()
    let process = try begin(place, long, ranks: 3)
    let program = try builtProgram("nndist").path
    let ranks = try processes(of: program, in: place.folder.path)
    #expect(ranks.count == 3)
    if let last = ranks.last { kill(last, SIGUSR1) }
    end(process)
    #expect(process.terminationStatus == 75)
    #expect(try lastStep(place) > 0)
  }

  /// The processes of a program that run in a folder.
  private func processes(of program: String, in folder: String) throws -> [pid_t] {
    let files = FileManager.default
    return try files.contentsOfDirectory(atPath: "/proc").compactMap { pid_t($0) }.sorted()
      .filter { number in
        (try? files.destinationOfSymbolicLink(atPath: "/proc/\(number)/exe")) == program
          && (try? files.destinationOfSymbolicLink(atPath: "/proc/\(number)/cwd")) == folder
      }
  }

  @Test("goes on by the same command after it was killed", arguments: [1, 3])
  func killed(ranks: Int) throws {
    let place = try Workplace()
    let arguments = [
      "train", "iris.yaml", "--output", "run", "--set", "checkpoint={every: 7, keep: 2}", "--set",
      "evaluation={every: 11}",
    ]
    let endless = ["--set", "epochs=2000000"]
    for _ in 0..<2 {
      let before = (try? lastStep(place)) ?? 0
      let process = try begin(place, arguments + endless, ranks: ranks) {
        (try? lastStep(place)) ?? 0 > before
      }
      for number in try processes(of: try builtProgram("nndist").path, in: place.folder.path) {
        kill(number, SIGKILL)
      }
      end(process)
      #expect(process.terminationReason == .uncaughtSignal || process.terminationStatus != 0)
    }
    let step = try lastStep(place)
    let end = (step / 6 + 1) * 6
    let epochs = ["--set", "epochs=\(end / 6)"]
    let result = try place.nndist(arguments + epochs, ranks: ranks)
    #expect(result.status == 0, "\(result)")
    var whole = arguments + epochs
    whole[3] = "whole"
    #expect(try place.nndist(whole).status == 0)
    #expect(try place.digest("run", step: end) == place.digest("whole", step: end))
    // Evaluations that come after the last step are due by the number of epochs alone.
    #expect(try place.records("run") == place.records("whole"))
  }

  @Test("refuses a second process in a run directory, with status 73")
  func inUse() throws {
    let place = try Workplace()
    let process = try begin(place, long, ranks: 1)
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    for ranks in [1, 2] {
      let result = try place.nndist(long, ranks: ranks)
      #expect(result.status == 73, "\(result)")
      #expect(result.error.contains("run: in use by process \(process.processIdentifier) on "))
      #expect(result.error.split(separator: "\n").count == 1)
    }
  }
}

// Every command on good input, and the small promises about output and folders.

import Foundation
import HDF5
import TestSupport
import Testing

@Suite("Commands", .timeLimit(.minutes(5)))
struct CommandTests {
  private let checkpoint = "run/checkpoints/step-0000000012.h5"

  private func trained() throws -> Workplace {
    let place = try Workplace()
    try place.succeed("train", "iris.yaml", "--output", "run")
    return place
  }

  @Test("bare nndist trains the bundled digits, from any folder, and goes on or starts anew")
  func bare() throws {
    let place = try Workplace()
    let output = try place.succeed()
    let lines = output.split(separator: "\n").map(String.init)
    #expect(lines.contains { $0.contains(" parameters, loss softmax_cross_entropy, memory ") })
    #expect(lines.contains { $0.hasPrefix("1 rank × ") && $0.contains(" in 8 microbatches, ") })
    #expect(lines.contains { $0.hasPrefix("final test accuracy ") && $0.contains("/297 (0.9") })
    #expect(lines.contains { $0.hasPrefix("checkpoint runs/1/checkpoints/step-") })
    // That run is finished, so the next one is new.
    #expect(try place.succeed().contains("\nwrites to runs/2\n"))
    #expect(try place.names("runs") == ["1", "2"])
  }

  @Test("train says what it trains, and the checkpoint it ends with")
  func train() throws {
    let place = try Workplace()
    let output = try place.succeed("train", "iris.yaml", "--output", "run")
    for line in [
      "nndist 0.1.0  iris.yaml",
      "  train: \(bundled("iris")), 120 rows of [4], 'samples' and 'labels', names known "
        + "as samples/labels",
      "  affine1  [8]             40         64        32 B",
      "67 parameters, loss softmax_cross_entropy, memory ",
      "1 rank × 1 worker on 1 host, batches of 21 rows in 6 microbatches, 6 steps an epoch, 12 "
        + "steps in all", "writes to run", "final test accuracy ", "checkpoint \(checkpoint)",
    ] {
      #expect(output.contains(line), "\(line) in \(output)")
    }
    let again = try place.succeed("train", "iris.yaml", "--output", "run")
    #expect(
      again.hasSuffix(
        "finished before: 12 steps of 12; raise epochs to go on, or start over with --fresh\n"))
    let fresh = try place.succeed("train", "iris.yaml", "--output", "run", "--fresh")
    #expect(fresh.contains("\nwrites to run\n"))
  }

  @Test("train goes on with more epochs, and refuses what would be another run")
  func changedKeys() throws {
    let place = try trained()
    let longer = try place.succeed("train", "iris.yaml", "--output", "run", "--set", "epochs=3")
    #expect(longer.contains("goes on from \(checkpoint)"))
    let result = try place.nndist("train", "iris.yaml", "--output", "run", "--set", "seed=7")
    #expect(result.status == 78)
    #expect(
      result.error == "nndist: run/config.yaml: 'seed' is 1, not 7; only epochs, checkpoint, "
        + "evaluation, metrics and run may change; --fresh starts over, another --output begins "
        + "another run\n")
  }

  @Test("--dry-run prepares everything and writes nothing")
  func dryRun() throws {
    let place = try Workplace()
    let before = try place.names()
    for ranks in [1, 2] {
      let result = try place.nndist(["train", "iris.yaml", "--dry-run"], ranks: ranks)
      #expect(result.status == 0)
      #expect(result.output.hasSuffix("dry run: nothing was trained or written\n"))
    }
    #expect(try place.names() == before)
  }

  @Test("--init-from begins with other parameters, once")
  func initialCheckpoint() throws {
    let place = try trained()
    try place.succeed(
      "train", "iris.yaml", "--output", "second", "--init-from", checkpoint, "--set", "epochs=1")
    let again = try place.succeed(
      "train", "iris.yaml", "--output", "second", "--init-from", checkpoint, "--set", "epochs=2")
    #expect(again.contains("notice: the run has begun, so \(checkpoint) is not read again"))
    try place.succeed("train", "iris.yaml", "--output", "third", "--init-from", checkpoint)
    #expect(try place.digest("second", step: 12) == place.digest("third", step: 12))
    #expect(try place.digest("second", step: 12) != place.digest("run", step: 12))
  }

  @Test("evaluate prints k/N, the same as training did")
  func evaluate() throws {
    let place = try trained()
    let test = bundled("iris-test")
    let line = try place.succeed("evaluate", checkpoint, "--data", test)
    let match = try #require(
      line.firstMatch(of: /: accuracy ([0-9]+)\/30 \(0\.[0-9]{4}\), loss [0-9.]+\n/))
    let record = try #require(try place.records("run").last { $0.contains("evaluation") })
    #expect(record.contains("\"correct\":\(match.1),\"count\":30"))
    let json = try place.succeed("evaluate", checkpoint, "--data", test, "--json")
    let loss = try #require(record.firstMatch(of: /"loss":[0-9.]+/))
    #expect(json.contains(String(loss.0)))
    let wrong = try place.nndist("evaluate", checkpoint, "--data", bundled("digits-test"))
    #expect(wrong.status == 65)
    #expect(
      wrong.error
        == "nndist: \(bundled("digits-test")): found samples of shape [1, 8, 8], "
        + "expected [4] as in the data of the checkpoint\n")
  }

  @Test("evaluate tells classes and responses apart, as tables and as JSON")
  func evaluateParts() throws {
    let place = try Workplace()
    try place.writeData("labels.h5", .init(label: { $0 < 30 ? 0 : 1 }))
    try place.writeResponses("responses.h5", count: 3)
    // All outputs are 0: every row is taken for class 0.
    func evaluate(_ data: String, _ overrides: [String], _ options: String...) throws -> String {
      try place.succeed(
        ["train", "iris.yaml", "--output", "run-\(data)", "--set", "data.train=\(data)"]
          + (["data.test=null", "epochs=0", "checkpoint.at_start=true"] + overrides)
          .flatMap { ["--set", $0] })
      return try place.succeed(
        ["evaluate", "run-\(data)/checkpoints/step-0000000000.h5", "--data", data] + options)
    }
    let labels = ["model=[{affine: {units: 2, weight: zeros}}]"]
    #expect(
      try evaluate("labels.h5", labels, "--top", "2") == """
        labels.h5: accuracy 30/40 (0.7500), top 2 40/40 (1.0000), loss 0.6931

        class  rows  predicted  correct  precision  recall      F1
        0        30         40       30     0.7500  1.0000  0.8571
        1        10          0        0          –  0.0000  0.0000
        mean                                0.3750  0.5000  0.4286

        class \\ taken for   0  1
        0                  30  0
        1                  10  0

        """)
    #expect(
      try evaluate("labels.h5", labels, "--json").hasSuffix(
        #"""
        "correct":30,"count":40,"accuracy":0.75,"macro_precision":0.375,"macro_recall":0.5,\#
        "macro_f1":0.42857142857142855,"classes":[{"label":0,"name":null,"support":30,\#
        "predicted":40,"correct":30,"precision":0.75,"recall":1.0,"f1":0.8571428571428571},\#
        {"label":1,"name":null,"support":10,"predicted":0,"correct":0,"precision":null,\#
        "recall":0.0,"f1":0.0}],"confusion":[[30,0],[10,0]]}

        """#))
    let responses = ["model=[{affine: {units: 3, weight: zeros}}]", "loss=mean_squared_error"]
    #expect(
      try evaluate("responses.h5", responses) == """
        responses.h5: loss 0.2400, mean squared error 0.24, mean absolute error 0.4 over 40 rows

        response  mean squared  its root  mean absolute       R²
        0                 0.24    0.4899            0.4  -2.0000
        1                 0.24    0.4899            0.4  -2.0000
        2                 0.24    0.4899            0.4  -2.0000
        all               0.24    0.4899            0.4  -2.0000

        """)
    let json = try evaluate("responses.h5", responses, "--json")
    #expect(json.contains("\"correct\":null,\"count\":40,\"mean_squared_error\":0.24"))
    let refused = try place.nndist(
      "evaluate", "run-labels.h5/checkpoints/step-0000000000.h5", "--data", "labels.h5", "--top",
      "3")
    #expect(refused.status == 64)
    #expect(refused.error == "nndist: --top is 3, expected at most 2, the number of classes\n")
  }

  @Test("evaluate shows of many classes the worst and those most often confused")
  func evaluateManyClasses() throws {
    let place = try Workplace()
    try place.writeData("labels.h5", .init(label: { Int64($0 % 30) }))
    try place.succeed(
      "train", "iris.yaml", "--output", "run", "--set", "data.train=labels.h5", "--set",
      "data.test=null", "--set", "epochs=0", "--set", "checkpoint.at_start=true", "--set",
      "model=[{affine: {units: 30, weight: zeros}}]")
    let text = try place.succeed(
      "evaluate", "run/checkpoints/step-0000000000.h5", "--data", "labels.h5")
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(lines[2] == "the 20 classes of 30 with the lowest F1; --json has all")
    #expect(lines[4] == "1         2          0        0          –  0.0000  0.0000")
    #expect(
      Array(lines[26...29]) == [
        "classes most often taken for another", "rows  class  taken for",
        "   2  1      0", "   2  2      0",
      ])
    #expect(lines.count == 49)
  }

  @Test("predict writes labels and probabilities that h5py reads, and overwrites nothing")
  func predict() throws {
    let place = try trained()
    let test = bundled("iris-test")
    try place.succeed("predict", checkpoint, "--data", test, "--output", "p.h5")
    let file = try HDF5File(reading: place.folder.file("p.h5"))
    let probabilities = try file.dataset("/probabilities")
    #expect(probabilities.info.shape == [30, 3])
    #expect(try file.dataset("/labels").info.shape == [30])
    var values = [Float](repeating: 0, count: 90)
    try values.withUnsafeMutableBytes { try probabilities.read(into: $0, as: .float32) }
    for row in 0..<30 { #expect(abs(values[3 * row..<3 * row + 3].reduce(0, +) - 1) < 1e-5) }
    let before = try contents(of: place.folder.file("p.h5"))
    for (output, status, expected) in [
      ("p.h5", 74, "p.h5: exists already, not replaced"),
      ("no/p.h5", 74, "no/p.h5: cannot create it: No such file or directory"),
      (
        checkpoint, 64,
        "--output: found the checkpoint, \(checkpoint), expected another file; see 'nndist predict "
          + "--help'"
      ),
    ] as [(String, Int32, String)] {
      let result = try place.nndist("predict", checkpoint, "--data", test, "--output", output)
      #expect(result.status == status)
      #expect(result.error == "nndist: \(expected)\n")
    }
    #expect(try contents(of: place.folder.file("p.h5")) == before)
    try place.writeData("rows.h5", .init(label: { Int64($0 % 3) }))
    let rows = try contents(of: place.folder.file("rows.h5"))
    let itself = try place.nndist(
      "predict", checkpoint, "--data", "rows.h5", "--output", "./rows.h5", "--replace")
    #expect(itself.status == 64)
    #expect(try contents(of: place.folder.file("rows.h5")) == rows)
  }

  @Test("predict writes responses of a regression")
  func predictResponses() throws {
    let place = try Workplace()
    try place.writeResponses("data.h5", count: 3)
    try place.write(
      """
      data: { train: data.h5, validation: 0.25 }
      model: [affine: 3]
      loss: squared_norm
      batch_size: 10
      epochs: 2

      """, to: "run.yaml")
    let output = try place.succeed("train", "run.yaml", "--output", "run")
    #expect(output.contains("final validation loss "))
    #expect(output.contains(" over 10 rows\n"))
    try place.succeed(
      "predict", "run/checkpoints/step-0000000006.h5", "--data", "data.h5", "--output", "p.h5")
    let file = try HDF5File(reading: place.folder.file("p.h5"))
    #expect(try file.dataset("/responses").info.shape == [40, 3])
  }

  @Test("check compares all derivatives, of models and expressions")
  func check() throws {
    let place = try Workplace()
    for arguments in [["iris.yaml"], ["iris.yaml", "--against-jacobians", "--rows", "3"]] {
      let output = try place.succeed(["check"] + arguments)
      #expect(output.hasPrefix("at the initial parameters and the first "))
      #expect(output.contains("\naffine1/weight"))
      #expect(output.contains("\nsamples  "))
      #expect(output.hasSuffix("derivatives agree\n"))
      #expect(output.contains("product of whole Jacobians") == (arguments.count > 1))
    }
    let normal = try place.succeed("check", "(x*θ)^2", "--against-jacobians")
    #expect(normal.hasPrefix("at random values from the normal distribution\n"))
    let positive = try place.succeed("check", "log(x)*θ")
    #expect(positive.hasPrefix("at random values from 0.5 to 1.5, since "))
    let large = try place.nndist(
      ["check", "sum(A*B)", "--shape", "A=60,60", "--shape", "B=60,60", "--against-jacobians"])
    #expect(large.status == 64)
    #expect(
      large.error
        == "nndist: matmul: found a Jacobian of 3600 × 3600 elements, expected at most 4000000\n")
  }

  @Test("config lists every key, and resolves a file to one that means the same")
  func config() throws {
    let place = try Workplace()
    let listing = try place.succeed("config")
    for key in [
      "data.train", "batch_size", "microbatches", "optimizer.sgd.momentum", "run.workers",
    ] {
      #expect(listing.split(separator: "\n").contains { $0.hasPrefix(key + " ") }, "\(key)")
    }
    let resolved = try place.succeed("config", "iris.yaml", "--set", "epochs=5")
    #expect(resolved.contains("epochs: 5\n"))
    try place.write(resolved, to: "resolved.yaml")
    #expect(try place.succeed("config", "resolved.yaml") == resolved)
    try place.succeed("train", "iris.yaml", "--output", "a", "--set", "epochs=1")
    try place.succeed("train", "a/config.yaml", "--output", "b")
    #expect(try place.digest("a", step: 6) == place.digest("b", step: 6))
  }

  @Test("data info describes a file, and data import makes one from IDX")
  func data() throws {
    let place = try Workplace()
    let info = try place.succeed("data", "info", bundled("digits"))
    #expect(info.contains(": 1500 rows, samples [1, 8, 8], 10 classes\n"))
    #expect(try place.succeed("data", "info", bundled("iris"), "--json").hasPrefix("{"))
    // Two images of 2 × 3 bytes, and two labels.
    let images: [UInt8] =
      [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3] + (0..<12).map { $0 * 20 }
    try place.folder.write(images, to: "images")
    try place.folder.write([0, 0, 8, 1, 0, 0, 0, 2, 1, 0], to: "labels")
    let arguments = ["data", "import", "idx", "--samples", "images", "--labels", "labels"]
    let result = try place.nndist(arguments + ["--output", "new.h5"])
    #expect(result.output == "new.h5: 2 rows of [1, 2, 3]\n", "\(result)")
    let again = try place.nndist(arguments + ["--output", "new.h5"])
    #expect(again.status == 74)
    #expect(again.error == "nndist: new.h5: exists already, not replaced\n")
    #expect(try place.nndist(arguments + ["--output", "new.h5", "--replace"]).status == 0)
    let wrong = try place.nndist("data", "info", "iris.yaml")
    #expect(wrong.status == 65)
    #expect(wrong.error == "nndist: iris.yaml: not an HDF5 file\n")
  }

  @Test("data synthetic makes images to train on, equal ones for equal seeds")
  func syntheticData() throws {
    let place = try Workplace()
    let arguments = ["data", "synthetic", "--samples", "3,9,8", "--classes", "5", "--rows", "40"]
    #expect(try place.succeed(arguments + ["a.h5"]) == "a.h5: 40 rows of [3, 9, 8]\n")
    try place.succeed(arguments + ["b.h5"])
    #expect(
      try contents(of: place.folder.file("a.h5")) == contents(of: place.folder.file("b.h5")))
    try place.succeed(
      "train", "iris.yaml", "--output", "run", "--set", "data={train: a.h5, test: b.h5}", "--set",
      "model=[{affine: 5}]", "--set", "epochs=1")
    for (more, status, expected) in [
      (["a.h5"], 74, "a.h5: exists already, not replaced"),
      (
        ["c.h5", "--rows", "0"], 64,
        "--rows: found 0, expected a number from 1 to 2147483647; see 'nndist data synthetic --help'"
      ),
      (
        ["c.h5", "--samples", "3,x"], 64,
        "--samples: found '3,x', expected positive extents such as 784; see 'nndist data synthetic "
          + "--help'"
      ),
    ] as [([String], Int32, String)] {
      let result = try place.nndist(arguments + more)
      #expect(result.status == status)
      #expect(result.error == "nndist: \(expected)\n")
    }
  }

  @Test("checkpoint info, digest and list describe what a run left")
  func checkpoints() throws {
    let place = try trained()
    let info = try place.succeed("checkpoint", "info", checkpoint)
    #expect(info.hasPrefix("\(checkpoint): verified\n"))
    #expect(info.contains("parameters: 4 arrays, 67 numbers\n"))
    let digest = try place.succeed("checkpoint", "digest", checkpoint)
    #expect(digest.wholeMatch(of: /[0-9a-f]{64}\n/) != nil)
    let list = try place.succeed("checkpoint", "list", "run")
    #expect(list.split(separator: "\n").count == 3)
    #expect(list.contains(", best"))
    for (arguments, expected) in [
      (["list", "no"], "no: found no such folder, expected a run directory or one of checkpoints"),
      (["info", "no.h5"], "no.h5: No such file or directory, expected a file that can be read"),
      (
        ["digest", "iris.yaml"],
        "iris.yaml: damaged checkpoint: found neither the start of a checkpoint nor of an HDF5 "
          + "file, expected a checkpoint"
      ),
    ] {
      let result = try place.nndist(["checkpoint"] + arguments)
      #expect(result.status == 65)
      #expect(result.error == "nndist: \(expected)\n")
    }
    var bytes = try contents(of: place.folder.file(checkpoint))
    bytes[bytes.count - 9] ^= 4
    try place.folder.write(bytes, to: "flipped.h5")
    let flipped = try place.nndist(
      "evaluate", "flipped.h5", "--data", bundled("iris-test"))
    #expect(flipped.status == 65)
    #expect(flipped.error.hasPrefix("nndist: flipped.h5: damaged checkpoint: "))
  }

  @Test("env says what the program finds, alone and on two ranks")
  func env() throws {
    let text = try run("nndist", "env").output
    for key in ["version", "isa", "onednn", "hdf5", "mpi", "ranks", "bundled_files"] {
      #expect(text.split(separator: "\n").contains { $0.hasPrefix(key + " ") }, "\(key)")
    }
    #expect(try launch("nndist", "env", "--json", ranks: 2).output.contains("\"ranks\":2"))
  }

  @Test("bench step prints one line of JSON with what it measured")
  func bench() throws {
    let place = try Workplace()
    let line = try place.succeed(
      "bench", "step", "iris.yaml", "--samples", "4", "--classes", "3")
    for key in [
      "case", "ranks", "workers", "microbatches", "batch", "step_ms", "floor_ms", "ratio",
      "rows_per_second", "peak_megabytes", "isa", "binding",
    ] {
      #expect(line.contains("\"\(key)\":"), "\(key)")
    }
    #expect(line.split(separator: "\n").count == 1)
  }

  @Test("bench step --profile splits a step by phase and call, beside the line of JSON")
  func profile() throws {
    let place = try Workplace()
    let result = try place.nndist(
      "bench", "step", "iris.yaml", "--samples", "4", "--classes", "3", "--profile", "--trace",
      "trace.json")
    #expect(result.status == 0, "\(result)")
    #expect(result.output.split(separator: "\n").count == 1)
    for part in [
      "20 steps of ", "\nphase or call ", "\ndata ", "\nforward ", "\n  affine1: ", "\nbackward ",
      "\n  sums of rows and gradients ", "\noptimizer ", "\nsum of the phases ",
    ] {
      #expect(("\n" + result.error).contains(part), "\(part) in \(result.error)")
    }
    let events = try TraceEvents(place.folder.file("trace.json"))
    #expect(events.complete.count { $0.category == "step" } == 20)
  }

  @Test("goes on when who reads its output goes away")
  func closedPipe() throws {
    let place = try Workplace()
    let program = try builtProgram("nndist").path
    for command in ["train iris.yaml --output run", "config", "--help"] {
      let result = try run(
        "/bin/bash", "-c", "'\(program)' \(command) | head -n 1; exit ${PIPESTATUS[0]}",
        directory: place.url)
      #expect(result.status == 0, "\(command): \(result)")
      #expect(result.output.split(separator: "\n").count == 1)
      #expect(result.error == "")
    }
    #expect(place.exists(checkpoint))
  }

  @Test("runs in a folder that cannot be written to as long as it writes elsewhere")
  func otherFolders() throws {
    let place = try Workplace()
    let result = try run(
      "nndist", "train", place.folder.file("iris.yaml"), "--output", place.folder.file("run"),
      directory: URL(fileURLWithPath: "/proc"))
    #expect(result.status == 0, "\(result)")
    let refused = try run("nndist", directory: URL(fileURLWithPath: "/proc"))
    #expect(refused.status == 74)
    #expect(refused.error.hasPrefix("nndist: runs: "))
    #expect(refused.error.split(separator: "\n").count == 1)
  }

  @Test("takes data under the names and in the types that others write")
  func otherNames() throws {
    let place = try Workplace()
    for (samples, targets) in [("x", "y"), ("X", "y"), ("data", "label"), ("features", "targets")] {
      try place.writeData("data.h5", .init(samples: samples, targets: targets))
      let output = try place.succeed(
        "train", "iris.yaml", "--dry-run", "--set", "data.train=data.h5", "--set", "data.test=null")
      #expect(output.contains("'\(samples)' and '\(targets)'"), "\(output)")
    }
  }
}

// What bad input gets: one line that names the thing, what was found and what was expected; the exit
// status of its kind, alone and on several ranks; nothing overwritten, nothing left behind.

import Foundation
import TestSupport
import Testing

@Suite("Bad input", .serialized, .timeLimit(.minutes(5)))
struct BadInputTests {
  /// A case: overrides of the configuration, or whole arguments, and what is expected.
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let overrides: [String]
    let status: Int32
    /// `FOLDER` stands for the folder of the test.
    let error: String

    init(_ name: String, _ overrides: [String], _ status: Int32, _ error: String) {
      (self.name, self.overrides, self.status, self.error) = (name, overrides, status, error)
    }

    var testDescription: String { name }
  }

  static let cases = [
    Case("missing file", ["data.train=no.h5"], 65, "FOLDER/no.h5: No such file or directory"),
    Case("a folder", ["data.train=."], 65, "FOLDER: is a folder, expected a file"),
    Case("not HDF5", ["data.train=text.h5"], 65, "FOLDER/text.h5: not an HDF5 file"),
    Case(
      "cut short", ["data.train=cut.h5"], 65, "FOLDER/cut.h5: cannot open it: unable to open file: "
    ),
    Case(
      "unknown names", ["data.train=names.h5"], 65,
      "FOLDER/names.h5: no samples: holds 'bar', 'foo', looked for 'samples', "),
    Case(
      "no such name", ["data.samples=rows"], 65,
      "FOLDER/good.h5: no samples: holds 'labels', 'samples', looked for 'rows'"),
    Case(
      "label outside", ["data.train=labels.h5"], 65,
      "FOLDER/labels.h5: 'labels' row 5 is 9, expected a class within 0..<2"),
    Case(
      "label below 0", ["data.train=negative.h5"], 65,
      "FOLDER/negative.h5: 'labels' row 1 is -1, expected a class number: whole, from 0 to 2147483647"
    ),
    Case(
      "no rows", ["data.train=empty.h5"], 65,
      "FOLDER/empty.h5: 'samples' has 0 rows, expected 1 or more"),
    Case(
      "lengths differ", ["data.train=lengths.h5"], 65,
      "FOLDER/lengths.h5: 'labels' has 39 rows but 'samples' has 40"),
    Case(
      "NaN", ["data.train=nan.h5"], 65,
      "FOLDER/nan.h5: 'samples' row 7 holds nan, expected finite numbers"),
    Case(
      "other shape", ["data.test=wide.h5"], 65,
      "FOLDER/wide.h5: found samples of shape [5], expected [4] as in FOLDER/good.h5"),
    Case(
      "responses for classes", ["data.train=responses.h5"], 65,
      "FOLDER/responses.h5: 'responses' has extents [40, 3], expected [row], one class number each"),
    Case(
      "classes for responses", ["loss=mean_squared_error"], 78,
      "loss 'mean_squared_error': found class labels in the data, expected responses"),
    Case(
      "batch too large", ["batch_size=41"], 78,
      "batch_size is 41 but FOLDER/good.h5 has only 40 rows to train on; expected at most that many"
    ),
    Case(
      "unknown layout", ["data.layout=hcw"], 78,
      "--set data.layout=hcw: 'data.layout': found hcw, expected "),
    Case(
      "channels last of vectors", ["data.layout=hwc"], 65,
      "FOLDER/good.h5: 'samples' has extents [40, 4], expected [row, height, width, channel] for layout "
        + "'hwc'"),
    Case(
      "scales for other channels", ["data.scale=[1, 2]"], 78,
      "data.scale is [1.0, 2.0], expected a finite number, or 4 of them, one per channel of 'samples' of "
        + "FOLDER/good.h5"),
    Case(
      "unknown layer", ["model=[rleu]"], 78,
      "--set model=[rleu]: 'model.0': unknown layer 'rleu'; did you mean 'relu'?"),
    Case(
      "unknown input of a layer", ["model=[affine: 2, {add: , from: [affine1, afine1]}]"], 78,
      "layer 'add1': 'from' names 'afine1', but no layer has that name; did you mean 'affine1'?"),
    Case(
      "a layer that nothing uses", ["model=[affine: 3, {affine: 2, from: samples}]"], 78,
      "layer 'affine1': found no layer that takes its output, expected one, or the layer as the last "
        + "one"),
    Case(
      "too few class weights", ["loss={softmax_cross_entropy: {class_weights: [1]}}"], 78,
      "loss 'softmax_cross_entropy': found 1 class weights, expected 2, one for each class"),
    Case(
      "numbers outside a table", ["model=[embedding: {count: 3, units: 2}, affine: 2]"], 65,
      "FOLDER/good.h5: row 0 of the samples holds -1.25 at element 0, expected a whole number within "
        + "0..<3, which layer 'embedding1' has"),
    Case(
      "unknown key", ["bacth_size=4"], 78,
      "--set bacth_size=4: unknown key 'bacth_size'; did you mean 'batch_size'?"),
    Case(
      "learning rate NaN", ["optimizer.sgd.learning_rate=nan"], 78,
      "--set optimizer.sgd.learning_rate=nan: 'optimizer.sgd.learning_rate': found nan, expected a "
        + "number of 0 or more"),
    Case(
      "model larger than memory", ["model=[affine: 16777216, affine: 16777216]"], 78,
      "model has 281475077373952 parameters, found "),
  ]

  private func place() throws -> Workplace {
    let place = try Workplace()
    try place.write(
      """
      data: { train: good.h5 }
      model: [affine: 8, relu, affine: 2]
      batch_size: 16
      microbatches: 4
      epochs: 2

      """, to: "run.yaml")
    let good = try place.writeData("good.h5")
    try place.write("no data\n", to: "text.h5")
    try place.folder.write(Array(try contents(of: good).prefix(600)), to: "cut.h5")
    try place.writeData("names.h5", .init(samples: "foo", targets: "bar"))
    try place.writeData("labels.h5", .init(label: { $0 == 5 ? 9 : 0 }))
    try place.writeData("negative.h5", .init(label: { Int64(-($0 % 2)) }))
    try place.writeData("empty.h5", .init(shape: [0, 4], rows: 0))
    try place.writeData("lengths.h5", .init(rows: 39))
    try place.writeData("nan.h5", .init(sample: { $0 == 30 ? .nan : 1 }))
    try place.writeData("wide.h5", .init(shape: [40, 5]))
    try place.writeResponses("responses.h5", count: 3)
    return place
  }

  @Test("gets one line and its status, and no run directory", arguments: cases)
  func alone(wrong: Case) throws {
    let place = try place()
    let result = try place.nndist(arguments(wrong))
    expect(result, wrong, in: place)
  }

  @Test("gets the same line from three ranks, once")
  func ranks() throws {
    let place = try place()
    for wrong in BadInputTests.cases where wrong.name != "model larger than memory" {
      expect(try place.nndist(arguments(wrong), ranks: 3), wrong, in: place)
    }
  }

  private func arguments(_ wrong: Case) -> [String] {
    ["train", "run.yaml", "--output", "run"] + wrong.overrides.flatMap { ["--set", $0] }
  }

  private func expect(_ result: LaunchResult, _ wrong: Case, in place: Workplace) {
    #expect(result.status == wrong.status, "\(wrong.name): \(result)")
    let expected =
      "nndist: " + wrong.error.replacingOccurrences(of: "FOLDER", with: place.folder.path)
    #expect(result.error.hasPrefix(expected), "\(wrong.name): \(result)")
    #expect(result.error.split(separator: "\n").count == 1, "\(wrong.name): \(result)")
    #expect(!place.exists("run"), "\(wrong.name)")
  }

  @Test("a loss that becomes NaN stops the run with status 78", arguments: [1, 3])
  func nonfiniteLoss(ranks: Int) throws {
    let place = try place()
    let arguments = [
      "train", "run.yaml", "--output", "run", "--set", "optimizer={sgd: 1e30}", "--set",
      "checkpoint.at_start=true",
    ]
    for _ in 0..<2 {
      let result = try place.nndist(arguments, ranks: ranks)
      #expect(result.status == 78)
      #expect(
        result.error == "nndist: loss of step 2 is nan, expected a finite number; a smaller "
          + "learning_rate may help; checkpoints before it are kept\n")
      #expect(try place.names("run/checkpoints") == ["step-0000000000.h5"])
    }
  }

  @Test("what cannot be written gets status 74", arguments: [1, 3])
  func unwritable(ranks: Int) throws {
    let place = try place()
    try place.write("mine", to: "file")
    let prefix = ranks == 1 ? "" : "rank 0 of \(ranks): "
    for (output, expected) in [
      ("file", "file: Not a directory, expected a folder"),
      ("/proc/run", "/proc/run: No such file or directory, expected a folder that can be made"),
    ] {
      let result = try place.nndist(["train", "run.yaml", "--output", output], ranks: ranks)
      #expect(result.status == 74)
      #expect(result.error == "nndist: \(prefix)\(expected)\n")
    }
    #expect(try contents(of: place.folder.file("file")) == Array("mine".utf8))
  }

  @Test("a folder with a stranger's files gets status 73, and keeps them")
  func strangersFolder() throws {
    let place = try place()
    try FileManager.default.createDirectory(
      atPath: place.folder.file("run"), withIntermediateDirectories: true)
    try place.write("mine", to: "run/config.yaml")
    for arguments in [["--output", "run"], ["--output", "run", "--fresh"]] {
      let result = try place.nndist(["train", "run.yaml"] + arguments)
      #expect(result.status == 73)
      #expect(
        result.error == "nndist: run: found 'config.yaml' but no 'status.json', expected an empty "
          + "folder or a run of ours\n")
    }
    #expect(try place.names("run") == ["config.yaml"])
  }

  @Test("a checkpoint of another model, or none, is refused by name", arguments: [1, 3])
  func otherModel(ranks: Int) throws {
    let place = try place()
    try place.succeed("train", "run.yaml", "--output", "first")
    let checkpoint = "first/checkpoints/step-0000000006.h5"
    for (arguments, status, expected) in [
      (
        ["--init-from", checkpoint, "--set", "model=[affine: 9, relu, affine: 2]"], 78,
        "\(checkpoint): checkpoint of another model: found 'parameters/affine1/bias' of shape [8], "
          + "expected shape [9]"
      ),
      (
        ["--init-from", "good.h5"], 78,
        "good.h5: checkpoint of another model: found no 'parameters/affine1/weight', expected one "
          + "of shape [8, 4]"
      ),
      (
        ["--init-from", "no.h5"], 65,
        "no.h5: No such file or directory, expected a file that can be read"
      ),
    ] as [([String], Int32, String)] {
      let result = try place.nndist(
        ["train", "run.yaml", "--output", "run"] + arguments, ranks: ranks)
      #expect(result.status == status)
      #expect(result.error.hasPrefix("nndist: \(expected.prefix(40))"), "\(result)")
      #expect(result.error.split(separator: "\n").count == 1)
      #expect(!place.exists("run"))
    }
  }

  @Test("ranks that find different data are told apart")
  func dataDiffers() throws {
    let place = try place()
    // Each rank reads the files of its own folder.
    for rank in 0..<2 {
      try FileManager.default.createDirectory(
        atPath: place.folder.file("rank-\(rank)"), withIntermediateDirectories: true)
      for name in ["run.yaml", "good.h5"] {
        try FileManager.default.copyItem(
          atPath: place.folder.file(name), toPath: place.folder.file("rank-\(rank)/\(name)"))
      }
    }
    let program = try builtProgram("nndist").path
    let command = "cd rank-$OMPI_COMM_WORLD_RANK; exec '\(program)' train run.yaml --output run"
    let result = try launch("/bin/sh", "-c", command, ranks: 2, directory: place.url)
    #expect(result.status == 78)
    #expect(
      result.error == "nndist: configuration differs in line 2: rank 0: '  train: "
        + "\(place.folder.path)/rank-0/good.h5', rank 1: '  train: "
        + "\(place.folder.path)/rank-1/good.h5'\n")
    #expect(!place.exists("rank-0/run"))
  }

  @Test("refuses to be started by a launcher it cannot talk to", arguments: ["", "train"])
  func unknownLauncher(command: String) throws {
    let place = try place()
    let result = try run(
      "nndist", arguments: command.isEmpty ? [] : [command],
      environment: ["PMI_SIZE": "4", "PMI_RANK": "0"], directory: place.url)
    #expect(result.status != 0)
    #expect(result.error.split(separator: "\n").count == 1)
    #expect(!place.exists("runs"))
  }
}

import Configuration
import Foundation
import TestSupport
import Testing

@Suite("Text of a configuration")
struct ParsingTests {
  @Test(
    "is refused in one line when it is no map of keys",
    arguments: [
      ("", "run.yaml: found no keys, expected a map of keys"),
      ("# nothing\n", "run.yaml: found no keys, expected a map of keys"),
      ("---\n", "run.yaml: found no keys, expected a map of keys"),
      ("- relu", "run.yaml:1: found a list, expected a map of keys"),
      ("\nrelu", "run.yaml:2: found relu, expected a map of keys"),
      ("a: 1\na: 2", "run.yaml:1: found the key 'a' twice in one map, expected it once"),
      ("a: 1\n!!str a: 2", "run.yaml:1: found the key 'a' twice in one map, expected it once"),
      ("a:\n\tb: 1", "run.yaml:2: found a tab in the indentation, expected spaces"),
      ("a: [1, 2", "run.yaml:1: not YAML: did not find expected ',' or ']'"),
      ("a: 1\n b: 2", "run.yaml:2: not YAML: mapping values are not allowed in this context"),
      ("a: 1\n---\nb: 2", "run.yaml:2: not YAML: but found another document"),
      ("a: 1\n? [b]\n: 2", "run.yaml:2: found a map or list as a key, expected a word"),
      ("a: &x 1", "run.yaml:1: found '&x', expected no anchors or aliases: they are not supported"),
      ("a: *x", "run.yaml:1: found '*x', expected no anchors or aliases: they are not supported"),
      ("a: 1\nb: \u{1}", "run.yaml:2: control characters are not allowed (character 1)"),
    ])
  func refused(text: String, expected: String) {
    #expect(problem(text) == expected)
  }

  @Test("is taken with marks that are no anchors")
  func noAnchors() throws {
    let text = "data: { train: 'a &b *c' } # &x *y\nmodel: [relu]\n"
    #expect(try read(text).sample.train == "/data/a &b *c")
    #expect(try read("data: { train: a *b }\nmodel: [relu]").sample.train == "/data/a *b")
  }

  @Test("is refused at once when its aliases multiply", .timeLimit(.minutes(5)))
  func bomb() {
    var text = "x0: &x0 [a]\n"
    for i in 1...60 { text += "x\(i): &x\(i) [*x\(i - 1), *x\(i - 1)]\n" }
    text += "? *x60\n: 1\n"
    let rest = ", expected no anchors or aliases: they are not supported"
    #expect(problem(text) == "run.yaml:1: found '&x0'" + rest)
    // Behind a tag the glance sees it too.
    #expect(problem("a: !!str &x b") == "run.yaml:1: found '&x'" + rest)
  }

  @Test(
    "is refused when it nests too deep", .timeLimit(.minutes(5)),
    arguments: [
      (40, "run.yaml:1: found more than 32 levels, expected fewer"),
      (5_000, "run.yaml:1: found too many levels, expected fewer"),
      (200_000, "run.yaml:1: found too many levels, expected fewer"),
    ])
  func nesting(depth: Int, expected: String) {
    #expect(
      problem(
        "a: " + String(repeating: "[", count: depth)
          + String(repeating: "]", count: depth)) == expected)
    let dashes = problem("a:\n  " + String(repeating: "- ", count: depth) + "b")
    #expect(dashes == expected.replacing(":1:", with: ":2:"))
  }

  @Test("is refused when it is too long or not UTF-8, and its file when unreadable")
  func files() throws {
    let folder = try TemporaryFolder()
    let file = URL(fileURLWithPath: folder.file("run.yaml"))
    func problem() -> String {
      message { _ = try ConfigurationTree(path: file.path) }.replacing(folder.path + "/", with: "")
    }
    #expect(problem() == "run.yaml: No such file or directory, expected a configuration file")
    try folder.write([0x61, 0x3A, 0x20, 0x31, 0x0A, 0x62, 0x3A, 0x20, 0xFF], to: "run.yaml")
    #expect(problem() == "run.yaml:2: found bytes that are not UTF-8, expected UTF-8 text")
    try folder.write("a: 1\n", to: "run.yaml")
    #expect(problem() == "no error")
    try folder.write(Array(repeating: 0x20, count: 1 << 20 + 5), to: "run.yaml")
    #expect(problem().hasSuffix("found more than 1048576 bytes, expected a configuration"))
    try FileManager.default.removeItem(at: file)
    try FileManager.default.createDirectory(at: file, withIntermediateDirectories: true)
    #expect(problem() == "run.yaml: Is a directory, expected a configuration file")
  }

  @Test("means the same with Windows line ends and a byte order mark")
  func windows() throws {
    let text = "\u{FEFF}" + required.replacing("\n", with: "\r\n") + "batch_size: 8\r\n"
    #expect(try read(text).sample.batchSize == 8)
  }
}

@Suite("Overrides")
struct OverrideTests {
  @Test("replace, add and append")
  func overrides() throws {
    let text = required + "optimizer: { sgd: { momentum: 0.5 } }\nbatch_size: 3\n"
    let sample = try read(
      text,
      set: [
        "optimizer.sgd.momentum=0.9", "batch_size=8", "data.validation=0.25",
        "model.0={affine: {units: 4}}", "model.0.affine.bias=false", "model.1=relu",
        "model.2.affine=10", "model.2.name=head", "evaluation.every=7",
      ]
    ).sample
    #expect(sample.optimizer == .sgd(learningRate: 0.1, momentum: 0.9))
    #expect(sample.batchSize == 8)
    #expect(sample.validation == .fraction(0.25))
    #expect(
      sample.layers == [
        .affine(units: 4, bias: false, name: nil), .relu(name: nil),
        .affine(units: 10, bias: true, name: "head"),
      ])
    #expect(sample.every == .steps(7))
  }

  @Test("reach inside what a single value stands for")
  func shorthands() throws {
    let text = "data: { train: a }\nmodel: [affine: 512, relu]\noptimizer: adam\nevaluation: 3"
    let sample = try read(
      text,
      set: [
        "optimizer.adam.learning_rate=0.5", "model.0.affine.bias=false", "model.1.name=last",
        "evaluation.every=4",
      ]
    ).sample
    #expect(sample.optimizer == .adam(learningRate: 0.5, betas: [0.9, 0.999]))
    #expect(sample.layers == [.affine(units: 512, bias: false, name: nil), .relu(name: "last")])
    #expect(sample.every == .steps(4))
  }

  @Test("make a whole configuration without a file")
  func alone() throws {
    let sample = try read("{}", set: ["data.train=a", "model.0=relu"]).sample
    #expect(sample.layers == [.relu(name: nil)])
  }

  @Test(
    "are named when they are wrong",
    arguments: [
      ("batch_size", "--set batch_size: found no '=', expected key.path=value"),
      ("a..b=1", "--set a..b=1: found the path 'a..b', expected keys joined by dots"),
      ("=1", "--set =1: found the path '', expected keys joined by dots"),
      ("batch_size=0", "--set batch_size=0: 'batch_size': found 0, expected a positive integer"),
      (
        "batch_size=",
        "--set batch_size=: 'batch_size': found nothing, expected a positive integer"
      ),
      ("bach_size=1", "--set bach_size=1: unknown key 'bach_size'; did you mean 'batch_size'?"),
      (
        "batch_size.x=1",
        "--set batch_size.x=1: 'batch_size': found a map, expected a positive integer"
      ),
      ("model.5=relu", "--set model.5=relu: found '5' in a list of 1, expected an index in it"),
      ("model.x=relu", "--set model.x=relu: found 'x' in a list of 1, expected an index in it"),
      ("batch_size=[1", "--set batch_size=[1: not YAML: did not find expected ',' or ']'"),
      (
        "optimizer.adam.learning_rate=1",
        "--set optimizer.adam.learning_rate=1: 'optimizer': found 'sgd' and 'adam', expected one "
          + "optimizer"
      ),
    ])
  func wrong(override: String, expected: String) {
    #expect(problem(required + "optimizer: sgd\n", set: [override]) == expected)
  }
}

@Suite("Nearest word")
struct NearestWordTests {
  @Test(
    "is the one a slip away",
    arguments: [
      ("sdg", "sgd"), ("rleu", "relu"), ("ReLU", "relu"), ("learning-rate", "learning_rate"),
      ("learnin_rate", "learning_rate"), ("learning", "learning_rate"), ("adamW", "adamw"),
    ])
  func near(word: String, expected: String) {
    #expect(nearest(word, in: ["sgd", "adam", "adamw", "relu", "learning_rate"]) == expected)
  }

  @Test("is none when all are far", arguments: ["", "x", "banana", "le"])
  func far(word: String) {
    #expect(nearest(word, in: ["sgd", "adam", "relu", "learning_rate", "y"]) == nil)
    #expect(nearest(String(repeating: "a", count: 1 << 20), in: ["a"]) == nil)
  }
}

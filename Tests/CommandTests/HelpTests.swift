// What the program says of itself, and what it says to words it does not know.

import TestSupport
import Testing

@Suite("Help")
struct HelpTests {
  @Test(
    "of every command begins with what it does",
    arguments: [
      ([], "Trains neural networks on any number of ranks, with the same bits on"),
      (["train"], "Trains a network; the same command goes on where a run stopped."),
      (["evaluate"], "Evaluates a checkpoint on all rows of a data file."),
      (["predict"], "Writes the predictions of a checkpoint for all rows of a data file."),
      (["check"], "Checks the derivatives of a model or an expression, in double"),
      (["graph"], "Shows the computation graph of an expression, a configuration or a"),
      (["data"], "Describes data files and makes them from other formats."),
      (["data", "info"], "Describes a data file: arrays, ranges, rows per class, fingerprint."),
      (["data", "import"], "Makes a data file from other formats."),
      (
        ["data", "import", "idx"],
        "Makes a data file from two files in the IDX format, plain or gzip."
      ),
      (
        ["data", "synthetic"],
        "Makes a data file of random bytes and labels, to try and measure"
      ),
      (["checkpoint"], "Describes, compares and lists checkpoints."),
      (["checkpoint", "info"], "Says what a checkpoint holds and where in its run it stands."),
      (
        ["checkpoint", "digest"], "Prints SHA-256 over all arrays, as hexadecimal digits alone."
      ),
      (["checkpoint", "list"], "Lists the checkpoints of a run directory or of a folder."),
      (["config"], "Lists every key of a configuration with default, type and meaning."),
      (["bench"], "Measures the program beside the kernels it stands on."),
      (["bench", "step"], "Measures training steps on random rows in memory; prints one line of"),
      (["env"], "Says what the program finds: CPU, libraries, ranks, files."),
    ])
  func help(command: [String], expected: String) throws {
    let result = try run("nndist", arguments: command + ["--help"], environment: ["COLUMNS": "80"])
    #expect(result.status == 0)
    #expect(result.error == "")
    #expect(result.output.split(separator: "\n").first.map(String.init) == "OVERVIEW: " + expected)
    #expect(result.output.contains("\nUSAGE: nndist"))
    let other = try run("nndist", arguments: ["help"] + command, environment: ["COLUMNS": "80"])
    #expect(other.output == result.output)
  }

  @Test("names every command and every exit status")
  func contents() throws {
    let text = try run("nndist", "--help").output
    let help = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    for word in [
      "train", "evaluate", "predict", "check", "graph", "data", "checkpoint", "config",
      "bench", "env",
      "64 usage", "65 bad data", "73 run directory in use", "75 stopped on", "78 bad configuration",
    ] {
      #expect(help.contains(word), "\(word)")
    }
  }

  @Test("gives the version alone")
  func version() throws {
    #expect(try run("nndist", "--version").output == "0.1.0\n")
  }

  @Test("gives completions for shells", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) throws {
    let result = try run("nndist", "--generate-completion-script", shell)
    #expect(result.status == 0)
    #expect(result.output.contains("checkpoint"))
    if shell == "bash" {
      let folder = try TemporaryFolder()
      let path = try folder.write(Array(result.output.utf8), to: "completion.bash")
      #expect(try run("/bin/bash", "-n", path).status == 0)
    }
  }

  @Test(
    "answers words it does not know on one line, with status 64",
    arguments: [
      (["trian"], "unknown command 'trian'; did you mean 'train'?"),
      (
        ["xyzzy"],
        "unknown command 'xyzzy'; the commands are train, evaluate, predict, check, graph, data, "
          + "checkpoint, config, bench, env, help"
      ),
      (["run.yaml"], "unknown command 'run.yaml'; to train it: nndist train run.yaml"),
      (["data", "inof", "x"], "unknown command 'data inof'; did you mean 'info'?"),
      (
        ["checkpoint", "xyzzy"],
        "unknown command 'checkpoint xyzzy'; the commands of checkpoint are info, digest, list"
      ),
      (
        ["data", "import", "csv"],
        "unknown command 'data import csv'; the commands of data import are idx"
      ),
      (["help", "trian"], "unknown command 'trian'; did you mean 'train'?"),
      (["train", "--ouput", "x"], "unknown option '--ouput'; did you mean '--output'?"),
      (["--frsh"], "unknown option '--frsh'; did you mean '--fresh'?"),
      (["train", "-x"], "unknown option '-x'; see 'nndist train --help'"),
      (["train", "a.yaml", "b"], "unexpected argument 'b'; see 'nndist train --help'"),
      (
        ["train", "a.yaml", "--output"],
        "missing value for '--output <output>'; see 'nndist train --help'"
      ),
      (["evaluate"], "missing expected argument '<checkpoint>'; see 'nndist evaluate --help'"),
      (
        ["evaluate", "x.h5"],
        "missing expected argument '--data <data>'; see 'nndist evaluate --help'"
      ),
      (
        ["check", "a.yaml", "--rows", "0"],
        "--rows: found 0, expected a positive number; see 'nndist check --help'"
      ),
      (
        ["bench", "step", "a.yaml", "--samples", "4,x", "--classes", "2"],
        "--samples: found '4,x', expected positive extents such as 784; see 'nndist bench step --help'"
      ),
    ])
  func unknownWords(arguments: [String], expected: String) throws {
    let result = try run("nndist", arguments: arguments)
    #expect(result.error == "nndist: \(expected)\n")
    #expect(result.output == "")
    #expect(result.status == 64)
  }

  @Test("answers once for all ranks")
  func unknownWordOnRanks() throws {
    for arguments in [["trian"], ["train", "--ouput", "x"]] {
      let result = try launch("nndist", arguments: arguments, ranks: 3)
      #expect(result.status == 64)
      #expect(result.error.split(separator: "\n").count == 1, "\(result)")
    }
    #expect(try launch("nndist", "--version", ranks: 3).output == "0.1.0\n")
  }
}

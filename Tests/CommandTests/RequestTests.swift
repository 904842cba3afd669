// Ranks that are asked for different things: refused by name before anything else happens.

import Foundation
import TestSupport
import Testing

@Suite("One request for all ranks", .serialized, .timeLimit(.minutes(5)))
struct RequestTests {
  /// Runs a command on rank 0 and another one on rank 1.
  private func launch(
    _ first: String, _ second: String, in place: Workplace
  ) throws -> LaunchResult {
    let program = try builtProgram("nndist").path
    let script = """
      if [[ $OMPI_COMM_WORLD_RANK == 0 ]]; then exec \(program) \(first); fi
      exec \(program) \(second)
      """
    return try TestSupport.launch(
      "/bin/bash", arguments: ["-c", script], ranks: 2, directory: place.url)
  }

  private static let train = "train iris.yaml --output run"

  @Test(
    "options and commands that differ are named, whatever the commands do",
    arguments: [
      (train, train + " --dry-run", "rank 0: nothing, rank 1: '--dry-run'"),
      (train, train + " --fresh", "rank 0: nothing, rank 1: '--fresh'"),
      (train, train + " --trace t.json", "rank 0: nothing, rank 1: '--trace t.json'"),
      (train, "train iris.yaml --output two", "rank 0: '--output run', rank 1: '--output two'"),
      (train, train + " --set epochs=3", "rank 0: nothing, rank 1: '--set epochs=3'"),
      (train, "check iris.yaml", "rank 0: 'train --output run', rank 1: 'check'"),
      ("check iris.yaml", train, "rank 0: 'check', rank 1: 'train --output run'"),
      ("config", "config iris.yaml", "rank 0: nothing, rank 1: 'iris.yaml'"),
      (
        train + " --set epochs=1 --set epochs=2", train + " --set epochs=2 --set epochs=1",
        "rank 0: '\(train) --set epochs=1 --set epochs=2', "
          + "rank 1: '\(train) --set epochs=2 --set epochs=1'"
      ),
    ])
  func differences(first: String, second: String, difference: String) throws {
    let place = try Workplace()
    let result = try launch(first, second, in: place)
    #expect(result.status == 78, "\(result)")
    #expect(result.error == "nndist: command line differs: \(difference)\n")
    #expect(result.output.isEmpty)
    #expect(!place.exists("run") && !place.exists("two") && !place.exists("t.json"))
    #expect(result.duration < .seconds(30))
  }

  @Test("command lines that mean the same go together, also of commands for one process")
  func sameMeaning() throws {
    let place = try Workplace()
    let result = try launch(
      RequestTests.train + " --fresh --trace-steps 20", "train --fresh iris.yaml --output=run",
      in: place)
    #expect(result.status == 0, "\(result)")
    let digest = try launch(
      "checkpoint list run", "checkpoint list run", in: place)
    #expect(digest.status == 0, "\(digest)")
    #expect(digest.output.contains("verified, best"))
    let missing = try launch("checkpoint list no", "checkpoint list no", in: place)
    #expect(missing.status == 65, "\(missing)")
    #expect(missing.error.filter { $0 == "\n" }.count == 1)
  }

  @Test("configurations of one name that differ are named by what measures steps too")
  func configurations() throws {
    let place = try Workplace()
    let options = "--samples 4 --classes 3 --no-floor --rounds 1 --steps 1"
    let script = """
      mkdir -p other; sed 's/affine: 8/affine: 9/' iris.yaml >other/iris.yaml
      if [[ $OMPI_COMM_WORLD_RANK == 1 ]]; then cd other; fi
      exec \(try builtProgram("nndist").path) bench step iris.yaml \(options)
      """
    let result = try TestSupport.launch(
      "/bin/bash", arguments: ["-c", script], ranks: 2, directory: place.url)
    #expect(result.status == 78, "\(result)")
    #expect(result.error.hasPrefix("nndist: configuration differs in line "), "\(result)")
  }

  @Test("a command line that one rank cannot read ends the job with its message and status")
  func unreadable() throws {
    let place = try Workplace()
    let wrong = RequestTests.train + " --bogus"
    let text = "unknown option '--bogus'; see 'nndist train --help'\n"
    let second = try launch(RequestTests.train, wrong, in: place)
    #expect(second.status == 64, "\(second)")
    #expect(second.error == "nndist: rank 1 of 2: " + text)
    let first = try launch(wrong, RequestTests.train, in: place)
    #expect(first.status == 64, "\(first)")
    #expect(first.error == "nndist: " + text)
    let both = try launch(wrong, wrong, in: place)
    #expect(both.status == 64, "\(both)")
    #expect(both.error == "nndist: " + text)
    #expect(!place.exists("run"))
  }

  @Test("checkpoints of one name and other content are refused")
  func checkpoints() throws {
    let place = try Workplace()
    try place.succeed("train", "iris.yaml", "--output", "run")
    let newest = "run/checkpoints/step-0000000012.h5"
    let folder = place.folder.file("other/run/checkpoints")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: place.folder.file("run/checkpoints/step-0000000006.h5"),
      toPath: folder + "/step-0000000012.h5")
    let data = bundled("iris-test")
    let configuration = place.folder.file("iris.yaml")
    for command in [
      "evaluate \(newest) --data \(data)", "predict \(newest) --data \(data) --output p.h5",
      "train \(configuration) --init-from \(newest) --output \(place.folder.file("new"))",
    ] {
      let script = """
        if [[ $OMPI_COMM_WORLD_RANK == 1 ]]; then cd other; fi
        exec \(try builtProgram("nndist").path) \(command)
        """
      let result = try TestSupport.launch(
        "/bin/bash", arguments: ["-c", script], ranks: 2, directory: place.url)
      #expect(result.status == 78, "\(result)")
      #expect(result.error.hasPrefix("nndist: content of \(newest) differs: rank 0: '"))
      #expect(!place.exists("p.h5") && !place.exists("new"))
    }
  }
}

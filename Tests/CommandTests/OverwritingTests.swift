// Files that are there already and that a wrong option must not cost.

import Foundation
import TestSupport
import Testing

@Suite("Files that are there", .timeLimit(.minutes(5)))
struct OverwritingTests {
  @Test("are no traces, and stay as they are")
  func trace() throws {
    let place = try Workplace()
    try place.succeed("train", "iris.yaml", "--output", "run", "--trace", "t.json")
    // A trace may take the place of an older one.
    try place.succeed("train", "iris.yaml", "--output", "two", "--trace", "t.json")
    let bench = ["bench", "step", "iris.yaml", "--samples", "4", "--classes", "3", "--no-floor"]
    for file in ["iris.yaml", "run/.lock", "run/config.yaml", "run/metrics.jsonl"] {
      let before = try contents(of: place.folder.file(file))
      for command in [["train", "iris.yaml", "--output", "three"], bench + ["--rounds", "1"]] {
        let result = try place.nndist(command + ["--trace", file])
        #expect(result.status != 0, "\(result)")
        #expect(
          before.isEmpty
            || result.error.contains("expected a new file, or an older trace to replace"),
          "\(result)")
      }
      #expect(try contents(of: place.folder.file(file)) == before)
    }
  }

  @Test("are no pictures or data sets of themselves")
  func sources() throws {
    let place = try Workplace()
    try place.write("x + y\n", to: "e.txt")
    let graph = try place.nndist("graph", "e.txt", "--output", "e.txt", "--as", "dot")
    #expect(graph.status == 64, "\(graph)")
    #expect(try contents(of: place.folder.file("e.txt")) == Array("x + y\n".utf8))
    try place.write("no IDX", to: "images")
    let idx = try place.nndist(
      "data", "import", "idx", "--samples", "images", "--labels", "labels", "--output", "images",
      "--replace")
    #expect(idx.status == 64, "\(idx)")
    #expect(try contents(of: place.folder.file("images")) == Array("no IDX".utf8))
    let empty = try place.nndist("graph", "x + y", "--output", "", "--as", "dot")
    #expect(empty.status == 64, "\(empty)")
  }

  @Test("and a limit of file sizes end a prediction with 74 and its name")
  func sizeLimit() throws {
    let place = try Workplace()
    try place.succeed("train", "iris.yaml", "--output", "run")
    let checkpoint = try #require(
      place.names("run/checkpoints").filter { $0.hasPrefix("step-") }.max())
    for limit in [1, 4] {
      let result = try run(
        "/bin/bash",
        arguments: [
          "-c", "ulimit -f \(limit); exec \"$@\"", "bash", try builtProgram("nndist").path,
          "predict",
          "run/checkpoints/\(checkpoint)", "--data", bundled("iris"), "--output", "p.h5",
        ], directory: place.url)
      #expect(result.status == 74, "\(result)")
      #expect(result.error.hasPrefix("nndist: p.h5: "), "\(result)")
      #expect(!place.exists("p.h5"))
    }
  }
}

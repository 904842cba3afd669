import Foundation
import TestSupport
import Testing

@Suite("nndist draw", .timeLimit(.minutes(2)))
struct DrawTests {
  let digits = repository.appendingPathComponent("launch/configs/digits.yaml").path
  let bare = ["--samples", "64"]

  @Test("a summary of the bundled configuration")
  func summary() throws {
    let result = try run("nndist", "draw", digits, "--detail", "summary")
    #expect(result.status == 0, "\(result)")
    #expect(
      result.output
        == "64 → 256 relu → 128 relu → 10 → softmax cross entropy; 50,826 parameters in 6 arrays; "
        + "10 operations\n")
  }

  @Test("the ending of the output names the form", arguments: ["svg", "png", "pdf", "dot", "mmd"])
  func endings(ending: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.file("picture.\(ending)")
    let result = try run(
      "nndist", arguments: ["draw", digits, "--gradient", "--output", path] + bare)
    #expect(result.status == 0 && result.output.isEmpty, "\(result)")
    let beginnings = [
      "svg": "<?xml", "png": "\u{89}PNG", "pdf": "%PDF", "dot": "digraph", "mmd": "flowchart",
    ]
    let expected = Array(try #require(beginnings[ending]).unicodeScalars.map { UInt8($0.value) })
    #expect(try contents(of: path).starts(with: expected))
  }

  @Test("a checkpoint's weights colour its picture")
  func checkpoint() throws {
    let folder = try TemporaryFolder()
    let output = folder.file("run")
    let trained = try run(
      "nndist", "train", digits, "--set", "epochs=1", "--output", output)
    #expect(trained.status == 0, "\(trained)")
    let names = try FileManager.default.contentsOfDirectory(atPath: output + "/checkpoints")
    let name = try #require(names.first { $0.hasSuffix(".h5") })
    let result = try run(
      "nndist", "draw", "\(output)/checkpoints/\(name)", "--detail", "network", "--as", "svg")
    #expect(result.status == 0 && result.output.contains("stroke-dasharray"), "\(result)")
  }

  @Test("a program that is not installed is named with its package, status 69")
  func missingProgram() throws {
    for (detail, package) in [("layers", "graphviz"), ("network", "librsvg2-bin")] {
      let result = try run(
        "nndist", arguments: ["draw", digits, "--detail", detail, "--as", "png"] + bare,
        environment: ["PATH": "/nonexistent"])
      #expect(result.status == 69, "\(result)")
      #expect(result.error.hasSuffix("it is in Debian's package \(package)\n"), "\(result)")
    }
  }

  @Test("a path that cannot be written is named, status 74")
  func badOutput() throws {
    let path = "/nonexistent/picture.dot"
    let result = try run("nndist", arguments: ["draw", digits, "--output", path] + bare)
    #expect(result.status == 74 && result.error.contains(path), "\(result)")
  }

  @Test(
    "what cannot be drawn is refused with the status of its kind",
    arguments: [
      (["--detail", "scalar", "--samples", "64"], 64),
      (["--detail", "network", "--as", "dot", "--samples", "64"], 64),
      (["--samples", "9223372036854775807,2"], 64), (["--samples", "0"], 64),
      (["--output", "picture.jpeg"], 64), (["--rows", "0"], 64), (["--responses", "2"], 64),
      (["--samples", "64", "--responses", "10"], 78), (["--set", "model=[]"], 78),
      (["--set", "data.train=nothing.h5"], 65),
    ] as [([String], Int32)])
  func refusals(options: [String], status: Int32) throws {
    let result = try run("nndist", arguments: ["draw", digits] + options)
    #expect(result.status == status && !result.error.isEmpty, "\(result)")
    #expect(result.output.isEmpty, "\(result)")
  }
}

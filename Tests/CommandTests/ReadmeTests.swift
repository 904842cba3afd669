// What the README shows is what happens.
import Foundation
import TestSupport
import Testing

@Suite("README")
struct ReadmeTests {
  private let readme = String(
    decoding: (try? Data(contentsOf: repository.appendingPathComponent("README.md"))) ?? Data(),
    as: UTF8.self)

  /// The fenced blocks of a language.
  private func blocks(_ language: String) -> [String] {
    readme.components(separatedBy: "```\(language)\n").dropFirst().compactMap {
      $0.components(separatedBy: "\n```").first
    }
  }

  @Test("its commands run, and those that take long are there")
  func commands() throws {
    let lines = blocks("sh").flatMap { $0.split(separator: "\n") }
      .filter { !$0.hasPrefix("#") }.map(String.init)
    #expect(lines.contains { $0.hasPrefix("nndist graph ") })
    let folder = try TemporaryFolder()
    for name in ["launch", "datasets"] {
      try FileManager.default.createSymbolicLink(
        atPath: folder.file(name), withDestinationPath: repository.appendingPathComponent(name).path
      )
    }
    let programs = try builtProgram("nndist").deletingLastPathComponent().path
    let path = "\(programs):\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")"
    for line in lines {
      let words = line.prefix { $0 != "#" }.split(separator: " ").map(String.init)
      let command: String?
      switch (words[0], words.dropFirst().first) {
      // Cheap: run as they are written.
      case ("nndist", "graph"), ("nndist", "draw"), ("nndist", "check"), ("nndist", "config"):
        command = line
      // Other tests run them at length.
      case ("nndist", let word?): command = "nndist \(word) --help"
      case ("nndist", nil): command = "nndist --help"
      case ("mpirun", "-n"): command = nil
      case (let script, _) where script.hasPrefix("launch/"): command = "test -x \(script)"
      default:
        Issue.record("a command that this test does not know: \(line)")
        continue
      }
      guard let command else { continue }
      let result = try run(
        "/bin/sh", "-c", command, environment: ["PATH": path],
        directory: URL(fileURLWithPath: folder.path))
      #expect(result.status == 0, "\(line): \(result)")
    }
  }

  @Test("its code is an excerpt of the example")
  func code() throws {
    let example = String(
      decoding: try Data(contentsOf: repository.appendingPathComponent("Tests/Example/main.swift")),
      as: UTF8.self)
    #expect(!blocks("swift").isEmpty)
    for block in blocks("swift") { #expect(example.contains(block)) }
  }
}

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

  @Test("its picture of the modules is that of the manifest, and imports go down")
  func modules() throws {
    let picture = readme.split(separator: "\n").filter {
      $0.wholeMatch(of: /\d   [A-Z a-z].*/) != nil
    }
    // From the top; of a line, the parts between marks from the left.
    var positions: [String: (level: Int, part: Int)] = [:]
    for line in picture {
      // What follows many spaces is a remark.
      let names = line.dropFirst(4).components(separatedBy: "    ")[0]
      for (part, group) in names.components(separatedBy: " ┊ ").enumerated() {
        for name in group.components(separatedBy: " · ") {
          positions[name.trimmingCharacters(in: .whitespaces)] = (Int(line.prefix(1)) ?? -1, part)
        }
      }
    }
    let manifest = String(
      decoding: try Data(contentsOf: repository.appendingPathComponent("Package.swift")),
      as: UTF8.self)
    let sources = try FileManager.default.contentsOfDirectory(
      atPath: repository.appendingPathComponent("Sources").path)
    #expect(Set(positions.keys) == Set(sources))
    for name in sources {
      let position = try #require(positions[name], "\(name) is not in the picture")
      let target = try #require(
        manifest.firstRange(
          of: try Regex(
            "(odule|systemLibrary|xecutableTarget|\\.target)\\(\\s*(name: )?\"\(name)\"")),
        "\(name) is not in the manifest")
      // The level that the last comment before it says.
      let level = try #require(
        manifest[..<target.lowerBound].matches(of: /\/\/ Level (\d)/).last?.output.1)
      #expect(Int(level) == position.level, "\(name)")
      for imported in try imports(of: name) where positions[imported] != nil {
        let other = try #require(positions[imported])
        #expect(
          (other.level, -other.part) < (position.level, -position.part),
          "\(name) imports \(imported)")
      }
    }
  }

  /// The modules that the sources of a module import.
  private func imports(of module: String) throws -> Set<String> {
    let folder = repository.appendingPathComponent("Sources/\(module)").resolvingSymlinksInPath()
    var found: Set<String> = []
    for file in try FileManager.default.subpathsOfDirectory(atPath: folder.path)
    where file.hasSuffix(".swift") {
      let text = String(
        decoding: try Data(contentsOf: folder.appendingPathComponent(file)), as: UTF8.self)
      for match in text.matches(of: /(?m)^\s*(?:public |package |@\w+ )*import (\w+)/) {
        found.insert(String(match.output.1))
      }
    }
    return found
  }
}

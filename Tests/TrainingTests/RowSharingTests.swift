// One copy of the rows per host, wherever memory can be shared.

import Foundation
import TestSupport
import Testing

@Suite("Rows of a host", .serialized, .timeLimit(.minutes(5)))
struct RowSharingTests {
  let folder: RunFolder

  init() throws { folder = try RunFolder() }

  private func check(
    _ places: String, copies: Int, ranks: Int, _ arguments: String...
  ) throws -> LaunchResult {
    try launch(
      "RankChecks", arguments: ["rows", path("a.h5"), places, "\(copies)"] + arguments, ranks: ranks
    )
  }

  /// A copy of a bundled file.
  private func path(_ name: String, of original: String = "digits") throws -> String {
    let path = folder.path(name)
    if !FileManager.default.fileExists(atPath: path) {
      try FileManager.default.copyItem(atPath: bundled(original), toPath: path)
    }
    return path
  }

  @Test("are held once, read-only, by any number of ranks", arguments: [1, 2, 3, 5])
  func once(ranks: Int) throws {
    let result = try check("usual", copies: 1, ranks: ranks)
    #expect(result.status == 0, "\(result)")
  }

  @Test("are held once for every group of ranks that share memory")
  func groups() throws {
    let result = try check("usual", copies: 2, ranks: 3, "--limit", "2")
    #expect(result.status == 0, "\(result)")
  }

  @Test("are held once in a file without a name where processes cannot look at each other")
  func files() throws {
    let place = folder.path("place")
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    let result = try check("\(folder.path("missing")),\(place)", copies: 1, ranks: 3)
    #expect(result.status == 0, "\(result)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: place).isEmpty)
  }

  @Test("are held by each rank where nothing can be shared, and limits count them all")
  func copies() throws {
    let result = try check("none", copies: 3, ranks: 3)
    #expect(result.status == 0, "\(result)")
  }

  @Test("are shared by ranks that have the same content at different places")
  func sameContent() throws {
    let result = try check("usual", copies: 1, ranks: 3, "--other", path("b.h5"))
    #expect(result.status == 0, "\(result)")
  }

  @Test("of another content on one rank are refused")
  func otherContent() throws {
    let result = try check(
      "usual", copies: 1, ranks: 3, "--other", path("c.h5", of: "digits-test"))
    #expect(result.status == 78, "\(result)")
    #expect(result.error.contains("content of data differs: ranks 0–1: '"), "\(result)")
  }

  @Test("that cannot be read are refused in one line of all ranks")
  func unreadable() throws {
    let path = folder.path("missing.h5")
    let result = try launch("RankChecks", "rows", path, "usual", "1", ranks: 3)
    #expect(result.status == 65, "\(result)")
    #expect(result.error == "\(path): No such file or directory\n")
  }
}

import Files
import Foundation
import Testing

/// A folder for one test, removed with it.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent(
      "nndist-files-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("Files")
struct FilesTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("are replaced at once and leave no temporary file")
  func replace() throws {
    let path = folder.path + "/a"
    for text in ["first", "", "second, longer"] {
      try replaceFile(at: path, with: text)
      #expect(try readFile(path) == Array(text.utf8))
    }
    #expect(try names(in: folder.path) == ["a"])
  }

  @Test("are as they were when the disk is full")
  func fullDisk() throws {
    let path = folder.path + "/a"
    try replaceFile(at: path, with: "old")
    // Writing to /dev/full fails as a full disk does, for every user and on every Linux.
    try FileManager.default.createSymbolicLink(
      atPath: temporaryPath(for: path), withDestinationPath: "/dev/full")
    let error = #expect(throws: FileError.self) { try replaceFile(at: path, with: "new") }
    #expect(
      error?.description == "\(path): No space left on device, expected to write 3 bytes")
    #expect(try readFile(path) == Array("old".utf8))
    #expect(try names(in: folder.path) == ["a"])
  }

  @Test("are as they were when the path is a folder")
  func folderInPlace() throws {
    let path = folder.path + "/a"
    try makeFolder(path + "/b")
    let error = #expect(throws: FileError.self) { try replaceFile(at: path, with: "new") }
    #expect(error?.description == "\(path): Is a directory, expected a file that can be replaced")
    #expect(try names(in: folder.path) == ["a"])
  }

  @Test("name the folder that cannot be made")
  func makeFolders() throws {
    try makeFolder(folder.path + "/a/b/c")
    try makeFolder(folder.path + "/a/b/c/")
    try replaceFile(at: folder.path + "/file", with: "x")
    for path in ["/file", "/file/a"] {
      let error = #expect(throws: FileError.self) { try makeFolder(folder.path + path) }
      #expect(error?.description == "\(folder.path)/file: Not a directory, expected a folder")
    }
    let error = #expect(throws: FileError.self) { try makeFolder("/proc/nndist/a") }
    #expect(
      error?.description
        == "/proc/nndist: No such file or directory, expected a folder that can be made")
  }

  @Test("are locked by one owner at a time")
  func lock() throws {
    let first = try Descriptor(folder.path + "/lock", .append)
    #expect(try first.lock())
    do {
      let second = try Descriptor(folder.path + "/lock", .append)
      #expect(try !second.lock())
    }
    #expect(try first.lock())
  }

  @Test("are read up to a limit")
  func limit() throws {
    let path = folder.path + "/a"
    try replaceFile(at: path, with: "12345")
    #expect(try readFile(path, limit: 5).count == 5)
    let error = #expect(throws: FileError.self) { try readFile(path, limit: 4) }
    #expect(error?.description == "\(path): File too large, expected at most 4 bytes")
    let folderError = #expect(throws: FileError.self) { try readFile(folder.path) }
    #expect(
      folderError?.description == "\(folder.path): Is a directory, expected a file that can be read"
    )
  }
}

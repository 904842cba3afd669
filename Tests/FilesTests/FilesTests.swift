import Files
import Foundation
import TestSupport
import Testing

/// Bytes that no call of the system can read: writing them fails as on a full disk, for every user.
func withUnreadableBytes<T>(_ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T {
  let page = mmap(nil, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  defer { munmap(page, 4096) }
  return try body(UnsafeRawBufferPointer(start: page, count: 3))
}

@Suite("Files")
struct FilesTests {
  let temporary: TemporaryFolder

  init() throws { temporary = try TemporaryFolder() }

  @Test("are replaced at once and leave no temporary file")
  func replace() throws {
    let folder = try Folder(temporary.path)
    for text in ["first", "", "second, longer"] {
      try folder.replace("a", with: text)
      #expect(try temporary.text(of: "a") == text)
      try replaceFile(at: temporary.path + "/b", with: Array(text.utf8))
      #expect(try temporary.text(of: "b") == text)
    }
    #expect(try folder.names() == ["a", "b"])
  }

  @Test("are as they were when writing fails")
  func failingWrite() throws {
    let folder = try Folder(temporary.path)
    try folder.replace("a", with: "old")
    let error = #expect(throws: FileError.self) {
      try withUnreadableBytes { try folder.replace("a", with: [$0]) }
    }
    #expect(error?.description == "\(folder.path)/a: Bad address, expected to write 3 bytes")
    #expect(try temporary.text(of: "a") == "old")
    #expect(try folder.names() == ["a"])
  }

  @Test("are as they were when the name is a folder's")
  func folderInPlace() throws {
    let folder = try Folder(temporary.path)
    try makeFolder(folder.path + "/a/b")
    let error = #expect(throws: FileError.self) { try folder.replace("a", with: "new") }
    #expect(
      error?.description == "\(folder.path)/a: Is a directory, expected a file that can be replaced"
    )
    #expect(try folder.names() == ["a"])
  }

  @Test("are replaced in place of links, what those lead to stays")
  func links() throws {
    let folder = try Folder(temporary.path)
    try folder.replace("victim", with: "precious")
    try temporary.link("a", to: "victim")
    // What a killed writer left may be anything by now.
    try temporary.link(temporaryName(for: "a"), to: "victim")
    try folder.replace("a", with: "new")
    #expect(try temporary.text(of: "victim") == "precious")
    #expect(try temporary.text(of: "a") == "new")
    try temporary.link("b", to: "victim")
    try temporary.link("c", to: "nowhere")
    for name in ["b", "c"] {
      let error = #expect(throws: FileError.self) { try folder.open(name, .append) }
      #expect(
        error?.description
          == "\(folder.path)/\(name): is a symbolic link, expected a file that can be "
          + "written to")
    }
    #expect(try folder.read("b") == Array("precious".utf8))
    #expect(try folder.read("c") == nil)
    #expect(try folder.contains("c") && !folder.contains("nowhere"))
  }

  @Test("named by their users are replaced where links to them lead")
  func outputs() throws {
    try makeFolder(temporary.path + "/there")
    try replaceFile(at: temporary.path + "/there/a", with: Array("old".utf8))
    try temporary.link("link", to: "there/a")
    try replaceFile(at: temporary.path + "/link", with: Array("new".utf8))
    #expect(try temporary.text(of: "there/a") == "new")
    #expect(try temporary.names("there") == ["a"])
    // Devices are written to, not replaced.
    try temporary.link("null", to: "/dev/null")
    try replaceFile(at: temporary.path + "/null", with: [1, 2, 3])
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: temporary.path + "/null")
        == "/dev/null")
    try temporary.link("full", to: "/dev/full")
    try temporary.link("dangling", to: "nowhere")
    mkfifo(temporary.path + "/fifo", 0o600)
    for (name, problem) in [
      ("full", "No space left on device, expected to write 3 bytes"),
      ("dangling", "No such file or directory, expected a link to a file"),
      ("fifo", "No such device or address, expected a file that can be written to"),
      ("none/a", "No such file or directory, expected a file that can be written to"),
    ] {
      let path = "\(temporary.path)/\(name)"
      let error = #expect(throws: FileError.self) { try replaceFile(at: path, with: [1, 2, 3]) }
      #expect(error?.description == "\(path): \(problem)")
    }
  }

  @Test("of any other kind are refused at once", .timeLimit(.minutes(5)))
  func kinds() throws {
    let folder = try Folder(temporary.path)
    mkfifo(folder.path + "/fifo", 0o600)
    try makeFolder(folder.path + "/folder")
    try temporary.link("device", to: "/dev/zero")
    for (name, reason) in [
      ("fifo", "is a FIFO"), ("folder", "Is a directory"), ("device", "is not a regular file"),
    ] {
      let error = #expect(throws: FileError.self) { try readFile("\(folder.path)/\(name)") }
      #expect(
        error?.description == "\(folder.path)/\(name): \(reason), expected a file that can be read")
    }
    let error = #expect(throws: FileError.self) { try folder.open("fifo", .append) }
    #expect(
      error?.description == "\(folder.path)/fifo: is a FIFO, expected a file that can be written to"
    )
  }

  @Test("are locked by one owner at a time")
  func lock() throws {
    let folder = try Folder(temporary.path)
    let first = try folder.open("lock", .append)
    #expect(try first.lock() && folder.lock())
    do {
      let second = try folder.open("lock", .append)
      #expect(try !second.lock())
      #expect(try !Folder(temporary.path).lock())
    }
    #expect(try first.lock() && folder.lock())
  }

  @Test("are read up to a limit")
  func limit() throws {
    let path = temporary.path + "/a"
    try replaceFile(at: path, with: Array("12345".utf8))
    #expect(try readFile(path, limit: 5).count == 5)
    let error = #expect(throws: FileError.self) { try readFile(path, limit: 4) }
    #expect(error?.description == "\(path): File too large, expected at most 4 bytes")
  }

  @Test("tell how many names lead to them")
  func hardLinks() throws {
    let folder = try Folder(temporary.path)
    let file = try folder.open("a", .append)
    #expect(try file.nameCount() == 1)
    try FileManager.default.linkItem(atPath: folder.path + "/a", toPath: folder.path + "/b")
    #expect(try file.nameCount() == 2)
  }
}

@Suite("Folders")
struct FolderTests {
  let temporary: TemporaryFolder

  init() throws { temporary = try TemporaryFolder() }

  @Test("are named when they cannot be made")
  func making() throws {
    #expect(try makeFolder(temporary.path + "/a/b/c"))
    #expect(try !makeFolder(temporary.path + "/a/b/c/"))
    #expect(try makeNewFolder(temporary.path + "/new"))
    #expect(try !makeNewFolder(temporary.path + "/new"))
    try replaceFile(at: temporary.path + "/file", with: [1])
    for path in ["/file", "/file/a"] {
      let error = #expect(throws: FileError.self) { try makeFolder(temporary.path + path) }
      #expect(error?.description == "\(temporary.path)/file: Not a directory, expected a folder")
    }
    let error = #expect(throws: FileError.self) { try makeFolder("/proc/nndist/a") }
    #expect(
      error?.description
        == "/proc/nndist: No such file or directory, expected a folder that can be made")
  }

  @Test("are opened through links, and only folders are", .timeLimit(.minutes(5)))
  func opening() throws {
    let outer = try Folder(temporary.path)
    #expect(try outer.folder("inner") == nil)
    #expect(try outer.madeFolder("inner").path == temporary.path + "/inner")
    try outer.madeFolder("inner").replace("a", with: "x")
    try temporary.link("link", to: "inner")
    #expect(try outer.folder("link")?.names() == ["a"])
    mkfifo(temporary.path + "/fifo", 0o600)
    try outer.replace("file", with: "x")
    for name in ["fifo", "file"] {
      let error = #expect(throws: FileError.self) { try outer.madeFolder(name) }
      #expect(error?.description == "\(outer.path)/\(name): Not a directory, expected a folder")
    }
    #expect(try Folder.existing(at: temporary.path + "/none") == nil)
  }

  @Test("are written to wherever they are moved, and tell that they were")
  func moving() throws {
    let (path, moved) = (temporary.path + "/a", temporary.path + "/moved")
    try makeFolder(path)
    let folder = try Folder(path)
    try folder.requireInPlace()
    for replacement in [nil, "folder", "file"] {
      try FileManager.default.moveItem(atPath: path, toPath: moved)
      if replacement == "folder" { try makeFolder(path) }
      if replacement == "file" { try replaceFile(at: path, with: [1]) }
      let error = #expect(throws: FileError.self) { try folder.requireInPlace() }
      #expect(
        error?.description
          == "\(path): removed, moved or replaced while in use, expected the folder "
          + "to stay in its place")
      try folder.replace("b", with: replacement ?? "nothing")
      #expect(try temporary.text(of: "moved/b") == replacement ?? "nothing")
      if replacement == "folder" {
        #expect(try temporary.names("a").isEmpty)
        // Its path leads to another folder now, in which nothing may be opened for it.
        try makeFolder(path + "/inner")
        #expect(throws: FileError.self) { try folder.madeFolder("inner") }
      }
      try? FileManager.default.removeItem(atPath: path)
      try FileManager.default.moveItem(atPath: moved, toPath: path)
      try folder.requireInPlace()
    }
    try FileManager.default.removeItem(atPath: path)
    #expect(try !folder.isInPlace())
    #expect(throws: FileError.self) { try folder.replace("b", with: "x") }
    try makeFolder(path)
    #expect(try !folder.isInPlace())
  }
}

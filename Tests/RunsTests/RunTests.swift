import Configuration
import Files
import Foundation
import Runs
import TestSupport
import Testing

@Suite("Run directory")
struct RunTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("is made, begun, closed and opened again")
  func roundTrip() throws {
    let path = folder.path + "/a/b"
    do {
      let run = try Run(path)
      #expect(run.status == nil)
      #expect(try run.begunConfiguration() == nil)
      try run.begin(kind: "digits", configuration: configuration(seed: 7))
      var status = try #require(run.status)
      (status.step, status.epoch, status.loss) = (12, 3, 0.1)
      status.state = .stopped
      status.message = "stopped by \"SIGTERM\"\n"
      try run.update(status, isDurable: true)
    }
    let run = try Run(path)
    let status = try #require(run.status)
    #expect(status.state == .stopped && status.kind == "digits" && status.isUnfinished)
    #expect(status.step == 12 && status.epoch == 3 && status.loss == 0.1)
    #expect(status.message == "stopped by \"SIGTERM\"\n")
    #expect(status.process == Int(getpid()) && !status.host.isEmpty)
    #expect(!status.started.isEmpty && status.started <= status.updated)
    #expect(try run.begunConfiguration() == configuration(seed: 7))
    #expect(
      try Folder(path).names() == [".lock", "checkpoints", "config.yaml", "status.json"])
    // Going on keeps when it began and how far it is.
    try run.begin(kind: "digits", configuration: configuration(seed: 7))
    #expect(run.status?.started == status.started && run.status?.step == 12)
    #expect(run.status?.state == .running && run.status?.message == nil)
  }

  @Test("is refused while it is in use, by name of the holder")
  func inUse() throws {
    let run = try Run(folder.path + "/1")
    try run.begin(kind: "digits", configuration: configuration())
    do {
      let error = #expect(throws: RunError.self) { try Run(folder.path + "/1") }
      let host = run.status?.host ?? ""
      #expect(
        error?.description
          == "\(folder.path)/1: in use by process \(getpid()) on \(host), expected a run that no "
          + "process is working on")
    }
    #expect(try run.begunConfiguration() != nil)
  }

  @Test("is free again when its holder was killed", .timeLimit(.minutes(5)))
  func killedHolder() throws {
    do { try Run(folder.path + "/1").begin(kind: "digits", configuration: configuration()) }
    let holder = Process()
    holder.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
    holder.arguments = ["--no-fork", folder.path + "/1/.lock", "sleep", "60"]
    try holder.run()
    func isRefused() -> Bool {
      do {
        _ = try Run(folder.path + "/1")
        return false
      } catch {
        return true
      }
    }
    while !isRefused() { usleep(1000) }
    #expect(try Run.newestUnfinished(in: folder.path, kind: "digits") == nil)
    kill(holder.processIdentifier, SIGKILL)
    holder.waitUntilExit()
    #expect(!isRefused())
  }

  @Test("is started over without touching what is not ours")
  func fresh() throws {
    let path = folder.path + "/1"
    do { try Run(path).begin(kind: "digits", configuration: configuration()) }
    for name in [
      "metrics.jsonl", "notes.txt", "checkpoints/step-0000000010.h5", "checkpoints/best.json",
      "checkpoints/step-0000000010.h5.bak", "checkpoints/mine.h5", "checkpoints/step-x000000010.h5",
      "checkpoints/.step-0000000020.h5.partial", ".config.yaml.partial", "checkpoints/.x.partial",
    ] { try folder.write("x", to: "1/" + name) }
    let run = try Run(path)
    try run.clear()
    #expect(run.status == nil)
    #expect(try Folder(path).names() == [".lock", "checkpoints", "notes.txt"])
    #expect(
      try Folder(path + "/checkpoints").names() == [
        ".x.partial", "mine.h5", "step-0000000010.h5.bak", "step-x000000010.h5",
      ])
  }

  @Test("loses what a killed writer left, and nothing else, when it is opened")
  func temporaries() throws {
    let path = folder.path + "/1"
    do { try Run(path).begin(kind: "digits", configuration: configuration()) }
    try folder.write("half", to: "1/checkpoints/.step-0000000020.h5.partial")
    try folder.write("half", to: "1/.status.json.partial")
    try folder.write("whole", to: "1/checkpoints/step-0000000010.h5")
    _ = try Run(path)
    #expect(try Folder(path + "/checkpoints").names() == ["step-0000000010.h5"])
    #expect(
      try Folder(path).names() == [".lock", "checkpoints", "config.yaml", "status.json"])
  }

  @Test(
    "is refused where our names are taken",
    arguments: ["config.yaml", "metrics.jsonl", "checkpoints/step-0000000001.h5"])
  func foreign(name: String) throws {
    try folder.write("theirs", to: "1/" + name)
    let error = #expect(throws: RunError.self) { try Run(folder.path + "/1") }
    #expect(
      error?.description
        == "\(folder.path)/1: found '\(name)' but no 'status.json', expected an empty folder or a "
        + "run of ours")
    #expect(try folder.text(of: "1/" + name) == "theirs")
    #expect(try !folder.names("1").contains(".lock"))
  }

  @Test("may hold other files")
  func others() throws {
    try folder.write("theirs", to: "1/notes.txt")
    try Run(folder.path + "/1").begin(kind: "digits", configuration: configuration())
    #expect(try folder.text(of: "1/notes.txt") == "theirs")
  }

  @Test("goes on after a status cut short")
  func damagedStatus() throws {
    do { try Run(folder.path + "/1").begin(kind: "digits", configuration: configuration()) }
    for text in ["", "{", "[]", "{\"state\": \"gone\", \"kind\": \"digits\"}"] {
      try folder.write(text, to: "1/status.json")
      #expect(try Run(folder.path + "/1").status?.isUnfinished == true)
      let error = #expect(throws: RunError.self) {
        try RunStatus.read(inFolder: folder.path + "/1")
      }
      #expect(
        error?.description
          == "\(folder.path)/1/status.json: found \(text.utf8.count) bytes that are no status, "
          + "expected a run's status")
    }
  }

  @Test("is named when it cannot be made or written to")
  func unwritable() throws {
    try folder.write("x", to: "file")
    #expect(
      #expect(throws: RunError.self) { try Run(folder.path + "/file") }?.description
        == "\(folder.path)/file: Not a directory, expected a folder")
    #expect(
      #expect(throws: RunError.self) { try Run.next(in: folder.path + "/file/runs") }?.description
        == "\(folder.path)/file: Not a directory, expected a folder")
    // A folder in which nobody may make files, root neither.
    #expect(
      #expect(throws: RunError.self) { try Run("/proc/self/fdinfo") }?.description
        == "/proc/self/fdinfo: No such file or directory, expected a folder that can be written to")
  }

  @Test("is as it was when a status cannot be written")
  func failingWrite() throws {
    let run = try Run(folder.path + "/1")
    try run.begin(kind: "digits", configuration: configuration())
    let before = try folder.text(of: "1/status.json")
    try makeFolder(folder.path + "/1/.status.json.partial")
    var status = try #require(run.status)
    status.step = 5
    let error = #expect(throws: RunError.self) { try run.update(status) }
    #expect(
      error?.description
        == "\(folder.path)/1/.status.json.partial: Is a directory, expected a file that can be removed"
    )
    #expect(try folder.text(of: "1/status.json") == before)
    #expect(run.status?.step == 0)
  }

  @Test("says that it is stopped when it could not be begun, and goes on")
  func failingBegin() throws {
    let path = folder.path + "/1"
    do { try Run(path).begin(kind: "digits", configuration: configuration()) }
    try folder.write("x", to: "1/.config.yaml.partial/x")
    #expect(throws: RunError.self) { try Run(path) }
    try FileManager.default.removeItem(atPath: path + "/.config.yaml.partial")
    let run = try Run(path)
    try folder.write("x", to: "1/.config.yaml.partial/x")
    #expect(throws: RunError.self) {
      try run.begin(kind: "digits", configuration: configuration())
    }
    #expect(try RunStatus.read(inFolder: path)?.state == .stopped)
    try FileManager.default.removeItem(atPath: path + "/.config.yaml.partial")
    try run.begin(kind: "digits", configuration: configuration())
    #expect(try RunStatus.read(inFolder: path)?.state == .running)
  }

  @Test("is held by its folder: nobody enters it when the lock file is gone, or by another path")
  func heldFolder() throws {
    let run = try Run(folder.path + "/1/")
    #expect(run.path == folder.path + "/1")
    try run.begin(kind: "digits", configuration: configuration())
    try folder.link("link", to: "1")
    try FileManager.default.removeItem(atPath: folder.path + "/1/.lock")
    for name in ["1", "link"] {
      let error = #expect(throws: RunError.self) { try Run("\(folder.path)/\(name)") }
      guard case .inUse = error else {
        Issue.record("\(name): \(String(describing: error))")
        continue
      }
    }
    try FileManager.default.moveItem(
      atPath: folder.path + "/1", toPath: folder.path + "/moved")
    #expect(throws: RunError.self) { try Run(folder.path + "/moved") }
    #expect(throws: RunError.self) { try run.requireInPlace() }
    // Its path is free: another run may begin there, and the first one goes on where its folder is.
    try Run(folder.path + "/1").begin(kind: "digits", configuration: configuration(seed: 2))
    run.noteStopped("moved")
    #expect(try RunStatus.read(inFolder: folder.path + "/moved")?.state == .stopped)
    #expect(try RunStatus.read(inFolder: folder.path + "/1")?.state == .running)
  }

  @Test("is refused once its folder of checkpoints was moved")
  func movedCheckpoints() throws {
    let path = folder.path + "/1"
    let run = try Run(path)
    try run.begin(kind: "digits", configuration: configuration())
    try run.requireInPlace()
    try FileManager.default.moveItem(atPath: path + "/checkpoints", toPath: path + "/moved")
    let error = #expect(throws: RunError.self) { try run.requireInPlace() }
    #expect(
      error?.description
        == "\(path)/checkpoints: removed, moved or replaced while in use, expected "
        + "the folder to stay in its place")
  }

  @Test("may keep its checkpoints behind a link, one run at a time")
  func linkedCheckpoints() throws {
    try makeFolder(folder.path + "/large")
    for name in ["1", "2"] {
      try makeFolder(folder.path + "/" + name)
      try folder.link(name + "/checkpoints", to: "../large")
    }
    let run = try Run(folder.path + "/1")
    let checkpoints = try run.begin(kind: "digits", configuration: configuration())
    try checkpoints.replace("best.json", with: "x")
    #expect(try folder.names("large") == ["best.json"])
    let error = #expect(throws: RunError.self) { try Run(folder.path + "/2") }
    // It holds another run's files.
    guard case .foreign = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    try checkpoints.remove("best.json")
    let other = #expect(throws: RunError.self) { try Run(folder.path + "/2") }
    #expect(
      other?.description
        == "\(folder.path)/2/checkpoints: in use by another run, expected a run that "
        + "no process is working on")
  }

  @Test("writes through no link and into no other file", .timeLimit(.minutes(5)))
  func links() throws {
    let path = folder.path + "/1"
    let names = [".lock", "metrics.jsonl", "status.json", "config.yaml"]
    for (index, name) in names.enumerated() {
      for kind in ["link", "dangling", "FIFO", "other"] {
        try? FileManager.default.removeItem(atPath: path)
        do { try Run(path).begin(kind: "digits", configuration: configuration()) }
        try folder.write("precious", to: "victim")
        try? FileManager.default.removeItem(atPath: "\(path)/\(name)")
        switch kind {
        case "link": try folder.link("1/" + name, to: "../victim")
        case "dangling": try folder.link("1/" + name, to: "../new")
        case "FIFO": mkfifo("\(path)/\(name)", 0o600)
        default: try folder.write("precious", to: "1/" + name)
        }
        let error = message {
          let run = try Run(path)
          _ = try run.begunConfiguration()
          try run.begin(kind: "digits", configuration: configuration())
          _ = try run.metrics(after: 0)
        }
        #expect(try folder.text(of: "victim") == "precious", "\(kind) \(name)")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/new"), "\(kind) \(name)")
        // What is written to in place is refused, and so is what cannot be read.
        let isRefused = index < 2 && kind != "other" || kind == "FIFO" || name == ".lock"
        if isRefused { #expect(error.contains("1/\(name): "), "\(kind) \(name)") }
        if kind == "other", name == ".lock" {
          #expect(try folder.text(of: "1/.lock") == "precious")
        }
      }
    }
  }
}

import Configuration
import Files
import Foundation
import Runs
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
      try names(in: path) == [".lock", "checkpoints", "config.yaml", "status.json"])
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

  @Test("is free again when its holder was killed", .timeLimit(.minutes(1)))
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
    #expect(try names(in: path) == [".lock", "checkpoints", "notes.txt"])
    #expect(
      try names(in: path + "/checkpoints") == [
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
    #expect(try names(in: path + "/checkpoints") == ["step-0000000010.h5"])
    #expect(
      try names(in: path) == [".lock", "checkpoints", "config.yaml", "status.json"])
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
    #expect(!exists(folder.path + "/1/.lock"))
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
        try RunStatus.read(folder.path + "/1/status.json")
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

  @Test("is as it was when the disk is full")
  func fullDisk() throws {
    let run = try Run(folder.path + "/1")
    try run.begin(kind: "digits", configuration: configuration())
    let before = try folder.text(of: "1/status.json")
    try FileManager.default.createSymbolicLink(
      atPath: temporaryPath(for: run.statusPath), withDestinationPath: "/dev/full")
    var status = try #require(run.status)
    status.step = 5
    let error = #expect(throws: RunError.self) { try run.update(status) }
    #expect(error?.description.hasPrefix("\(run.statusPath): No space left on device") == true)
    #expect(try folder.text(of: "1/status.json") == before)
    #expect(run.status?.step == 0)
  }
}

@Suite("Numbered runs")
struct NumberedRunTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("take the number after the highest")
  func numbering() throws {
    let runs = folder.path + "/runs"
    #expect(try Run.next(in: runs).path == runs + "/1")
    #expect(try Run.next(in: runs).path == runs + "/2")
    for name in ["9", "10", "011", "x", "-3"] { try makeFolder("\(runs)/\(name)") }
    #expect(try Run.next(in: runs).path == runs + "/11")
  }

  @Test("are gone on with: the newest of the kind that is neither done nor in use")
  func newest() throws {
    let runs = folder.path + "/runs"
    func make(_ kind: String, _ state: RunStatus.State) throws -> Run {
      let run = try Run.next(in: runs)
      try run.begin(kind: kind, configuration: configuration())
      var status = try #require(run.status)
      status.state = state
      try run.update(status)
      return run
    }
    func newest() throws -> String? {
      try Run.newestUnfinished(in: runs, kind: "digits")?.path
    }
    #expect(try newest() == nil)
    _ = try make("digits", .stopped)
    #expect(try newest() == runs + "/1")
    _ = try make("digits", .running)
    #expect(try newest() == runs + "/2")
    _ = try make("other", .stopped)
    _ = try make("digits", .finished)
    _ = try make("digits", .failed)
    _ = try Run.next(in: runs)
    #expect(try newest() == runs + "/2")
    let held = try Run(runs + "/2")
    #expect(try newest() == runs + "/1")
    #expect(held.status?.state == .running)
    try folder.write("x", to: "runs/8/config.yaml")
    #expect(try newest() == runs + "/1")
  }
}

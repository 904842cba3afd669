// Nothing is lost of a run that is stopped or killed.

import Foundation
import TestSupport
import Testing

@Suite("Nothing lost", .serialized, .timeLimit(.minutes(5)))
struct ResumeTests {
  /// A run long enough to be stopped in the middle.
  private let long = [
    "train", "iris.yaml", "--output", "run", "--set", "epochs=2000000", "--set",
    "evaluation=never", "--set", "metrics=1000",
  ]

  /// Starts the program and waits until `hasBegun`; without one, until it has recorded something.
  private func begin(
    _ place: Workplace, _ arguments: [String], ranks: Int, until hasBegun: (() -> Bool)? = nil
  ) throws -> Process {
    let process = Process()
    let program = try builtProgram("nndist").path
    if ranks == 1 {
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments = arguments
    } else {
      process.executableURL = repository.appendingPathComponent("launch/mpirun")
      process.arguments = ["-n", "\(ranks)", program] + arguments
    }
    process.currentDirectoryURL = place.url
    process.environment = environmentOfJob(in: place.folder)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try withAllSignals { try process.run() }
    let metrics = place.folder.file("run/metrics.jsonl")
    for _ in 0..<3000 where process.isRunning {
      // Records are written once a second: then it trains.
      let isThere = hasBegun ?? { (try? contents(of: metrics).isEmpty) == false }
      if isThere() { break }
      usleep(10_000)
    }
    return process
  }

  private struct NoCheckpoint: Error {}

  /// Waits for a process that has been asked to end, and kills it when it does not.
  private func end(_ process: Process) {
    for _ in 0..<6000 where process.isRunning { usleep(10_000) }
    if process.isRunning {
      Issue.record("process \(process.processIdentifier) did not end within a minute")
      kill(process.processIdentifier, SIGKILL)
    }
    process.waitUntilExit()
  }

  /// The step of the newest checkpoint.
  private func lastStep(_ place: Workplace) throws -> Int {
    let steps = try place.names("run/checkpoints").compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst(5).dropLast(3)) : nil
    }
    guard let last = steps.max() else { throw NoCheckpoint() }
    return last
  }

  @Test(
    "stops with a checkpoint and status 75 when asked to",
    arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR2], [1, 3])
  func stopSignal(signal: Int32, ranks: Int) throws {
    let place = try Workplace()
    let process = try begin(place, long + ["--set", "checkpoint=never"], ranks: ranks)
    kill(process.processIdentifier, signal)
    end(process)
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 75)
    let step = try lastStep(place)
    #expect(step > 0)
    // The same end as a run that was never asked, at another number of ranks.
    let epochs = ["--set", "epochs=\(step / 6 + 1)", "--set", "checkpoint=never"]
    let others = ["--set", "evaluation=never", "--set", "metrics=1000"]
    let end = (step / 6 + 1) * 6
    for (output, count) in [("run", 2), ("whole", 1)] {
      let result = try place.nndist(
        ["train", "iris.yaml", "--output", output] + epochs + others, ranks: count)
      #expect(result.status == 0, "\(result)")
    }
    #expect(try place.digest("run", step: end) == place.digest("whole", step: end))
    #expect(try place.records("run") == place.records("whole"))
  }

  @Test("stops all ranks when one of them is asked to")
  func stopOneRank() throws {
    let place = try Workplace()
    let process = try begin(place, long, ranks: 3)
    let program = try builtProgram("nndist").path
    let ranks = try processes(of: program, in: place.folder.path)
    #expect(ranks.count == 3)
    if let last = ranks.last { kill(last, SIGUSR1) }
    end(process)
    #expect(process.terminationStatus == 75)
    #expect(try lastStep(place) > 0)
  }

  /// The processes of a program that run in a folder.
  private func processes(of program: String, in folder: String) throws -> [pid_t] {
    let files = FileManager.default
    return try files.contentsOfDirectory(atPath: "/proc").compactMap { pid_t($0) }.sorted()
      .filter { number in
        (try? files.destinationOfSymbolicLink(atPath: "/proc/\(number)/exe")) == program
          && (try? files.destinationOfSymbolicLink(atPath: "/proc/\(number)/cwd")) == folder
      }
  }

  @Test("goes on by the same command after it was killed", arguments: [1, 3])
  func killed(ranks: Int) throws {
    let place = try Workplace()
    let arguments = [
      "train", "iris.yaml", "--output", "run", "--set", "checkpoint={every: 7, keep: 2}", "--set",
      "evaluation={every: 11}",
    ]
    let endless = ["--set", "epochs=2000000"]
    for _ in 0..<2 {
      let before = (try? lastStep(place)) ?? 0
      let process = try begin(place, arguments + endless, ranks: ranks) {
        (try? lastStep(place)) ?? 0 > before
      }
      for number in try processes(of: try builtProgram("nndist").path, in: place.folder.path) {
        kill(number, SIGKILL)
      }
      end(process)
      #expect(process.terminationReason == .uncaughtSignal || process.terminationStatus != 0)
    }
    let step = try lastStep(place)
    let end = (step / 6 + 1) * 6
    let epochs = ["--set", "epochs=\(end / 6)"]
    let result = try place.nndist(arguments + epochs, ranks: ranks)
    #expect(result.status == 0, "\(result)")
    var whole = arguments + epochs
    whole[3] = "whole"
    #expect(try place.nndist(whole).status == 0)
    #expect(try place.digest("run", step: end) == place.digest("whole", step: end))
    // Evaluations that come after the last step are due by the number of epochs alone.
    #expect(try place.records("run") == place.records("whole"))
  }

  @Test("refuses a second process in a run directory, with status 73")
  func inUse() throws {
    let place = try Workplace()
    let process = try begin(place, long, ranks: 1)
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    for ranks in [1, 2] {
      let result = try place.nndist(long, ranks: ranks)
      #expect(result.status == 73, "\(result)")
      #expect(result.error.contains("run: in use by process \(process.processIdentifier) on "))
      #expect(result.error.split(separator: "\n").count == 1)
    }
  }
}

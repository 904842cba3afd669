import Foundation
import TestSupport
import Testing

@Suite("Signals", .serialized, .timeLimit(.minutes(5)))
struct StopTests {
  /// Steps that are products for the most part, and no checkpoint but that of a stop.
  private static let wide = """
    data: { train: \(bundled("digits")) }
    model: [affine: 384, relu, affine: 384, relu, affine: 10]
    optimizer: { sgd: 0.01 }
    batch_size: 72
    microbatches: 8
    epochs: 2000000
    evaluation: never
    checkpoint: never
    metrics: 1000

    """
  private static let stepsPerEpoch = 21

  /// Starts a program and waits until it can take a request to stop.
  private func begin(
    _ program: String, _ arguments: [String], in place: Workplace
  ) throws -> Process {
    let process = Process()
    process.executableURL = try builtProgram(program)
    process.arguments = arguments
    process.currentDirectoryURL = place.url
    process.environment = environmentOfJob(in: place.folder)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try withAllSignals { try process.run() }
    for _ in 0..<6000 where process.isRunning {
      if try signals("SigBlk", "SigCgt", ofTask: "\(process.processIdentifier)").contains(SIGTERM) {
        break
      }
      usleep(1000)
    }
    return process
  }

  /// The signals in sets of a thread, as `/proc` shows them.
  private func signals(_ sets: String..., ofTask task: String) throws -> Set<Int32> {
    let text = try contents(of: "/proc/\(task)/status")
    var numbers: Set<Int32> = []
    for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard words.count == 2, sets.contains(String(words[0].dropLast())),
        let bits = UInt64(words[1], radix: 16)
      else { continue }
      numbers.formUnion((0..<64).filter { bits >> $0 & 1 == 1 }.map { Int32($0) + 1 })
    }
    return numbers
  }

  /// Waits for a process that has been asked to end; returns its status as a shell says it.
  private func end(_ process: Process) -> Int32 {
    for _ in 0..<60_000 where process.isRunning { usleep(1000) }
    if process.isRunning {
      Issue.record("process \(process.processIdentifier) did not end within a minute")
      kill(process.processIdentifier, SIGKILL)
    }
    process.waitUntilExit()
    let status = process.terminationStatus
    return process.terminationReason == .uncaughtSignal ? 128 + status : status
  }

  @Test(
    "may come at any moment: twenty stops end with status 75, and the run in the digest of one that was left alone",
    arguments: [1, 2])
  func manyStops(ranks: Int) throws {
    let place = try Workplace()
    try place.write(StopTests.wide, to: "wide.yaml")
    var numbers = TestNumbers("stops", "\(ranks)")
    let train = ["train", "wide.yaml", "--output", "run"]
    for stop in 1...20 {
      let process =
        ranks == 1
        ? try begin("nndist", train, in: place)
        : try begin(
          repository.appendingPathComponent("launch/mpirun").path,
          ["-n", "\(ranks)", try builtProgram("nndist").path] + train, in: place)
      // From before there are ranks to deep in the steps.
      let pause = numbers.below(ranks == 1 ? 250_000 : 900_000)
      usleep(UInt32(pause))
      let signal = numbers.element(of: [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])
      kill(process.processIdentifier, signal)
      #expect(end(process) == 75, "stop \(stop): signal \(signal) after \(pause) µs")
    }
    let steps = try place.names("run/checkpoints").compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst(5).dropLast(3)) : nil
    }
    let epochs = (steps.max() ?? 0) / StopTests.stepsPerEpoch + 1
    for output in ["run", "whole"] {
      try place.succeed(
        "train", "wide.yaml", "--output", output, "--set", "epochs=\(epochs)", ranks: ranks)
    }
    let last = epochs * StopTests.stepsPerEpoch
    #expect(try place.digest("run", step: last) == place.digest("whole", step: last))
    #expect(try place.records("run") == place.records("whole"))
  }

  @Test("are taken by one thread that only waits, and handled by none that computes")
  func threads() throws {
    let place = try Workplace()
    try place.write(StopTests.wide, to: "wide.yaml")
    let process = try begin(
      "nndist", ["train", "wide.yaml", "--output", "run", "--set", "run.workers=3"], in: place)
    let metrics = place.folder.file("run/metrics.jsonl")
    for _ in 0..<6000 where process.isRunning {
      if (try? contents(of: metrics).isEmpty) == false { break }
      usleep(10_000)
    }
    let number = process.processIdentifier
    let requests: Set<Int32> = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2]
    let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(number)/task")
    #expect(tasks.count >= 4)
    var standsBy = 0
    for task in tasks {
      // A thread inside sigwait has them in no set.
      let blocked = try signals("SigBlk", ofTask: "\(number)/task/\(task)")
      if blocked.isDisjoint(with: [SIGALRM, SIGPROF, SIGVTALRM, SIGCHLD]) {
        standsBy += 1
        #expect(task != "\(number)")
      } else {
        #expect(blocked.isSuperset(of: requests.union([SIGALRM, SIGPROF, SIGVTALRM])))
      }
    }
    #expect(standsBy == 1)
    #expect(try signals("SigCgt", ofTask: "\(number)").isDisjoint(with: requests))
    kill(number, SIGTERM)
    #expect(end(process) == 75)
  }

  @Test("a second SIGINT ends a run at once, inside a step too")
  func secondInterrupt() throws {
    let place = try Workplace()
    let layers = Array(repeating: "affine: 1024, relu", count: 24).joined(separator: ", ")
    try place.write(
      """
      data: { train: \(bundled("digits")) }
      model: [\(layers), affine: 10]
      batch_size: 1500
      microbatches: 4
      evaluation: never
      checkpoint: never

      """, to: "deep.yaml")
    let process = try begin("nndist", ["train", "deep.yaml", "--output", "run"], in: place)
    kill(process.processIdentifier, SIGINT)
    // Later than `timeout` sends the second of one request.
    usleep(100_000)
    #expect(process.isRunning)
    kill(process.processIdentifier, SIGINT)
    #expect(end(process) == 130)
    #expect(!place.exists("run/checkpoints/step-0000000001.h5"))
  }

  @Test("one request sent twice, as timeout does, stops a run once")
  func sameRequest() throws {
    let place = try Workplace()
    try place.write(StopTests.wide, to: "wide.yaml")
    let train = ["train", "wide.yaml", "--output", "run"]
    let program = try builtProgram("nndist").path
    let script = repository.appendingPathComponent("launch/mpirun").path
    for command in [[program], [script, "-n", "2", program]] {
      for signal in ["INT", "TERM"] {
        // 124 says that it was late, as it was meant to be.
        let result = try run(
          "/usr/bin/timeout", arguments: ["--signal=\(signal)", "1"] + command + train,
          directory: place.url)
        #expect(result.status == 124)
        #expect(result.output.contains("stopped on request after step"), "\(signal): \(result)")
      }
    }
  }

  @Test("SIGHUP does nothing where it was ignored, as under nohup")
  func hangUp() throws {
    let place = try Workplace()
    try place.write(StopTests.wide, to: "wide.yaml")
    let program = try builtProgram("nndist").path
    let process = try begin(
      "/usr/bin/nohup", [program, "train", "wide.yaml", "--output", "run"], in: place)
    kill(process.processIdentifier, SIGHUP)
    let metrics = place.folder.file("run/metrics.jsonl")
    for _ in 0..<6000 where process.isRunning {
      if (try? contents(of: metrics).isEmpty) == false { break }
      usleep(10_000)
    }
    #expect(process.isRunning)
    kill(process.processIdentifier, SIGTERM)
    #expect(end(process) == 75)
  }

  @Test(
    "end what cannot stop in good order as they end any process",
    arguments: [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2])
  func otherCommands(signal: Int32) throws {
    let place = try Workplace()
    let process = try begin(
      // Whoever started the tests may have had some ignored.
      "/usr/bin/env",
      [
        "--default-signal", try builtProgram("nndist").path, "bench", "step", "iris.yaml",
        "--samples", "4", "--classes", "3", "--rounds", "1000000", "--steps", "10000",
      ], in: place)
    kill(process.processIdentifier, signal)
    #expect(end(process) == 128 + signal)
  }
}

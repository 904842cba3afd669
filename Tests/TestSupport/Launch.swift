// Starts the programs of this package, alone or as several ranks, and never waits for ever.

public import Foundation

/// The end of a program: status, output and time.
public struct LaunchResult: Sendable, CustomStringConvertible {
  /// The exit status; 128 + signal if a signal ended it, as a shell says it.
  public var status: Int32
  /// The text on standard output.
  public var output: String
  /// The text on standard error.
  public var error: String
  /// The time from start to end.
  public var duration: Duration

  /// Status and both streams, for the message of a failed expectation.
  public var description: String {
    "status \(status) after \(duration)\n--- output\n\(output)--- error\n\(error)---"
  }
}

/// A program that could not be started, or did not end in time.
public enum LaunchError: Error, CustomStringConvertible {
  /// No program of that path stands beside the tests.
  case missing(String)
  /// The program was killed at its time limit; holds its output up to then.
  case late(String, limit: Duration, LaunchResult)

  /// One line, followed by the output of a late program.
  public var description: String {
    switch self {
    case .missing(let path): "\(path) is not there; is it a dependency of the test target?"
    case .late(let name, let limit, let result): "\(name) was killed after \(limit): \(result)"
    }
  }
}

/// Runs a program of this package as several ranks, through `launch/mpirun`.
///
/// - Parameters:
///   - program: The name of a product or target, such as `RankChecks`, or a path with a slash in it.
///   - arguments: Its arguments.
///   - ranks: The number of ranks, also more than there are cores.
///   - environment: Variables set on top of those of the tests.
///   - directory: The working directory; the current one if nil.
///   - timeLimit: After this time the whole job is killed.
/// - Returns: The status of mpirun, and what all ranks wrote.
/// - Throws: ``LaunchError``; an error of Foundation if nothing could be started.
public func launch(
  _ program: String, _ arguments: String..., ranks: Int, environment: [String: String] = [:],
  directory: URL? = nil, timeLimit: Duration = .seconds(120)
) throws -> LaunchResult {
  try launch(
    program, arguments: arguments, ranks: ranks, environment: environment, directory: directory,
    timeLimit: timeLimit)
}

/// Runs a program of this package as several ranks; see the form with single arguments.
///
/// - Parameters:
///   - program: The name of a product or target, or a path with a slash in it.
///   - arguments: Its arguments.
///   - ranks: The number of ranks.
///   - environment: Variables set on top of those of the tests.
///   - directory: The working directory; the current one if nil.
///   - timeLimit: After this time the whole job is killed.
/// - Returns: The status of mpirun, and what all ranks wrote.
/// - Throws: ``LaunchError``; an error of Foundation if nothing could be started.
public func launch(
  _ program: String, arguments: [String], ranks: Int, environment: [String: String] = [:],
  directory: URL? = nil, timeLimit: Duration = .seconds(120)
) throws -> LaunchResult {
  let path = try builtProgram(program).path
  return try start(
    repository.appendingPathComponent("launch/mpirun"), ["-n", "\(ranks)", path] + arguments,
    environment, directory, timeLimit)
}

/// Runs a program of this package by itself.
///
/// - Parameters:
///   - program: The name of a product or target, or a path with a slash in it, such as `/bin/ls`.
///   - arguments: Its arguments.
///   - environment: Variables set on top of those of the tests.
///   - directory: The working directory; the current one if nil.
///   - timeLimit: After this time it is killed, with the processes it started.
/// - Returns: Its status, and what it wrote.
/// - Throws: ``LaunchError``; an error of Foundation if it could not be started.
public func run(
  _ program: String, _ arguments: String..., environment: [String: String] = [:],
  directory: URL? = nil, timeLimit: Duration = .seconds(120)
) throws -> LaunchResult {
  try run(
    program, arguments: arguments, environment: environment, directory: directory,
    timeLimit: timeLimit)
}

/// Runs a program of this package by itself; see the form with single arguments.
///
/// - Parameters:
///   - program: The name of a product or target, or a path with a slash in it.
///   - arguments: Its arguments.
///   - environment: Variables set on top of those of the tests.
///   - directory: The working directory; the current one if nil.
///   - timeLimit: After this time it is killed, with the processes it started.
/// - Returns: Its status, and what it wrote.
/// - Throws: ``LaunchError``; an error of Foundation if it could not be started.
public func run(
  _ program: String, arguments: [String], environment: [String: String] = [:],
  directory: URL? = nil, timeLimit: Duration = .seconds(120)
) throws -> LaunchResult {
  try start(builtProgram(program), arguments, environment, directory, timeLimit)
}

/// The folder of the package.
public let repository = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// Returns the path of a program built beside the tests.
///
/// - Parameter name: The name of a product or target, or a path with a slash in it.
/// - Returns: The path of the program.
/// - Throws: ``LaunchError/missing(_:)``.
public func builtProgram(_ name: String) throws -> URL {
  if name.contains("/") { return URL(fileURLWithPath: name) }
  // The tests are a program themselves, beside the others.
  let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
  let url = tests.deletingLastPathComponent().appendingPathComponent(name)
  guard FileManager.default.isExecutableFile(atPath: url.path) else {
    throw LaunchError.missing(url.path)
  }
  return url
}

private func start(
  _ program: URL, _ arguments: [String], _ environment: [String: String], _ directory: URL?,
  _ timeLimit: Duration
) throws -> LaunchResult {
  let folder = try TemporaryFolder()
  return try withExtendedLifetime(folder) {
    // Files, not pipes: a process left behind would keep a pipe open and the test waiting.
    let files = ["output", "error"].map { URL(fileURLWithPath: folder.file($0)) }
    let handles = try files.map { file in
      try Data().write(to: file)
      return try FileHandle(forWritingTo: file)
    }
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = environmentOfJob(in: folder).merging(environment) { $1 }
    if let directory { process.currentDirectoryURL = directory }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = handles[0]
    process.standardError = handles[1]
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }

    let clock = ContinuousClock()
    let begin = clock.now
    try withAllSignals { try process.run() }
    let isLate = ended.wait(timeout: .now() + timeLimit.timeInterval) == .timedOut
    if isLate { killGroup(of: process, ended) }
    process.waitUntilExit()

    func text(_ i: Int) throws -> String {
      try handles[i].close()
      return String(decoding: try Data(contentsOf: files[i]), as: UTF8.self)
    }
    let status = process.terminationStatus
    let result = LaunchResult(
      status: process.terminationReason == .uncaughtSignal ? 128 + status : status,
      output: try text(0), error: try text(1), duration: clock.now - begin)
    guard !isLate else {
      throw LaunchError.late(program.lastPathComponent, limit: timeLimit, result)
    }
    return result
  }
}

/// The environment of a program that is started: its temporary files lie in a folder of its own.
///
/// Jobs of Open MPI that begin at the same time get in each other's way in one folder, where each makes and
/// removes `ompi.HOST.UID`.
public func environmentOfJob(in folder: TemporaryFolder) -> [String: String] {
  ProcessInfo.processInfo.environment.merging(["TMPDIR": folder.path]) { $1 }
}

/// Calls `body` with no signal blocked on this thread.
///
/// The threads that run tests block most signals, and a process that is started takes that over: a shell
/// script never gets what it traps.
public func withAllSignals<T>(_ body: () throws -> T) rethrows -> T {
  var none = sigset_t()
  var before = sigset_t()
  sigemptyset(&none)
  pthread_sigmask(SIG_SETMASK, &none, &before)
  defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
  return try body()
}

/// Ends a process and those it started: kindly first, because mpirun then ends its ranks.
private func killGroup(of process: Process, _ ended: DispatchSemaphore) {
  let pid = process.processIdentifier
  // Foundation gives each process a group of its own; if it did not, the group would be ours.
  let target = getpgid(pid) == pid ? -pid : pid
  kill(target, SIGTERM)
  kill(target, SIGCONT)
  if ended.wait(timeout: .now() + 5) == .timedOut { kill(target, SIGKILL) }
}

extension Duration {
  fileprivate var timeInterval: TimeInterval {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}

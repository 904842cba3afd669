// Checks that need several ranks. A test starts this program under mpirun with the name of a check;
// the verdict is the exit status.

import Communication
import Foundation

/// Runs the check named on the command line and returns the exit status.
///
/// A function, because what lives at the top level is never destroyed.
func runCheck() -> Int32 {
  let arguments = Array(CommandLine.arguments.dropFirst())
  let usage = "usage: RankChecks CHECK [ARGUMENT…] [--hold-rank N]\nchecks: "
  guard let name = arguments.first, let check = checks[name] else {
    print(usage + checks.keys.sorted().joined(separator: " "))
    return 64
  }
  let options = CheckOptions(Array(arguments.dropFirst()))
  let launcher = Launcher.detect(environment: ProcessInfo.processInfo.environment)
  do {
    let communicator = try start(launcher, options)
    holdForDebugger(communicator, options)
    do {
      try check(communicator, options)
      try communicator.finish()
      return 0
    } catch {
      return communicator.leave(after: error) { writeLine($0) }
    }
  } catch {
    if launcher.isFirstProcess { writeLine("\(error)") }
    return error.exitStatus
  }
}

/// Starts MPI even for one rank, so that its collectives are checked on one rank too.
func start(
  _ launcher: Launcher, _ options: CheckOptions
) throws(CommunicationError) -> any Communicator {
  let limits = WaitLimits(
    stopped: options.seconds("--stopped-limit") ?? .seconds(10),
    collective: options.seconds("--collective-limit") ?? .seconds(600))
  if case .openMPI(var job) = launcher {
    // As under a launcher that lets the other ranks go on.
    if options.has("--abort-by-mpi") { job.endsWithAnyProcess = false }
    return try MPICommunicator(job: job, limits: limits)
  }
  return try launcher.start(limits: limits)
}

/// Waits on the rank named by `--hold-rank` until a debugger is attached, which then has it stopped.
func holdForDebugger(_ communicator: any Communicator, _ options: CheckOptions) {
  guard options.value(of: "--hold-rank") == "\(communicator.rank)" else { return }
  writeLine("rank \(communicator.rank) waits: lldb -p \(getpid())")
  func isTraced() -> Bool {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    return !status.contains("TracerPid:\t0\n")
  }
  while !isTraced() { usleep(100_000) }
}

/// Writes a line to standard error in one piece.
func writeLine(_ line: String) {
  FileHandle.standardError.write(Data((line + "\n").utf8))
}

exit(runCheck())

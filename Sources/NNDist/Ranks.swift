// The start and the end of a program that may run on several ranks.
public import Communication
import Foundation

/// Runs a body on every rank of the job, or in this process alone if no launcher started several.
///
/// ```swift
/// exit(
///   onAllRanks { ranks in
///     let session = try TrainingSession(request, communicator: ranks)
///     _ = try session.run()
///   })
/// ```
///
/// Prints an error once; no rank waits for one that has failed.
///
/// - Parameters:
///   - limits: The longest waits for other ranks.
///   - body: The work; collective calls in it must be made by all ranks, in the same order.
/// - Returns: The status to exit with: 0, or that of the error.
public func onAllRanks(
  limits: WaitLimits = WaitLimits(), _ body: (any Communicator) throws -> Void
) -> Int32 {
  func printError(_ line: String) {
    FileHandle.standardError.write(Data("\(line)\n".utf8))
  }
  let communicator: any Communicator
  do {
    communicator = try Launcher.detect(environment: ProcessInfo.processInfo.environment)
      .start(limits: limits)
  } catch {
    printError("\(error)")
    return error.exitStatus
  }
  do {
    try body(communicator)
    try communicator.finish()
    return 0
  } catch {
    return communicator.leave(after: error, print: printError)
  }
}

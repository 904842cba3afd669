// The start and the end of a program that may run on several ranks.
public import Communication
import Foundation

/// Runs a body on every rank of the job, or alone where nothing started several.
///
/// ```swift
/// exit(
///   onAllRanks { ranks in
///     let session = try TrainingSession(request, communicator: ranks)
///     _ = try session.run()
///   })
/// ```
///
/// An error is printed once, and no rank waits for one that has failed.
///
/// - Parameters:
///   - limits: How long ranks wait for one that does not come.
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

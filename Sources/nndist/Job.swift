// The start and the end of the ranks of a job, around the work of a command.
import ArgumentParser
import Communication
import Foundation
import Synchronization
import Training

/// The processes that the program runs as.
enum Job {
  /// Who started this process.
  static let launcher = Launcher.detect(environment: ProcessInfo.processInfo.environment)

  /// Runs the work of a command on all ranks and ends the process with its status.
  ///
  /// The ranks agree on the command first. An error is printed once; whatever happens, all ranks end.
  ///
  /// - Parameters:
  ///   - command: The command, with its options.
  ///   - limits: How long ranks wait for one that does not come.
  ///   - work: Returns the exit status.
  /// - Throws: Nothing; the process ends.
  static func onAllRanks(
    _ command: any ParsableCommand, limits: WaitLimits = WaitLimits(),
    _ work: (any Communicator) throws -> Int32
  ) throws -> Never {
    end(status(command, limits, work))
  }

  /// The communicator lives in this function: it is gone when the process exits.
  private static func status(
    _ command: any ParsableCommand, _ limits: WaitLimits,
    _ work: (any Communicator) throws -> Int32
  ) -> Int32 {
    let communicator: any Communicator
    do {
      communicator = try launcher.start(limits: limits)
    } catch {
      exitBeforeStart(error.exitStatus, saying: "\(error)")
    }
    do {
      try communicator.requireSame(Request(command))
      let status = try work(communicator)
      flushOutput()
      try communicator.finish()
      return status
    } catch {
      flushOutput()
      return communicator.leave(after: error) { printError($0) }
    }
  }

  /// Runs the work of a command that needs one process, on the first; the others have nothing to do.
  ///
  /// The others come to agree on the command all the same: one of them may have been asked for
  /// something that waits for all.
  ///
  /// - Parameters:
  ///   - command: The command, with its options.
  ///   - work: Returns the exit status.
  static func onFirstProcess(
    _ command: any ParsableCommand, _ work: () throws -> Int32
  ) -> Never {
    if launcher.canCommunicate {
      let status = status(command, WaitLimits()) { _ in 0 }
      guard status == 0 else { end(status) }
    }
    guard launcher.isFirstProcess else { end(0) }
    do {
      let status = try work()
      flushOutput()
      end(status)
    } catch {
      flushOutput()
      printError("\(error)")
      end((error as? any ExitStatusProviding)?.exitStatus ?? 70)
    }
  }

  /// Ends a process that has not joined the others.
  ///
  /// What is wrong with one is mostly wrong with all, and the first speaks: mpirun then ends the others.
  /// One that is not ended has something of its own to say.
  ///
  /// - Parameters:
  ///   - status: The exit status.
  ///   - message: What to print; nothing where all is said.
  static func exitBeforeStart(_ status: Int32, saying message: String? = nil) -> Never {
    guard status != 0, !launcher.isFirstProcess else {
      if let message { printError(message) }
      end(status)
    }
    for _ in 0..<100 where !StopSignals.stopIsRequested { usleep(20_000) }
    if let message, let rank = launcher.numberToSpeak, !StopSignals.stopIsRequested {
      printError("\(rank): \(message)")
    }
    end(status)
  }

  /// Ends the process without the last rites of libraries: libhdf5 crashes in its own where a file could not be closed.
  private static func end(_ status: Int32) -> Never {
    Output.flush()
    _exit(status)
  }

  /// Flushes what was printed; a full disk behind it ends in the status of input and output.
  private static func flushOutput() {
    Output.flush()
    guard let reason = Output.failure else { return }
    printError("standard output: \(reason)")
    end(ExitStatus.input)
  }
}

extension Launcher {
  /// Indicates whether there are other processes that can be talked to.
  fileprivate var canCommunicate: Bool {
    if case .openMPI(let job) = self { job.processCount != 1 } else { false }
  }

  /// The name of this process, where its launcher ends all processes with one: there it alone may have
  /// something to say.
  fileprivate var numberToSpeak: String? {
    guard case .openMPI(let job) = self, job.endsWithAnyProcess, let number = job.processNumber
    else {
      return nil
    }
    return "rank \(number)" + (job.processCount.map { " of \($0)" } ?? "")
  }
}

/// Standard output, and whether all that was printed got there.
enum Output {
  private static let firstError = Atomic<Int32>(0)

  /// Passes on what was printed.
  static func flush() {
    guard fflush(nil) != 0, errno != EPIPE else { return }
    _ = firstError.compareExchange(expected: 0, desired: errno, ordering: .relaxed)
  }

  /// Writes bytes of any kind after all that was printed; ``failure`` tells what went wrong.
  static func write(_ bytes: [UInt8]) {
    flush()
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.write(STDOUT_FILENO, $0.baseAddress?.advanced(by: done), bytes.count - done)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        if errno != EPIPE {
          _ = firstError.compareExchange(expected: 0, desired: errno, ordering: .relaxed)
        }
        return
      }
      done += count
    }
  }

  /// Why something that was printed is lost; a reader that has gone does not count.
  static var failure: String? {
    let code = firstError.load(ordering: .relaxed)
    return code == 0 ? nil : String(cString: strerror(code))
  }

  /// Gives standard input, output and error a place where the parent closed them, so that no file of
  /// ours gets their numbers.
  static func openStandardStreams() {
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 {
      // The lowest free number is taken, which is this one.
      _ = open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY)
    }
  }
}

/// Prints one line to standard error, after all that was printed before.
func printError(_ message: String) { printErrorLine("nndist: \(message)") }

/// Prints one line to standard error as it is, after all that was printed before.
///
/// Names in files and arguments may hold anything: what would move the cursor is written out, and what is very
/// long is cut.
func printErrorLine(_ line: String) {
  Output.flush()
  let line = Array("\(printable(line))\n".utf8)
  // Where even this cannot be said, the status says it.
  _ = write(STDERR_FILENO, line, line.count)
}

/// Returns a text of a reasonable length that only prints.
private func printable(_ text: String) -> String {
  let limit = 4000
  var result = ""
  for scalar in text.unicodeScalars.prefix(limit) {
    // An error in an expression shows the place on lines below it.
    if scalar.properties.generalCategory == .control, scalar != "\n" {
      result += "\\u{\(String(scalar.value, radix: 16))}"
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return text.unicodeScalars.count > limit ? result + "…" : result
}

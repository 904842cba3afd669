// The start and the end of the ranks of a job, around the work of a command.
import ArgumentParser
import Communication
import Execution
import Foundation
import Synchronization
import Training

/// The processes of one run of the program.
enum Job {
  /// The launcher of this process.
  static let launcher = Launcher.detect(environment: ProcessInfo.processInfo.environment)

  /// Runs the work of a command on all ranks and ends the process with its status.
  ///
  /// The ranks first agree on the command. An error is printed once, and all ranks end in any case.
  ///
  /// - Parameters:
  ///   - command: The command, with its options.
  ///   - limits: The limits on waiting for other ranks.
  ///   - work: Returns the exit status.
  static func onAllRanks(
    _ command: any ParsableCommand, limits: WaitLimits = WaitLimits(),
    _ work: (any Communicator) throws -> Int32
  ) -> Never {
    end(status(command, limits, work))
  }

  /// Runs the work on all ranks and returns the status; it owns the communicator, which ends with it.
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
      try communicator.agreeingOnFailure {
        try RunConfiguration.Device.cpu.backend.requireVariables()
      }
      let status = try work(communicator)
      flushOutput()
      try communicator.finish()
      return status
    } catch {
      flushOutput()
      return communicator.leave(after: error) { printError($0) }
    }
  }

  /// Runs the work of a command for one process, on the first; the others do nothing.
  ///
  /// The others agree on the command all the same: one of them may have been started with a command
  /// that waits for all.
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
  /// Usually all processes fail alike, so only the first prints, and mpirun then ends the others. One that
  /// is not ended within two seconds has an error of its own and prints it.
  ///
  /// - Parameters:
  ///   - status: The exit status.
  ///   - message: The text to print; nil if it has been printed already.
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

  /// Ends the process without the exit handlers of libraries: that of libhdf5 crashes if a file could not be closed.
  private static func end(_ status: Int32) -> Never {
    Output.flush()
    _exit(status)
  }

  /// Flushes standard output; on a failure, such as a full disk, the process ends with status 74.
  private static func flushOutput() {
    Output.flush()
    guard let reason = Output.failure else { return }
    printError("standard output: \(reason)")
    end(ExitStatus.input)
  }
}

extension Launcher {
  /// Indicates whether the job may have other processes that this one can communicate with.
  fileprivate var canCommunicate: Bool {
    if case .openMPI(let job) = self { job.processCount != 1 } else { false }
  }

  /// The name of this process; nil unless the launcher ends all processes with the first that fails.
  fileprivate var numberToSpeak: String? {
    guard case .openMPI(let job) = self, job.endsWithAnyProcess, let number = job.processNumber
    else {
      return nil
    }
    return "rank \(number)" + (job.processCount.map { " of \($0)" } ?? "")
  }
}

/// Standard output and its errors.
enum Output {
  private static let firstError = Atomic<Int32>(0)

  /// Flushes all output.
  static func flush() {
    guard fflush(nil) != 0, errno != EPIPE else { return }
    _ = firstError.compareExchange(expected: 0, desired: errno, ordering: .relaxed)
  }

  /// Writes raw bytes after all earlier output; ``failure`` has the reason if that fails.
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

  /// The reason why output was lost, or nil; a closed pipe does not count.
  static var failure: String? {
    let code = firstError.load(ordering: .relaxed)
    return code == 0 ? nil : String(cString: strerror(code))
  }

  /// Opens `/dev/null` for standard streams that the parent closed, so that no file of ours gets their
  /// numbers.
  static func openStandardStreams() {
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 {
      // The system assigns the lowest free number, which is this one.
      _ = open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY)
    }
  }
}

/// Prints one line to standard error, after all earlier output.
func printError(_ message: String) { printErrorLine("nndist: \(message)") }

/// Prints one line to standard error without a prefix, after all earlier output.
///
/// Names in files and arguments may hold anything: control characters are escaped, and very long lines are cut.
func printErrorLine(_ line: String) {
  Output.flush()
  let line = Array("\(printable(line))\n".utf8)
  // If this fails too, only the exit status remains.
  _ = write(STDERR_FILENO, line, line.count)
}

/// Returns a text of reasonable length without control characters.
private func printable(_ text: String) -> String {
  let limit = 4000
  var result = ""
  for scalar in text.unicodeScalars.prefix(limit) {
    // Errors in expressions mark the place on the lines below.
    if scalar.properties.generalCategory == .control, scalar != "\n" {
      result += "\\u{\(String(scalar.value, radix: 16))}"
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return text.unicodeScalars.count > limit ? result + "…" : result
}

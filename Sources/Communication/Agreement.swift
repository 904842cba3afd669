// Agreement between ranks: that a value is the same everywhere, and that local work failed nowhere. From
// an agreed error all ranks can leave in good order, with one line and one status.

/// A value that must be the same on all ranks and is not.
public struct Disagreement: Error, Equatable, Sendable {
  /// The name of the value, such as "configuration".
  public var name: String
  /// The values, in rank order.
  public var values: [String]

  /// Makes a disagreement over the values of all ranks.
  public init(name: String, values: [String]) {
    self.name = name
    self.values = values
  }

  /// One line with the value of each rank; for values of several lines, the first line that differs.
  public var description: String {
    guard values.contains(where: { $0.contains("\n") }) else {
      let shown = values.map { $0.isEmpty ? "nothing" : "'\($0)'" }
      return "\(name) differs: " + groups(of: shown).joined(separator: ", ")
    }
    let lines = values.map { $0.split(separator: "\n", omittingEmptySubsequences: false) }
    let longest = lines.map(\.count).max() ?? 0
    for i in 0..<longest {
      let candidates = lines.map { $0.indices.contains(i) ? "'\($0[i])'" : "no such line" }
      guard Set(candidates).count > 1 else { continue }
      return "\(name) differs in line \(i + 1): " + groups(of: candidates).joined(separator: ", ")
    }
    return "\(name) differs"
  }
}

/// A failure of local work that all ranks know.
public struct AgreedFailure: Error, Equatable, Sendable {
  /// The rank that prints: the lowest that failed, or root if all failed alike.
  public var rank: Int
  /// The text of the error on that rank.
  public var message: String
  /// The exit status of the job.
  public var exitStatus: Int32
  /// Indicates whether all ranks failed with this same message and status.
  public var isSameOnAllRanks: Bool
}

extension Communicator {
  /// Throws unless `value` is the same on all ranks.
  ///
  /// Collective, checked. Meant for set-up: every rank receives the values of all.
  ///
  /// - Parameters:
  ///   - value: A text or fingerprint; of several lines, the first that differs is reported. Nil on a
  ///     rank without a value, which root must have.
  ///   - name: The name of the value, for the message.
  /// - Throws: ``CommunicationError/differs(_:)``, the same on all ranks, naming the ranks and values;
  ///   the errors of ``allgather(_:)``.
  /// - Complexity: O(size · count of bytes).
  public func requireSame(_ value: String?, named name: String) throws(CommunicationError) {
    // A leading byte distinguishes the empty value from none.
    let all = try allgather(value.map { [1] + Array($0.utf8) } ?? [])
    guard all.contains(where: { !$0.isEmpty && $0 != all[0] }) else { return }
    let values = all.map { String(decoding: ($0.isEmpty ? all[0] : $0).dropFirst(), as: UTF8.self) }
    throw .differs(Disagreement(name: name, values: values))
  }

  /// Does local work on every rank and returns its result if it failed on none.
  ///
  /// Collective: all ranks call it; `work` itself calls no collective. A failure anywhere is thrown
  /// everywhere, as the same error on every rank, so that no rank waits for one that gave up.
  ///
  /// - Parameter work: The work of this rank alone. The exit status of its error comes from
  ///   ``ExitStatusProviding``, and is 70 (our bug) for any other error.
  /// - Returns: The result of `work`.
  /// - Throws: ``CommunicationError/failed(_:)`` with the error of the lowest rank that failed.
  /// - Complexity: one MPI_Allreduce of one integer when nothing fails, and no allocation.
  public func agreeingOnFailure<T>(_ work: () throws -> T) throws(CommunicationError) -> T {
    let outcome: Result<T, any Error>
    do {
      outcome = .success(try work())
    } catch {
      // Another collective cannot repair a failed one, and an agreed error needs none.
      if let error = error as? CommunicationError {
        switch error {
        case .mpi, .failed: throw error
        default: break
        }
      }
      outcome = .failure(error)
    }
    switch outcome {
    case .success(let value):
      guard try firstRank(where: false) != nil else { return value }
      throw try agreedFailure(after: nil)
    case .failure(let error):
      _ = try firstRank(where: true)
      throw try agreedFailure(after: error)
    }
  }

  private func agreedFailure(
    after error: (any Error)?
  ) throws(CommunicationError) -> CommunicationError {
    let report = error.map { FailureReport(status: exitStatus(of: $0), message: line(of: $0)) }
    let reports = try allgather(report?.bytes ?? []).map(FailureReport.init(bytes:))
    guard let lowest = reports.firstIndex(where: { $0 != nil }), let chosen = reports[lowest] else {
      return .mpi(call: "agreeingOnFailure", reason: "a rank failed but sent no error")
    }
    return .failed(
      AgreedFailure(
        rank: lowest, message: chosen.message, exitStatus: chosen.status,
        isSameOnAllRanks: reports.allSatisfy { $0 == chosen }))
  }

  /// Prints `error` once for the whole job, leaves the job, and returns the status to exit with.
  ///
  /// An error that all ranks share ends in good order: one rank prints, all ranks return the same
  /// status. After any other error this rank prints and ends the whole job; the call does not return.
  ///
  /// - Parameters:
  ///   - error: The error that ends the work of this rank.
  ///   - print: Prints one line to standard error, unbuffered.
  /// - Returns: The status with which this rank must exit now.
  public func leave(after error: any Error, print: (String) -> Void) -> Int32 {
    let status = exitStatus(of: error)
    guard let agreed = error as? CommunicationError, agreed.isAgreed else {
      print(prefixed(line(of: error)))
      if size == 1 { return status }
      abort(status: status)
    }
    switch agreed {
    case .failed(let failure) where !failure.isSameOnAllRanks:
      if rank == failure.rank { print(prefixed(failure.message)) }
    default:
      if isRoot { print(agreed.description) }
    }
    // MPI_Finalize waits for all ranks, so the line is out before mpirun ends the others.
    do throws(CommunicationError) { try finish() } catch { abort(status: status) }
    return status
  }

  /// Returns `message`, prefixed with the number of this rank if the job has several.
  ///
  /// - Parameter message: One line without a prefix.
  /// - Returns: The line to print.
  public func prefixed(_ message: String) -> String {
    size == 1 ? message : "rank \(rank) of \(size): \(message)"
  }

  private func exitStatus(of error: any Error) -> Int32 {
    let status = (error as? any ExitStatusProviding)?.exitStatus ?? ExitStatus.bug
    // The shell would take a status outside this range for success, or for another one.
    return (1...255).contains(status) ? status : ExitStatus.bug
  }

  private func line(of error: any Error) -> String { String(describing: error) }
}

/// The report that a failing rank sends to the others.
private struct FailureReport: Equatable {
  var status: Int32
  var message: String

  init(status: Int32, message: String) {
    self.status = status
    self.message = message
  }

  init?(bytes: [UInt8]) {
    guard let status = bytes.first else { return nil }
    self.status = Int32(status)
    message = String(decoding: bytes.dropFirst(), as: UTF8.self)
  }

  var bytes: [UInt8] { [UInt8(status)] + Array(message.utf8) }
}

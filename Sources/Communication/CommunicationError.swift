// All errors between ranks, their wording, and their exit statuses.

/// An error between ranks.
public enum CommunicationError: Error, Equatable {
  /// An MPI call failed; the job cannot go on.
  case mpi(call: String, reason: String)
  /// Ranks called different collectives, or the same with other counts, types or roots; one text per
  /// rank.
  case collectivesDiffer([String])
  /// A value that must be the same on all ranks is not.
  case differs(Disagreement)
  /// Local work failed on at least one rank, and all ranks know it.
  case failed(AgreedFailure)
  /// A count that does not fit into the 32 bits of MPI.
  case tooLarge(what: String, count: Int, limit: Int)
  /// One rank sends another number of floats than the receiver expects.
  case countsDiffer(sender: Int, sent: Int, receiver: Int, expected: Int)
  /// The program was started by a launcher that it cannot talk to.
  case launcherUnsupported(name: String, processCount: Int?)
  /// The launcher started another number of processes than MPI knows of.
  case sizeDiffers(launcher: Int, mpi: Int)
  /// The MPI library found at run time is not the version that the program was built for.
  case libraryDiffers(found: String, expected: String)
}

extension CommunicationError {
  /// Indicates whether every rank throws this same error at the same call.
  ///
  /// If so, all ranks can leave in good order and one of them prints; otherwise the job must be aborted.
  public var isAgreed: Bool {
    switch self {
    case .collectivesDiffer, .differs, .failed, .countsDiffer, .tooLarge: true
    case .mpi, .launcherUnsupported, .sizeDiffers, .libraryDiffers: false
    }
  }
}

extension CommunicationError: CustomStringConvertible {
  /// One line with the value found and the value expected.
  public var description: String {
    switch self {
    case .mpi(let call, let reason):
      "\(call): \(reason)"
    case .collectivesDiffer(let calls):
      "ranks call different collectives: " + groups(of: calls).joined(separator: ", ")
    case .differs(let disagreement):
      disagreement.description
    case .failed(let failure):
      failure.message
    case .tooLarge(let what, let count, let limit):
      "\(what): \(count) elements, at most \(limit) can be sent at once"
    case .countsDiffer(let sender, let sent, let receiver, let expected):
      "rank \(sender) sends \(sent) floats to rank \(receiver), which expects \(expected)"
    case .launcherUnsupported(let name, let count):
      "started by \(name)\(count.map { " as one of \($0) processes" } ?? ""), which this program "
        + "cannot talk to; start it with Open MPI's mpirun, or under Slurm with srun --mpi=pmix"
    case .sizeDiffers(let launcher, let mpi):
      "the launcher started \(launcher) processes but MPI knows of \(mpi); start the program with "
        + "the mpirun of the Open MPI it was built for"
    case .libraryDiffers(let found, let expected):
      "the MPI library found is \(found), but the program was built for \(expected)"
    }
  }
}

extension CommunicationError: ExitStatusProviding {
  /// The status of the job after this error.
  public var exitStatus: Int32 {
    switch self {
    case .mpi: ExitStatus.peerLost
    case .collectivesDiffer, .countsDiffer: ExitStatus.bug
    case .differs, .tooLarge: ExitStatus.configuration
    case .failed(let failure): failure.exitStatus
    case .launcherUnsupported, .sizeDiffers, .libraryDiffers: ExitStatus.unavailable
    }
  }
}

/// An error that knows its exit status.
///
/// Errors of modules that do not import this one conform in the module that imports both.
public protocol ExitStatusProviding: Error {
  /// The status of the process after this error, in `1...255`.
  var exitStatus: Int32 { get }
}

/// The exit statuses that this module uses itself.
enum ExitStatus {
  static let unavailable: Int32 = 69
  static let bug: Int32 = 70
  static let inputOutput: Int32 = 74
  static let peerLost: Int32 = 76
  static let configuration: Int32 = 78
}

/// Groups ranks by their values: `rank 0: a`, `ranks 1–3: b`.
func groups(of values: [String]) -> [String] {
  var order: [String] = []
  var ranks: [String: [Int]] = [:]
  for (rank, value) in values.enumerated() {
    if ranks[value] == nil { order.append(value) }
    ranks[value, default: []].append(rank)
  }
  return order.map { "\(name(ofRanks: ranks[$0] ?? [])): \($0)" }
}

/// Names ranks for a message: `rank 2`, `ranks 0–2, 5`.
func name(ofRanks ranks: [Int]) -> String {
  var runs: [ClosedRange<Int>] = []
  for rank in ranks {
    if let last = runs.last, last.upperBound + 1 == rank {
      runs[runs.count - 1] = last.lowerBound...rank
    } else {
      runs.append(rank...rank)
    }
  }
  let names = runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)–\($0.upperBound)" }
  return (ranks.count == 1 ? "rank " : "ranks ") + names.joined(separator: ", ")
}

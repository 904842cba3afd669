public import Communication
public import Datasets
import Foundation

/// Opens a data file.
public typealias OpenDataset = (_ path: String, _ options: Dataset.Options) throws -> Dataset

/// The ranks of a host that share one copy of rows in memory, which the first of them reads.
///
/// Ranks that cannot map each other's memory, as in separate containers, hold a copy each.
public final class RowSharing {
  /// The ranks that share a copy, this one among them; the first one reads.
  public let members: [Int]
  /// The copies that this host holds.
  public let copyCount: Int
  private let communicator: any Communicator
  /// The storages that all members can map, by preference.
  private let storages: [SharedRegion.Storage]

  /// The usual storages: memory alone, or files without a name in /dev/shm or the temporary folder.
  public static let usualStorages: [SharedRegion.Storage] = [
    .memory, .folder("/dev/shm"),
    .folder(ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"),
  ]

  /// Finds the ranks that share rows.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - communicator: The ranks.
  ///   - limit: The most ranks that share a copy; nil for all of a host.
  ///   - storages: The storages of shared memory to try, by preference.
  /// - Throws: `CommunicationError`.
  public init(
    _ communicator: any Communicator, limit: Int? = nil,
    storages: [SharedRegion.Storage] = usualStorages
  ) throws(CommunicationError) {
    self.communicator = communicator
    let members = communicator.ranksSharingMemory(limit: limit)
    var usable: [SharedRegion.Storage] = []
    for storage in storages where communicator.size > 1 {
      // Folders may be full later; memory alone is not.
      let isWanted = members.count > 1 && usable != [.memory]
      let isShared = try RowSharing.canShare(storage, members, isWanted, communicator)
      if isWanted, isShared { usable.append(storage) }
    }
    self.storages = usable
    self.members = usable.isEmpty ? [communicator.rank] : members
    let readers = try communicator.allgather(value: self.members[0])
    copyCount = Set(communicator.placement.ranksOnHost.map { readers[$0] }).count
  }

  /// Returns whether all of some ranks can map memory of the first one of them.
  ///
  /// Collective.
  private static func canShare(
    _ storage: SharedRegion.Storage, _ members: [Int], _ isWanted: Bool,
    _ communicator: any Communicator
  ) throws(CommunicationError) -> Bool {
    let isReader = communicator.rank == members[0]
    let region = isReader && isWanted ? try? SharedRegion(byteCount: 1, in: storage) : nil
    // Kept until all have mapped it.
    defer { withExtendedLifetime(region) {} }
    let introduction = region.flatMap { try? JSONEncoder().encode($0.introduction) }
    let bytes = try communicator.allgather(introduction.map { Array($0) } ?? [])[members[0]]
    let received = try? JSONDecoder().decode(SharedRegion.Introduction.self, from: Data(bytes))
    let isMapped = isReader ? region != nil : (try? received.map { try SharedRegion($0) }) != nil
    let mapped = try communicator.allgather(value: isMapped ? 1 : 0)
    return members.allSatisfy { mapped[$0] == 1 }
  }

  /// Opens data files on all ranks.
  ///
  /// Collective. The rank that reads goes first; the others then open the same files and find the rows in
  /// its memory.
  ///
  /// - Parameter body: Opens files by the function it is given, on all ranks the same in the same order;
  ///   called once.
  /// - Returns: The result of `body`.
  /// - Throws: The error of `body`, as a failure that all ranks agree on.
  public func open<Opened>(
    _ body: (_ open: OpenDataset) throws -> Opened
  ) throws(CommunicationError) -> Opened {
    var (report, regions) = (Report(), [SharedRegion]())
    var outcome: Result<Opened, any Error>?
    if communicator.rank == members[0] {
      outcome = Result {
        try body { path, options in
          let dataset = try Dataset.open(path, options: limited(options)) {
            memory(byteCount: $0, &regions)
          }
          report.files.append(Report.File(dataset.content))
          return dataset
        }
      }
      if case .failure(let error) = outcome { report.failure = ReaderFailure(error) }
      for region in regions { region.protect() }
    }
    // All members have mapped them when this returns.
    defer { for region in regions { region.hide() } }
    let sent = try communicator.agreeingOnFailure { [report] in
      Array(try JSONEncoder().encode(report))
    }
    let received = try communicator.allgather(members.count > 1 ? sent : [])[members[0]]
    return try communicator.agreeingOnFailure {
      if let outcome { return try outcome.get() }
      let report = try JSONDecoder().decode(Report.self, from: Data(received))
      if let failure = report.failure { throw failure }
      var files = report.files[...]
      return try body { path, options in
        guard let file = files.popFirst() else {
          preconditionFailure("\(path) is opened by some ranks only")
        }
        return try Dataset.open(path, options: limited(options), asReadBy: try file.content())
      }
    }
  }

  /// Divides the limits of a host by its copies, and leaves half of its memory for the rest.
  private func limited(_ options: Dataset.Options) -> Dataset.Options {
    var options = options
    options.inMemoryLimit = min(
      min(options.inMemoryLimit, HostMemory.byteCount / 2) / copyCount,
      HostMemory.processByteCount / 2)
    return options
  }

  /// Allocates memory that all members can map; returns nil if there is none.
  private func memory(byteCount: Int, _ regions: inout [SharedRegion]) -> RowMemory? {
    guard members.count > 1 else { return RowMemory(byteCount: byteCount) }
    for storage in storages {
      guard let region = try? SharedRegion(byteCount: byteCount, in: storage) else { continue }
      regions.append(region)
      return RowMemory(region.bytes, owner: region)
    }
    return nil
  }
}

/// The message of the rank that reads to those that share its rows.
private struct Report: Codable {
  var files: [File] = []
  var failure: ReaderFailure?

  struct File: Codable {
    let identity: FileIdentity
    let fingerprint: String
    let samples: SharedRegion.Introduction?
    let targets: SharedRegion.Introduction?

    init(_ content: Dataset.Content) {
      identity = content.identity
      fingerprint = content.fingerprint
      samples = (content.samples?.owner as? SharedRegion)?.introduction
      targets = (content.targets?.owner as? SharedRegion)?.introduction
    }

    /// Returns the content that was read, mapped into this process.
    func content() throws -> Dataset.Content {
      func mapped(_ introduction: SharedRegion.Introduction?) throws -> RowMemory? {
        try introduction.map {
          let region = try SharedRegion($0)
          return RowMemory(region.bytes, owner: region)
        }
      }
      return Dataset.Content(
        identity: identity, fingerprint: fingerprint, samples: try mapped(samples),
        targets: try mapped(targets))
    }
  }
}

/// The error of the rank that reads, on the others.
private struct ReaderFailure: Error, CustomStringConvertible, ExitStatusProviding, Codable {
  let description: String
  let exitStatus: Int32

  init(_ error: any Error) {
    description = "\(error)"
    exitStatus = (error as? any ExitStatusProviding)?.exitStatus ?? 70
  }
}

// The run directory: who may work in it, and the files it holds.

public import Configuration
public import Files
import Foundation

/// A run directory that this process works in; locked for as long as the object lives.
///
/// It holds `config.yaml`, `status.json`, `metrics.jsonl`, `checkpoints/` and the lock, `.lock`. Only
/// the root rank makes one; it has one owner and is not shared between threads.
public final class Run {
  /// The folder, as it was named.
  public let path: String
  /// What the last process that worked on the run wrote; nothing in a new run.
  public private(set) var status: RunStatus?
  /// The folder of the checkpoints; nothing before the run is begun.
  public private(set) var checkpoints: Folder?
  /// All that is written goes into this folder, even if its path leads elsewhere by now.
  private let folder: Folder
  private let lock: Descriptor
  private let wasMade: Bool

  /// Opens a run directory, making it if it is missing, and locks it.
  ///
  /// - Parameter path: The folder.
  /// - Throws: ``RunError/inUse(path:holder:)`` if a living process works in it,
  ///   ``RunError/foreign(path:found:)`` if files by our names are not ours,
  ///   ``RunError/file(_:)`` naming what cannot be written to.
  public convenience init(_ path: String) throws(RunError) {
    var named = path[...]
    while named.count > 1, named.last == "/" { named.removeLast() }
    let path = String(named)
    try self.init(path, wasMade: try converted { () throws(FileError) in try makeFolder(path) })
  }

  private init(_ path: String, wasMade: Bool) throws(RunError) {
    self.path = path
    self.wasMade = wasMade
    let folder = try converted { () throws(FileError) in try Folder(path) }
    self.folder = folder
    checkpoints = try converted { () throws(FileError) in try folder.folder("checkpoints") }
    try Run.checkOwnership(folder, checkpoints)
    lock = try Run.lock(folder)
    try requireUnused(checkpoints)
    // Whoever had it until now may have removed it as a folder in which nothing was begun.
    try requireInPlace()
    try removeTemporaries()
    do throws(RunError) {
      status = try RunStatus.read(in: folder)
    } catch {
      guard case .damaged = error else { throw error }
      // A status cut short by a loss of power says nothing, but its name says the run is ours.
      status = RunStatus(state: .running, kind: "")
    }
  }

  /// Makes the next free of the numbered folders in a folder, and opens it.
  ///
  /// - Parameter folder: The folder, such as `runs`; made if it is missing.
  /// - Returns: The run `<folder>/<n>`, n one more than the highest number there.
  /// - Throws: ``RunError/file(_:)`` naming the folder that cannot be made.
  public static func next(in folder: String) throws(RunError) -> Run {
    let path = try converted { () throws(FileError) -> String in
      try makeFolder(folder)
      var number = (try numbers(in: folder).last ?? 0) + 1
      // Another process may take the number between the look and the making.
      while try !makeNewFolder("\(folder)/\(number)") { number += 1 }
      return "\(folder)/\(number)"
    }
    return try Run(path, wasMade: true)
  }

  /// Opens the newest of the numbered runs of one kind that can go on and that nobody works on.
  ///
  /// - Parameters:
  ///   - folder: The folder of the runs; need not exist.
  ///   - kind: The kind, as its status says.
  /// - Returns: The run, or nothing if there is none.
  /// - Throws: ``RunError/file(_:)`` if the folder cannot be read.
  public static func newestUnfinished(in folder: String, kind: String) throws(RunError) -> Run? {
    let all = try converted { () throws(FileError) in try numbers(in: folder) }
    for number in all.reversed() {
      let path = "\(folder)/\(number)"
      do throws(RunError) {
        guard let status = try RunStatus.read(inFolder: path), status.kind == kind,
          status.isUnfinished
        else { continue }
        return try Run(path)
      } catch {
        switch error {
        case .inUse, .damaged, .foreign: continue
        // What is no file is no status of ours; what the system refuses may be.
        case .file(let refusal): if refusal.code != 0 { throw error }
        }
      }
    }
    return nil
  }

  private static func numbers(in folder: String) throws(FileError) -> [Int] {
    let names = try Folder.existing(at: folder)?.names() ?? []
    return names.compactMap { name in
      Int(name).flatMap { $0 > 0 && String($0) == name ? $0 : nil }
    }.sorted()
  }

  /// Removes what was made to open the run, if nothing was begun in it and nothing else is there.
  public func discard() {
    guard status == nil, (try? folder.contains("config.yaml")) == false else { return }
    try? folder.remove(".lock")
    if wasMade, (try? folder.isInPlace()) == true { rmdir(path) }
  }

  /// Refuses to go on once the folder, or that of the checkpoints, was removed, moved or replaced.
  ///
  /// What the run holds open still is in the folder, wherever that is; but nobody would find it at its path, where
  /// another run may begin.
  ///
  /// - Throws: ``RunError/file(_:)`` naming the folder.
  public func requireInPlace() throws(RunError) {
    try converted { () throws(FileError) in
      try folder.requireInPlace()
      try checkpoints?.requireInPlace()
    }
  }

  /// The path of the folder of the checkpoints.
  public var checkpointsPath: String { path + "/checkpoints" }
  /// The path of the resolved configuration.
  public var configurationPath: String { path + "/config.yaml" }
  /// The path of the status, which says how far the run is.
  public var statusPath: String { path + "/status.json" }

  /// The configuration the run was begun with, or nothing in a new run.
  ///
  /// - Throws: ``RunError/damaged(path:found:expected:)`` if it does not read.
  public func begunConfiguration() throws(RunError) -> ResolvedConfiguration? {
    let path = configurationPath
    let folder = folder
    guard
      let bytes = try converted({ () throws(FileError) in
        try folder.read("config.yaml", limit: 1 << 20)
      })
    else { return nil }
    do throws(ConfigurationError) {
      return try ResolvedConfiguration(yaml: String(decoding: bytes, as: UTF8.self), source: path)
    } catch {
      throw .damaged(path: path, found: "'\(error)'", expected: "a resolved configuration")
    }
  }

  /// Writes the configuration and a first status, and makes the folder of the checkpoints.
  ///
  /// - Parameters:
  ///   - kind: The kind of the run.
  ///   - configuration: What it is run with from now on.
  /// - Returns: The folder of the checkpoints.
  /// - Throws: ``RunError/file(_:)``; the status then says that the run is stopped.
  @discardableResult
  public func begin(
    kind: String, configuration: ResolvedConfiguration
  ) throws(RunError) -> Folder {
    var status = status ?? RunStatus(state: .running, kind: kind)
    status.state = .running
    status.kind = kind
    status.message = nil
    do throws(RunError) {
      // The status comes first: it is what tells a run of ours from a stranger's files.
      try update(status, isDurable: true)
      let checkpoints = try madeCheckpoints()
      try converted { () throws(FileError) in
        try folder.replace("config.yaml", with: configuration.yaml)
      }
      return checkpoints
    } catch {
      noteStopped("\(error)")
      throw error
    }
  }

  private func madeCheckpoints() throws(RunError) -> Folder {
    if let checkpoints { return checkpoints }
    let made = try converted { () throws(FileError) in try folder.madeFolder("checkpoints") }
    try requireUnused(made)
    checkpoints = made
    return made
  }

  /// Replaces the status; time, process and host are filled in.
  ///
  /// - Parameters:
  ///   - status: The new status.
  ///   - isDurable: Whether it must outlive a loss of power, as when the state changes.
  /// - Throws: ``RunError/file(_:)``.
  public func update(_ status: RunStatus, isDurable: Bool = false) throws(RunError) {
    var status = status
    status.updated = timestamp()
    status.started = self.status.map(\.started).flatMap { $0.isEmpty ? nil : $0 } ?? status.updated
    status.process = Int(getpid())
    status.host = hostName()
    try converted { () throws(FileError) in
      try folder.replace("status.json", with: status.json, isDurable: isDurable)
    }
    self.status = status
  }

  /// Notes in a status that says the run is running that it is not, and why; what fails here has been reported
  /// already.
  public func noteStopped(_ message: String) {
    // What the file says counts: an update may have failed after it.
    guard var status = try? RunStatus.read(in: folder), status.state == .running else { return }
    status.state = .stopped
    status.message = message
    try? update(status, isDurable: true)
  }

  /// Opens the record of steps to be gone on with.
  ///
  /// - Parameter step: The step of the checkpoint the run goes on from: records after it are cut
  ///   off. 0 in a new run.
  /// - Returns: The writer, at the end of what is kept.
  /// - Throws: ``RunError/file(_:)``.
  public func metrics(after step: Int) throws(RunError) -> MetricsWriter {
    try MetricsWriter(in: folder, after: step)
  }
}

// What is ours in the folder.
extension Run {
  /// The folder is locked too, where that is possible: a lock file can be removed under a run.
  private static func lock(_ folder: Folder) throws(RunError) -> Descriptor {
    let lock: Descriptor
    let isFree: Bool
    do throws(FileError) {
      lock = try folder.open(".lock", .append)
      isFree = try lock.lock()
    } catch {
      // What is there by that name is named; else the folder is what the user knows of, the lock our affair.
      if error.code == 0 || error.code == EISDIR { throw .file(error) }
      let isOurs = error.code == ENOLCK || error.code == ENOSYS || error.code == ENOTSUP
      let expected = isOurs ? "a file system with locks" : "a folder that can be written to"
      throw .file(FileError(folder.path, expected: expected, code: error.code))
    }
    let holder = try converted { () throws(FileError) in try lock.readAll(limit: 1 << 12) }
    guard isOurs(holder) else {
      throw .damaged(
        path: lock.path, found: "\(holder.count) bytes that are no lock", expected: "a run's lock")
    }
    guard isFree, folder.lock() else {
      let line = String(decoding: holder.prefix { $0 != 0x0A }, as: UTF8.self)
      throw .inUse(path: folder.path, holder: line.isEmpty ? "another process" : line)
    }
    try converted { () throws(FileError) in
      try lock.truncate(toByteCount: 0)
      try lock.write("process \(getpid()) on \(hostName())\n")
    }
    return lock
  }

  /// Returns whether the bytes of a lock file are a holder's line, as much of it as a loss of power left.
  private static func isOurs(_ holder: [UInt8]) -> Bool {
    let begin = Array("process ".utf8)
    return holder.starts(with: begin) || begin.starts(with: holder)
      || holder.allSatisfy { $0 == 0 }
  }

  /// Locks the folder of the checkpoints, to which a link may lead from two runs.
  private func requireUnused(_ checkpoints: Folder?) throws(RunError) {
    guard let checkpoints, !checkpoints.lock() else { return }
    throw .inUse(path: checkpoints.path, holder: "another run")
  }

  /// Refuses a folder in which our names are taken by files no run of ours left.
  ///
  /// The status is looked for last: a run that begins meanwhile writes it first.
  private static func checkOwnership(
    _ folder: Folder, _ checkpoints: Folder?
  ) throws(RunError) {
    let checkpoints = try checkpointFiles(in: checkpoints).map { "checkpoints/\($0)" }
    let found = try converted { () throws(FileError) -> String? in
      var found = checkpoints.first
      if try folder.contains("metrics.jsonl") { found = "metrics.jsonl" }
      if try folder.contains("config.yaml") { found = "config.yaml" }
      guard found != nil, try !folder.contains("status.json") else { return nil }
      return found
    }
    if let found { throw .foreign(path: folder.path, found: found) }
  }

  /// Removes what writers that were killed left half written.
  private func removeTemporaries() throws(RunError) {
    try converted { () throws(FileError) in
      for name in ["status.json", "config.yaml", "metrics.jsonl"] {
        try folder.remove(temporaryName(for: name))
      }
      guard let checkpoints else { return }
      for name in try checkpoints.names() where isTemporary(name) { try checkpoints.remove(name) }
    }
  }

  /// Removes what an earlier run left: the files we know, nothing else.
  ///
  /// The status goes last: until then the folder is known as ours.
  ///
  /// - Throws: ``RunError/file(_:)`` naming what cannot be removed.
  public func clear() throws(RunError) {
    let names = try Run.checkpointFiles(in: checkpoints)
    try converted { () throws(FileError) in
      for name in names { try checkpoints?.remove(name) }
      for name in ["metrics.jsonl", "config.yaml", "status.json"] { try folder.remove(name) }
    }
    status = nil
  }

  private static func checkpointFiles(in folder: Folder?) throws(RunError) -> [String] {
    guard let folder else { return [] }
    return try converted { () throws(FileError) in
      try folder.names().filter { isCheckpoint($0) || $0 == "best.json" }
    }
  }
}

/// Whether a name in `checkpoints/` is that of a checkpoint: `step-%010d.h5`.
private func isCheckpoint(_ name: String) -> Bool {
  name.hasPrefix("step-") && name.hasSuffix(".h5") && name.utf8.count >= 18
    && name.dropFirst(5).dropLast(3).utf8.allSatisfy { (0x30...0x39).contains($0) }
}

/// Whether a name in `checkpoints/` is that of a file of ours that was being written.
private func isTemporary(_ name: String) -> Bool {
  guard name.hasPrefix("."), name.hasSuffix(".partial") else { return false }
  let final = String(name.dropFirst().dropLast(8))
  return isCheckpoint(final) || final == "best.json"
}

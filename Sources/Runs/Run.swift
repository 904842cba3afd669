// The run directory: its ownership, its lock, and its files.

public import Configuration
public import Files
import Foundation

/// A run directory that this process works in, locked as long as the object lives.
///
/// It holds `config.yaml`, `status.json`, `metrics.jsonl`, `checkpoints/` and the lock, `.lock`. Only
/// the root rank makes one; it has one owner and is not shared between threads.
public final class Run {
  /// The folder, as the user named it.
  public let path: String
  /// The last status written; nil in a new run.
  public private(set) var status: RunStatus?
  /// The folder of the checkpoints; nil before the run is begun.
  public private(set) var checkpoints: Folder?
  /// The folder that all files are written to, even if its path leads elsewhere by now.
  private let folder: Folder
  private let lock: Descriptor
  private let wasMade: Bool

  /// Opens a run directory, making it if it is missing, and locks it.
  ///
  /// - Parameter path: The folder.
  /// - Throws: ``RunError/inUse(path:holder:)`` if a live process works in it,
  ///   ``RunError/foreign(path:found:)`` if files with our names are not ours,
  ///   ``RunError/file(_:)`` naming the file or folder that cannot be written to.
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
    // The last holder may have removed the folder, because nothing was begun in it.
    try requireInPlace()
    try removeTemporaries()
    do throws(RunError) {
      status = try RunStatus.read(in: folder)
    } catch {
      guard case .damaged = error else { throw error }
      // A status cut short by a power failure is useless, but its name shows that the run is ours.
      status = RunStatus(state: .running, kind: "")
    }
  }

  /// Makes the next numbered folder in a folder, and opens it.
  ///
  /// - Parameter folder: The folder, such as `runs`; made if it is missing.
  /// - Returns: The run `<folder>/<n>`, where n is the first free number above the highest one there.
  /// - Throws: ``RunError/file(_:)`` naming the folder that cannot be made.
  public static func next(in folder: String) throws(RunError) -> Run {
    let path = try converted { () throws(FileError) -> String in
      try makeFolder(folder)
      var number = (try numbers(in: folder).last ?? 0) + 1
      // Another process may take the number in the meantime.
      while try !makeNewFolder("\(folder)/\(number)") { number += 1 }
      return "\(folder)/\(number)"
    }
    return try Run(path, wasMade: true)
  }

  /// Opens the newest numbered run of a kind that can be resumed and that no process works on.
  ///
  /// - Parameters:
  ///   - folder: The folder of the runs; need not exist.
  ///   - kind: The kind in the status of the run.
  /// - Returns: The run, or nil without one.
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
        // A status that is not a regular file is not ours; one that the system refuses to read may be.
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

  /// Removes the lock file, and the folder if it was made for this run and is empty, unless the run has begun.
  public func discard() {
    guard status == nil, (try? folder.contains("config.yaml")) == false else { return }
    try? folder.remove(".lock")
    if wasMade, (try? folder.isInPlace()) == true { rmdir(path) }
  }

  /// Throws if the folder of the run or of its checkpoints was removed, moved or replaced.
  ///
  /// The run still holds its files in that folder; but no one would find them at its path, and another run may
  /// begin there.
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
  /// The path of the status.
  public var statusPath: String { path + "/status.json" }

  /// Returns the configuration that the run was begun with, or nil in a new run.
  ///
  /// - Throws: ``RunError/damaged(path:found:expected:)`` if it cannot be parsed, ``RunError/file(_:)`` if
  ///   it cannot be read.
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
  ///   - configuration: The configuration from now on.
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
      // The status comes first: it distinguishes a run of ours from foreign files.
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

  /// Replaces the status and fills in time, process and host.
  ///
  /// - Parameters:
  ///   - status: The new status.
  ///   - isDurable: True if it must survive a power failure, as when the state changes.
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

  /// Changes a status of `running` to `stopped`, with a reason.
  ///
  /// Errors are ignored: the failure that leads here has been reported already.
  public func noteStopped(_ message: String) {
    // The file counts, not the property: a later update may have failed.
    guard var status = try? RunStatus.read(in: folder), status.state == .running else { return }
    status.state = .stopped
    status.message = message
    try? update(status, isDurable: true)
  }

  /// Opens `metrics.jsonl` to append to it.
  ///
  /// - Parameter step: The step of the checkpoint to resume from, 0 in a new run; later records are cut
  ///   off.
  /// - Returns: The writer, after the last kept record.
  /// - Throws: ``RunError/file(_:)``.
  public func metrics(after step: Int) throws(RunError) -> MetricsWriter {
    try MetricsWriter(in: folder, after: step)
  }
}

// Ownership of the folder and its files.
extension Run {
  /// Locks the lock file, and the folder if possible, because a lock file can be removed during a run.
  private static func lock(_ folder: Folder) throws(RunError) -> Descriptor {
    let lock: Descriptor
    let isFree: Bool
    do throws(FileError) {
      lock = try folder.open(".lock", .append)
      isFree = try lock.lock()
    } catch {
      // A foreign file of that name is named; otherwise the error names the folder, which the user knows.
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

  /// Returns whether the bytes of a lock file are a holder's line, perhaps cut short by a power failure.
  private static func isOurs(_ holder: [UInt8]) -> Bool {
    let begin = Array("process ".utf8)
    return holder.starts(with: begin) || begin.starts(with: holder)
      || holder.allSatisfy { $0 == 0 }
  }

  /// Locks the folder of the checkpoints, which two runs may share through links.
  private func requireUnused(_ checkpoints: Folder?) throws(RunError) {
    guard let checkpoints, !checkpoints.lock() else { return }
    throw .inUse(path: checkpoints.path, holder: "another run")
  }

  /// Refuses a folder in which foreign files have our names.
  ///
  /// It checks for the status last, because a run that begins meanwhile writes it first.
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

  /// Removes the temporary files of killed writers.
  private func removeTemporaries() throws(RunError) {
    try converted { () throws(FileError) in
      for name in ["status.json", "config.yaml", "metrics.jsonl"] {
        try folder.remove(temporaryName(for: name))
      }
      guard let checkpoints else { return }
      for name in try checkpoints.names() where isTemporary(name) { try checkpoints.remove(name) }
    }
  }

  /// Removes the files of an earlier run, by our own names only.
  ///
  /// The status goes last: it marks the folder as ours until then.
  ///
  /// - Throws: ``RunError/file(_:)`` naming the file that cannot be removed.
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

/// Returns whether a name in `checkpoints/` is that of a checkpoint, `step-%010d.h5`.
private func isCheckpoint(_ name: String) -> Bool {
  name.hasPrefix("step-") && name.hasSuffix(".h5") && name.utf8.count >= 18
    && name.dropFirst(5).dropLast(3).utf8.allSatisfy { (0x30...0x39).contains($0) }
}

/// Returns whether a name in `checkpoints/` is that of one of our temporary files.
private func isTemporary(_ name: String) -> Bool {
  guard name.hasPrefix("."), name.hasSuffix(".partial") else { return false }
  let final = String(name.dropFirst().dropLast(8))
  return isCheckpoint(final) || final == "best.json"
}

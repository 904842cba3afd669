// The run directory: who may work in it, and the files it holds.

public import Configuration
import Files
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
  private let lock: Descriptor

  /// Opens a run directory, making it if it is missing, and locks it.
  ///
  /// - Parameter path: The folder.
  /// - Throws: ``RunError/inUse(path:holder:)`` if a living process works in it,
  ///   ``RunError/foreign(path:found:)`` if files by our names are not ours,
  ///   ``RunError/file(_:)`` naming what cannot be written to.
  public init(_ path: String) throws(RunError) {
    self.path = path
    try Run.checkOwnership(path)
    try converted { () throws(FileError) in try makeFolder(path) }
    lock = try Run.lock(path)
    try removeTemporaries()
    do throws(RunError) {
      status = try RunStatus.read(statusPath)
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
    return try Run(path)
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
        guard let status = try RunStatus.read(path + "/status.json"), status.kind == kind,
          status.isUnfinished
        else { continue }
        return try Run(path)
      } catch {
        switch error {
        case .inUse, .damaged, .foreign: continue
        case .file: throw error
        }
      }
    }
    return nil
  }

  private static func numbers(in folder: String) throws(FileError) -> [Int] {
    try names(in: folder).compactMap { name in
      Int(name).flatMap { $0 > 0 && String($0) == name ? $0 : nil }
    }.sorted()
  }

  /// Removes the folder if nothing was begun in it and nothing else is there.
  public func discard() {
    guard status == nil, !exists(configurationPath) else { return }
    unlink(path + "/.lock")
    rmdir(path)
  }

  /// The folder of the checkpoints.
  public var checkpointsPath: String { path + "/checkpoints" }
  /// The resolved configuration.
  public var configurationPath: String { path + "/config.yaml" }
  /// The records of steps and evaluations.
  public var metricsPath: String { path + "/metrics.jsonl" }
  /// How far the run is.
  public var statusPath: String { path + "/status.json" }

  /// The configuration the run was begun with, or nothing in a new run.
  ///
  /// - Throws: ``RunError/damaged(path:found:expected:)`` if it does not read.
  public func begunConfiguration() throws(RunError) -> ResolvedConfiguration? {
    guard exists(configurationPath) else { return nil }
    let path = configurationPath
    let bytes = try converted { () throws(FileError) in try readFile(path, limit: 1 << 20) }
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
  /// - Throws: ``RunError/file(_:)``.
  public func begin(
    kind: String, configuration: ResolvedConfiguration
  ) throws(RunError) {
    var status = status ?? RunStatus(state: .running, kind: kind)
    status.state = .running
    status.kind = kind
    status.message = nil
    // The status comes first: it is what tells a run of ours from a stranger's files.
    try update(status, isDurable: true)
    try converted { () throws(FileError) in
      try makeFolder(checkpointsPath)
      try replaceFile(at: configurationPath, with: configuration.yaml)
    }
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
      try replaceFile(at: statusPath, with: status.json, isDurable: isDurable)
    }
    self.status = status
  }

  /// Opens the record of steps to be gone on with.
  ///
  /// - Parameter step: The step of the checkpoint the run goes on from: records after it are cut
  ///   off. 0 in a new run.
  /// - Returns: The writer, at the end of what is kept.
  /// - Throws: ``RunError/file(_:)``.
  public func metrics(after step: Int) throws(RunError) -> MetricsWriter {
    try MetricsWriter(metricsPath, after: step)
  }
}

// What is ours in the folder.
extension Run {
  private static func lock(_ path: String) throws(RunError) -> Descriptor {
    let lockPath = path + "/.lock"
    let lock: Descriptor
    let isFree: Bool
    do throws(FileError) {
      lock = try Descriptor(lockPath, .append)
      isFree = try lock.lock()
    } catch {
      // The folder is what the user named; the lock is our affair.
      let isOurs = error.code == ENOLCK || error.code == ENOSYS || error.code == ENOTSUP
      let expected = isOurs ? "a file system with locks" : "a folder that can be written to"
      throw .file(FileError(path, expected: expected, code: error.code))
    }
    guard isFree else {
      let holder = (try? readFile(lockPath, limit: 1 << 12)).map {
        String(decoding: $0, as: UTF8.self)
      }
      let line = holder?.split(separator: "\n").first.map(String.init)
      throw .inUse(path: path, holder: line ?? "another process")
    }
    try converted { () throws(FileError) in
      try lock.truncate(toByteCount: 0)
      let line = Array("process \(getpid()) on \(hostName())\n".utf8)
      try line.withUnsafeBufferPointer { (bytes) throws(FileError) in
        try lock.write(UnsafeRawBufferPointer(bytes))
      }
    }
    return lock
  }

  /// Refuses a folder in which our names are taken by files no run of ours left.
  ///
  /// The status is looked for last: a run that begins meanwhile writes it first.
  private static func checkOwnership(_ path: String) throws(RunError) {
    guard isFolder(path) else { return }
    var found = ["config.yaml", "metrics.jsonl"].filter { exists("\(path)/\($0)") }
    found += try checkpointFiles(in: path + "/checkpoints").map { "checkpoints/\($0)" }
    if let name = found.first, !exists(path + "/status.json") {
      throw .foreign(path: path, found: name)
    }
  }

  /// Removes what writers that were killed left half written.
  private func removeTemporaries() throws(RunError) {
    try converted { () throws(FileError) in
      for name in ["status.json", "config.yaml"] {
        try removeFile(temporaryPath(for: "\(path)/\(name)"))
      }
      for name in try names(in: checkpointsPath) where isTemporary(name) {
        try removeFile("\(checkpointsPath)/\(name)")
      }
    }
  }

  /// Removes what an earlier run left: the files we know, nothing else.
  ///
  /// The status goes last: until then the folder is known as ours.
  ///
  /// - Throws: ``RunError/file(_:)`` naming what cannot be removed.
  public func clear() throws(RunError) {
    let checkpoints = try Run.checkpointFiles(in: checkpointsPath)
    try converted { () throws(FileError) in
      for name in checkpoints { try removeFile("\(checkpointsPath)/\(name)") }
      try removeFile(metricsPath)
      try removeFile(configurationPath)
      try removeFile(statusPath)
    }
    status = nil
  }

  private static func checkpointFiles(in folder: String) throws(RunError) -> [String] {
    try converted { () throws(FileError) in
      try names(in: folder).filter { isCheckpoint($0) || $0 == "best.json" }
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

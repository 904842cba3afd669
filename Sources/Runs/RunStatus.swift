// `status.json`: how far a run is and who is working on it.

import Files
import Foundation

/// How far a run is and who is, or was last, working on it.
public struct RunStatus: Hashable, Sendable {
  /// What a run is doing.
  public enum State: String, Sendable {
    /// A process works on it, or was killed while it did.
    case running
    /// It was stopped and can go on.
    case stopped
    /// It ended in a way that going on would repeat, such as a loss that is not a number.
    case failed
    /// It did all its epochs.
    case finished
  }

  /// What it is doing.
  public var state: State
  /// What kind of run it is, chosen by who began it; only runs of one kind are mixed up.
  public var kind: String
  /// The steps done.
  public var step = 0
  /// The epochs done.
  public var epoch = 0
  /// The loss last reported.
  public var loss: Double?
  /// A line about why it ended.
  public var message: String?
  /// When the run began, in UTC, such as `2026-03-01T12:00:00Z`.
  public internal(set) var started = ""
  /// When this was written.
  public internal(set) var updated = ""
  /// The process that wrote it.
  public internal(set) var process = 0
  /// The host it ran on.
  public internal(set) var host = ""

  /// Creates the status of a run.
  public init(state: State, kind: String) {
    self.state = state
    self.kind = kind
  }

  /// Whether going on makes sense.
  public var isUnfinished: Bool { state == .running || state == .stopped }

  /// One object over several lines, for people too.
  var json: String {
    let fields: [(key: String, value: JSONValue)] = [
      ("state", .string(state.rawValue)), ("kind", .string(kind)), ("step", .integer(step)),
      ("epoch", .integer(epoch)), ("loss", loss.map { .double($0) } ?? .null),
      ("message", message.map { .string($0) } ?? .null), ("started", .string(started)),
      ("updated", .string(updated)), ("pid", .integer(process)), ("host", .string(host)),
    ]
    let lines = fields.map { "  \(JSONValue.string($0.key).text): \($0.value.text)" }
    return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
  }

  /// Reads the status of a run directory.
  ///
  /// - Parameter path: The path of the folder.
  /// - Returns: The status, or nothing if there is no such folder or no status in it.
  /// - Throws: ``RunError/damaged(path:found:expected:)`` if it is no status of ours,
  ///   ``RunError/file(_:)``.
  public static func read(inFolder path: String) throws(RunError) -> RunStatus? {
    let folder = try converted { () throws(FileError) in try Folder.existing(at: path) }
    guard let folder else { return nil }
    return try read(in: folder)
  }

  static func read(in folder: Folder) throws(RunError) -> RunStatus? {
    let path = folder.path + "/status.json"
    guard
      let bytes = try converted({ () throws(FileError) in
        try folder.read("status.json", limit: 1 << 20)
      })
    else { return nil }
    guard
      let object = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any],
      let state = (object["state"] as? String).flatMap(State.init(rawValue:)),
      let kind = object["kind"] as? String
    else {
      throw .damaged(
        path: path, found: "\(bytes.count) bytes that are no status", expected: "a run's status")
    }
    var status = RunStatus(state: state, kind: kind)
    status.step = object["step"] as? Int ?? 0
    status.epoch = object["epoch"] as? Int ?? 0
    status.loss = object["loss"] as? Double
    status.message = object["message"] as? String
    status.started = object["started"] as? String ?? ""
    status.updated = object["updated"] as? String ?? ""
    status.process = object["pid"] as? Int ?? 0
    status.host = object["host"] as? String ?? ""
    return status
  }
}

/// The time in UTC to the second, such as 2026-11-26T09:30:00Z.
///
/// By the C library: Foundation's formatters load data of all languages first, which takes the start of a run
/// 5 ms, and most of a second where they are not in memory yet.
func timestamp() -> String {
  var seconds = time(nil)
  var parts = tm()
  var text = [CChar](repeating: 0, count: 32)
  guard gmtime_r(&seconds, &parts) != nil,
    strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0
  else { return "" }
  return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// The name of this host.
func hostName() -> String {
  var bytes = [CChar](repeating: 0, count: 256)
  guard gethostname(&bytes, bytes.count - 1) == 0 else { return "unknown host" }
  return String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

// `status.json`: the progress of a run and the process that works on it.

import Files
import Foundation

/// The progress of a run and the process that works, or last worked, on it.
public struct RunStatus: Hashable, Sendable {
  /// The state of a run.
  public enum State: String, Sendable {
    /// A process is working on it, or was killed while doing so.
    case running
    /// It was stopped and can be resumed.
    case stopped
    /// It failed in a way that would repeat after resuming, such as a loss that is not a number.
    case failed
    /// It did all its epochs.
    case finished
  }

  /// The state.
  public var state: State
  /// The kind of the run, chosen by the code that began it; only a run of the same kind is resumed unasked.
  public var kind: String
  /// The number of steps done.
  public var step = 0
  /// The number of epochs done.
  public var epoch = 0
  /// The last reported loss.
  public var loss: Double?
  /// One line with the reason of its end.
  public var message: String?
  /// The time in UTC when the run began, such as `2026-03-01T12:00:00Z`.
  public internal(set) var started = ""
  /// The time in UTC of this status.
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

  /// Indicates whether the run can be resumed.
  public var isUnfinished: Bool { state == .running || state == .stopped }

  /// The status as one JSON object over several lines, readable for people too.
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
  /// - Returns: The status, or nil if the folder or its status does not exist.
  /// - Throws: ``RunError/damaged(path:found:expected:)`` if the file is not such a status,
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

/// Returns the time in UTC to the second, such as 2026-11-26T09:30:00Z.
///
/// Uses the C library: Foundation's formatters first load data of all languages, which delays the start of a
/// run by 5 ms, or by most of a second if they are not in memory yet.
func timestamp() -> String {
  var seconds = time(nil)
  var parts = tm()
  var text = [CChar](repeating: 0, count: 32)
  guard gmtime_r(&seconds, &parts) != nil,
    strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0
  else { return "" }
  return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// Returns the name of this host.
func hostName() -> String {
  var bytes = [CChar](repeating: 0, count: 256)
  guard gethostname(&bytes, bytes.count - 1) == 0 else { return "unknown host" }
  return String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}

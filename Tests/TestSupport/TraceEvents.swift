// What a file in the Trace Event Format says.

import Foundation

/// The complete events of a trace.
public struct TraceEvents {
  /// One stretch of time.
  public struct Event: Sendable {
    /// The name of the event.
    public let name: String
    /// The category of the event.
    public let category: String
    /// The start and the duration, in microseconds.
    public let start: Double, duration: Double
    /// The process and the thread that it belongs to.
    public let process: Int, thread: Int
  }

  /// The events with a beginning and an end, in the order of the file.
  public let complete: [Event]

  /// Reads a file.
  ///
  /// - Throws: An error of Foundation for what is no JSON; ``TraceError`` for an event that lacks something.
  public init(_ path: String) throws {
    let json = try JSONSerialization.jsonObject(
      with: try Data(contentsOf: URL(fileURLWithPath: path)))
    guard let object = json as? [String: Any],
      let events = object["traceEvents"] as? [[String: Any]]
    else { throw TraceError(event: "traceEvents") }
    complete = try events.filter { $0["ph"] as? String == "X" }.map { event in
      guard let name = event["name"] as? String, let category = event["cat"] as? String,
        let start = event["ts"] as? Double, let duration = event["dur"] as? Double,
        let process = event["pid"] as? Int, let thread = event["tid"] as? Int
      else { throw TraceError(event: "\(event)") }
      return Event(
        name: name, category: category, start: start, duration: duration, process: process,
        thread: thread)
    }
  }
}

/// An event that lacks something.
public struct TraceError: Error {
  /// The text of the event.
  public let event: String
}

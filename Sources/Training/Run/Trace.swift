// The activities of the workers of all ranks, as a file for chrome://tracing or Perfetto.

package import Communication
package import DataParallel
import Files
import Glibc
import Runs

/// A request for a trace of the first steps of a run.
public struct TraceRequest: Hashable, Sendable {
  /// The file.
  public let path: String
  /// The number of steps.
  public let stepCount: Int

  /// Asks for `stepCount` steps in the file `path`.
  public init(path: String, stepCount: Int) {
    self.path = path
    self.stepCount = stepCount
  }

  /// The most events recorded of a worker; about 8 MB of the file.
  static let eventCount = 1 << 16

  /// Throws `FileError` if there is no folder for the file.
  package func validate() throws {
    guard isFolder(folder(of: path)), !isFolder(path) else {
      throw FileError(
        path, expected: "the path of a file in a folder that is there",
        code: isFolder(path) ? EISDIR : ENOENT)
    }
    // A name given by mistake, such as that of the data, must not cost what is there.
    var status = stat()
    guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0 else {
      return
    }
    var start = [UInt8](repeating: 0, count: TraceRequest.start.utf8.count)
    let file = try Descriptor(path, .read)
    let count = try start.withUnsafeMutableBytes { (bytes) throws(FileError) in
      try file.read(into: bytes)
    }
    guard start[..<count].elementsEqual(TraceRequest.start.utf8) else {
      throw FileError(path, expected: "a new file, or an older trace to replace", code: EEXIST)
    }
  }

  /// The first characters of every trace.
  static let start = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":["
}

/// Writes the recorded activities of the workers of all ranks, as JSON in the Trace Event Format.
///
/// One complete event (`"ph":"X"`) for each phase, each call of a plan and each step; times in microseconds
/// since the first of them. A process of the file is a rank, a thread a worker. If a worker had no room for more,
/// its last event says so.
///
/// Collective; root writes the file at once or not at all.
///
/// - Parameters:
///   - engine: The engine that recorded them.
///   - path: The file.
///   - communicator: The ranks.
/// - Throws: `FileError` as an agreed failure; `CommunicationError`.
package func writeTrace(
  of engine: StepEngine, to path: String, communicator: any Communicator
) throws(CommunicationError) {
  let epoch = Timeline.epoch
  var first = [
    engine.timelines.map { $0.count == 0 ? Int64.max : $0[0].start &+ epoch }.min() ?? .max
  ]
  try communicator.allreduce(&first, .min)
  let lists = engine.callLists
  var lines = [
    metadata(
      "process_name", rank: communicator.rank, worker: 0,
      [
        ("name", .string("rank \(communicator.rank) on \(communicator.placement.hostName)"))
      ])
  ]
  for (worker, timeline) in engine.timelines.enumerated() {
    lines.append(
      metadata(
        "thread_name", rank: communicator.rank, worker: worker,
        [("name", .string("worker \(worker)"))]))
    for index in 0..<timeline.count {
      let event = timeline[index]
      let (name, category) = describe(event.activity, lists[worker])
      lines.append(
        jsonObject([
          ("name", .string(name)), ("cat", .string(category)), ("ph", "X"),
          ("ts", microseconds(event.start &+ epoch &- first[0])),
          ("dur", microseconds(event.end &- event.start)),
          ("pid", .integer(communicator.rank)), ("tid", .integer(worker)),
        ]))
    }
    if timeline.count == timeline.capacity, timeline.count > 0 {
      let end = timeline[timeline.count - 1].end
      lines.append(
        jsonObject([
          ("name", "no room for more"), ("ph", "i"), ("s", "t"),
          ("ts", microseconds(end &+ epoch &- first[0])), ("pid", .integer(communicator.rank)),
          ("tid", .integer(worker)),
        ]))
    }
  }
  let parts = try communicator.allgather(Array(lines.joined(separator: ",\n").utf8))
  try communicator.agreeingOnFailure {
    guard communicator.isRoot else { return }
    let events = parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",\n")
    let text = "\(TraceRequest.start)\n\(events)\n]}\n"
    try replaceFile(at: path, with: Array(text.utf8))
  }
}

private func describe(
  _ activity: Timeline.Activity, _ lists: [CallList]
) -> (name: String, category: String) {
  switch activity {
  case .phase(let phase): (phase.word, "phase")
  case .call(let call, let list):
    (
      lists[Int(list)].labels[Int(call)],
      Int(call) < lists[Int(list)].forwardCount ? "forward" : "backward"
    )
  case .step(let step): ("step \(step)", "step")
  }
}

private func metadata(
  _ name: String, rank: Int, worker: Int, _ arguments: [(key: String, value: JSONValue)]
) -> String {
  "{\"name\":\"\(name)\",\"ph\":\"M\",\"pid\":\(rank),\"tid\":\(worker),\"args\":\(jsonObject(arguments))}"
}

private func microseconds(_ nanoseconds: Int64) -> JSONValue { .double(Double(nanoseconds) / 1000) }

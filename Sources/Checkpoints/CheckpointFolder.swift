// The checkpoints of one run: writing, listing and thinning them out, and finding the newest good one.

public import Files
import Glibc

/// The folder of a run's checkpoints, `step-%010d.h5`, and of `best.json`, which names the best one.
///
/// Only the process that holds the run's lock writes and removes; any process may list and read. Opening the
/// run again removes the half-written file of a killed writer.
public final class CheckpointFolder {
  /// One checkpoint in the folder.
  public struct Entry: Hashable, Sendable {
    /// The step in its name.
    public let step: Int
    /// The file.
    public let path: String
  }

  /// The best checkpoint so far, in the judgement of the caller.
  public struct Best: Hashable, Sendable {
    /// Its step.
    public let step: Int
    /// Its score, such as an accuracy.
    public let score: Double

    /// Names a step and its score.
    public init(step: Int, score: Double) {
      self.step = step
      self.score = score
    }
  }

  private let folder: Folder
  /// The steps whose checkpoints this process has written or verified.
  private var goodSteps: Set<Int> = []

  /// Uses an open folder.
  public init(_ folder: Folder) { self.folder = folder }

  /// Opens a folder.
  ///
  /// - Throws: ``CheckpointError/file(_:)`` with the system's reason.
  public convenience init(_ path: String) throws(CheckpointError) {
    self.init(try files { () throws(FileError) in try Folder(path) })
  }

  /// The path of the folder.
  public var path: String { folder.path }

  /// Returns the checkpoints, the oldest step first.
  ///
  /// - Throws: ``CheckpointError/file(_:)`` if the folder cannot be read.
  public func entries() throws(CheckpointError) -> [Entry] {
    try files { () throws(FileError) in try folder.names() }.compactMap { name in
      step(of: name).map { Entry(step: $0, path: "\(path)/\(name)") }
    }.sorted { $0.step < $1.step }
  }

  /// Writes the checkpoint of the step in its record.
  ///
  /// - Parameter content: Its contents.
  /// - Returns: Its entry.
  /// - Throws: ``CheckpointError``; the folder is then as it was.
  public func write(_ content: CheckpointContent) throws(CheckpointError) -> Entry {
    let step = content.record.step
    try content.write(name(ofStep: step), in: folder)
    goodSteps.insert(step)
    return Entry(step: step, path: "\(path)/\(name(ofStep: step))")
  }

  /// Opens the newest checkpoint whose bytes are as they were written.
  ///
  /// - Returns: The checkpoint, or nil if none is good, and the errors of newer ones.
  /// - Throws: ``CheckpointError/file(_:)`` if the folder cannot be read, or if this process lacks the
  ///   descriptors or the memory to read a file.
  /// - Complexity: O(bytes) of the checkpoints that are opened.
  public func newestGood() throws(CheckpointError) -> (
    checkpoint: Checkpoint?, skipped: [CheckpointError]
  ) {
    var skipped: [CheckpointError] = []
    for entry in try entries().reversed() {
      do throws(CheckpointError) {
        let checkpoint = try Checkpoint(entry.path, mustBeVerified: true)
        goodSteps.insert(entry.step)
        return (checkpoint, skipped)
      } catch {
        if error.isShortage { throw error }
        skipped.append(error)
      }
    }
    return (nil, skipped)
  }

  /// Records the best checkpoint in `best.json`, for ``retain(newest:isBestKept:)`` and for evaluations.
  ///
  /// - Parameter best: A checkpoint in the folder, with a finite score.
  /// - Throws: ``CheckpointError/file(_:)``.
  public func note(_ best: Best) throws(CheckpointError) {
    precondition(best.score.isFinite, "a best checkpoint of score \(best.score)")
    let text = "{\"step\":\(best.step),\"score\":\(best.score)}\n"
    try files { () throws(FileError) in try folder.replace("best.json", with: text) }
  }

  /// Returns the recorded best checkpoint, or nil if it no longer exists.
  ///
  /// A foreign or damaged `best.json` counts as none; the newest checkpoints are kept anyway.
  ///
  /// - Throws: ``CheckpointError/file(_:)`` if `best.json` cannot be read.
  public func best() throws(CheckpointError) -> Best? {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try folder.read("best.json", limit: 1 << 10) ?? []
    } catch {
      // Ours is a regular file, and short.
      if error.code == 0 || error.code == EISDIR || error.code == EFBIG { return nil }
      throw .file(error)
    }
    let text = String(decoding: bytes, as: UTF8.self)
    guard let match = text.wholeMatch(of: /\{"step":([0-9]+),"score":([-+0-9.e]+)\}\n/),
      let step = Int(match.1), let score = Double(match.2), step >= 0
    else { return nil }
    let isThere = try files { () throws(FileError) in try folder.contains(name(ofStep: step)) }
    return isThere ? Best(step: step, score: score) : nil
  }

  /// Removes old checkpoints.
  ///
  /// It keeps `count` checkpoints up to the newest good one, and the best one. Those after the newest good one
  /// stay too: they are damaged, and written anew when the run reaches their steps again.
  ///
  /// - Parameters:
  ///   - count: The number of checkpoints to keep, 1 or more.
  ///   - isBestKept: True to keep the recorded best one besides.
  /// - Returns: The removed checkpoints.
  /// - Throws: ``CheckpointError/file(_:)``.
  /// - Complexity: no checkpoint is read if this process wrote the newest.
  @discardableResult
  public func retain(newest count: Int, isBestKept: Bool) throws(CheckpointError) -> [Entry] {
    precondition(count >= 1, "\(count) checkpoints to keep")
    let entries = try entries()
    guard let newestGood = entries.last(where: isGood) else { return [] }
    let best = isBestKept ? try best()?.step : nil
    let removed = entries.filter { $0.step <= newestGood.step }.dropLast(count)
      .filter { $0.step != best }
    for entry in removed {
      try files { () throws(FileError) in try folder.remove(name(ofStep: entry.step)) }
    }
    return removed
  }

  private func isGood(_ entry: Entry) -> Bool {
    if goodSteps.contains(entry.step) { return true }
    guard (try? Envelope.verify(entry.path)) == true else { return false }
    goodSteps.insert(entry.step)
    return true
  }
}

/// Returns the file name of a step's checkpoint: ten digits, more if the step has more.
private func name(ofStep step: Int) -> String {
  precondition(step >= 0, "a checkpoint of step \(step)")
  let digits = String(step)
  return "step-" + String(repeating: "0", count: max(0, 10 - digits.count)) + digits + ".h5"
}

/// Returns the step of a file name that ``name(ofStep:)`` gives, or nil for any other name.
private func step(of name: String) -> Int? {
  guard name.hasPrefix("step-"), name.hasSuffix(".h5"),
    let step = Int(name.dropFirst(5).dropLast(3)),
    step >= 0
  else { return nil }
  return Checkpoints.name(ofStep: step) == name ? step : nil
}

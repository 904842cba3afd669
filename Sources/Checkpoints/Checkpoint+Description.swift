// The description of a checkpoint, for `nndist checkpoint info`.

import HDF5
import Tensors

extension Checkpoint {
  /// Describes the contents of the checkpoint, over several lines.
  ///
  /// - Throws: ``CheckpointError`` if the record of the run cannot be read.
  public func summary() throws(CheckpointError) -> String {
    var text = "\(path): \(isVerified ? "verified" : "unverified, not written by a run")\n"
    for group in groups {
      let prefix = group + "/"
      let mine = arrays.filter { $0.path.hasPrefix(prefix) }
      let count = mine.reduce(0) { $0 + $1.shape.count }
      text += "\(group): \(counted(mine.count, "array")), \(counted(count, "number"))\n"
      let width = mine.map { $0.path.count - prefix.count }.max() ?? 0
      for array in mine {
        let name = String(array.path.dropFirst(prefix.count))
        let padding = String(repeating: " ", count: width - name.count)
        text += "  \(name)\(padding)  \(array.typeName) \(array.shape)\n"
      }
    }
    guard isVerified || hasRecord else { return text }
    let record = try record()
    text += "run: step \(record.step), epoch \(record.epoch), position \(record.position), "
    text += "seed \(record.seed)\n"
    for (name, value) in record.state.sorted(by: { $0.key < $1.key }) {
      text += "  \(name): \(value)\n"
    }
    for (title, texts) in [("data", record.data), ("versions", record.versions)] {
      for (name, value) in texts.sorted(by: { $0.key < $1.key }) {
        text += "  \(title) \(name): \(value)\n"
      }
    }
    if !record.configuration.isEmpty {
      text += "configuration:\n"
      for line in record.configuration.split(separator: "\n") { text += "  \(line)\n" }
    }
    return text
  }

  /// The groups that hold arrays; each slot of the optimiser is a group.
  private var groups: [String] {
    var groups: [String] = []
    for array in arrays {
      let parts = array.path.split(separator: "/")
      let depth = parts.first == "optimizer" ? 2 : 1
      let group = parts.prefix(min(depth, max(parts.count - 1, 1))).joined(separator: "/")
      if groups.last != group { groups.append(group) }
    }
    return groups
  }
}

extension RunRecord.Value: CustomStringConvertible {
  /// The value as text.
  public var description: String {
    switch self {
    case .integer(let integer): String(integer)
    case .number(let number): number.description
    case .text(let text): text
    case .numbers(let numbers): numbers.description
    }
  }
}

private func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

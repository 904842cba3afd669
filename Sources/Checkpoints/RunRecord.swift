// `/run`: the record of the run in a checkpoint, as attributes that h5dump and h5py show.

import HDF5

/// The position of a checkpoint in its run, and the settings of the run.
///
/// It holds nothing that depends on time, ranks or workers: equal runs write equal files.
public struct RunRecord: Hashable, Sendable {
  /// A value of the state of schedules and early stopping; floats keep every bit.
  public enum Value: Hashable, Sendable {
    /// A whole number.
    case integer(Int)
    /// A number.
    case number(Double)
    /// Text without zero bytes.
    case text(String)
    /// A list of numbers.
    case numbers([Double])
  }

  /// The number of steps done.
  public var step = 0
  /// The number of epochs done.
  public var epoch = 0
  /// The number of rows of the current epoch that are done.
  public var position = 0
  /// The seed.
  public var seed: UInt64 = 0
  /// The resolved configuration, YAML.
  public var configuration = ""
  /// The state that schedules and early stopping carry from step to step, by name.
  public var state: [String: Value] = [:]
  /// Digests of the data, by split.
  public var data: [String: String] = [:]
  /// Versions of the program and its libraries, by name.
  public var versions: [String: String] = [:]

  /// Creates the record of a run that has not begun.
  public init() {}
}

extension RunRecord {
  /// The maximum size of a piece of the configuration in one attribute; libhdf5 allows 64 KiB.
  private static let pieceByteCount = 48 << 10

  func write(to file: HDF5File) throws(HDF5Error) {
    try file.createGroup("/run")
    try file.setAttribute("step", of: "/run", to: .integer(Int64(step)))
    try file.setAttribute("epoch", of: "/run", to: .integer(Int64(epoch)))
    try file.setAttribute("position", of: "/run", to: .integer(Int64(position)))
    try file.setAttribute("seed", of: "/run", to: .unsigned(seed))
    for (index, piece) in pieces(of: configuration).enumerated() {
      try file.setAttribute(RunRecord.pieceName(index), of: "/run", to: .string(piece))
    }
    try file.createGroup("/run/state")
    for (name, value) in state.sorted(by: { $0.key < $1.key }) {
      let attribute: HDF5Attribute =
        switch value {
        case .integer(let integer): .integer(Int64(integer))
        case .number(let number): .double(number)
        case .text(let text): .string(text)
        case .numbers(let numbers): .doubles(numbers)
        }
      try file.setAttribute(name, of: "/run/state", to: attribute)
    }
    for (group, texts) in [("data", data), ("versions", versions)] {
      try file.createGroup("/run/\(group)")
      for (name, text) in texts.sorted(by: { $0.key < $1.key }) {
        try file.setAttribute(name, of: "/run/\(group)", to: .string(text))
      }
    }
  }

  /// Reads the record of a file.
  ///
  /// - Throws: ``CheckpointError/damaged(path:found:expected:)`` naming the missing attribute or group.
  init(of file: HDF5File) throws(CheckpointError) {
    let isThere = try hdf5 { () throws(HDF5Error) in try file.kind(of: "/run") == .group }
    guard isThere else {
      throw .damaged(path: file.name, found: "no group '/run'", expected: "the record of a run")
    }
    step = try RunRecord.integer("step", file)
    epoch = try RunRecord.integer("epoch", file)
    position = try RunRecord.integer("position", file)
    seed = try RunRecord.attribute("seed", file) { $0.unsignedValue }
    configuration = try RunRecord.attribute("configuration", file) { $0.stringValue }
    do throws(HDF5Error) {
      var index = 1
      while let piece = try file.attribute(RunRecord.pieceName(index), of: "/run")?.stringValue {
        configuration += piece
        index += 1
      }
      for name in try RunRecord.names("/run/state", file) {
        state[name] = try file.attribute(name, of: "/run/state").flatMap(Value.init)
      }
      for name in try RunRecord.names("/run/data", file) {
        data[name] = try file.attribute(name, of: "/run/data")?.stringValue
      }
      for name in try RunRecord.names("/run/versions", file) {
        versions[name] = try file.attribute(name, of: "/run/versions")?.stringValue
      }
    } catch {
      throw .hdf5(error)
    }
  }

  private static func names(_ group: String, _ file: HDF5File) throws(HDF5Error) -> [String] {
    try file.kind(of: group) == .group ? file.attributeNames(of: group) : []
  }

  private static func integer(_ name: String, _ file: HDF5File) throws(CheckpointError) -> Int {
    try attribute(name, file) { $0.integerValue }
  }

  private static func attribute<Result>(
    _ name: String, _ file: HDF5File, _ convert: (HDF5Attribute) -> Result?
  ) throws(CheckpointError) -> Result {
    let value = try hdf5 { () throws(HDF5Error) in try file.attribute(name, of: "/run") }
    guard let result = value.flatMap(convert) else {
      throw .damaged(
        path: file.name, found: "no usable attribute '\(name)' of '/run'",
        expected: "the record of a run")
    }
    return result
  }

  private static func pieceName(_ index: Int) -> String {
    index == 0 ? "configuration" : "configuration_\(index + 1)"
  }

  /// Returns the text in pieces that fit an attribute, cut between Unicode scalars; at least one.
  private func pieces(of text: String) -> [String] {
    var pieces = [""]
    var byteCount = 0
    for scalar in text.unicodeScalars {
      let width = UTF8.width(scalar)
      if byteCount + width > RunRecord.pieceByteCount {
        pieces.append("")
        byteCount = 0
      }
      pieces[pieces.count - 1].unicodeScalars.append(scalar)
      byteCount += width
    }
    return pieces
  }
}

extension RunRecord.Value {
  fileprivate init?(_ attribute: HDF5Attribute) {
    switch attribute {
    case .integer(let integer): self = .integer(Int(integer))
    case .double(let number): self = .number(number)
    case .string(let text): self = .text(text)
    case .doubles(let numbers): self = .numbers(numbers)
    case .strings, .integers, .unsigned: return nil
    }
  }
}

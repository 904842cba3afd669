// An open data file and its rows by index.

internal import Digests
internal import HDF5
public import Tensors

/// One split of a data set: samples and, for training, the target of each.
///
/// The file is HDF5 with an array `samples` of `[row, ...]` and `labels` of `[row]` or `responses`
/// of `[row, response]`, or with other known names. A value is `scale · raw + bias`, computed in
/// `Float`; images stored as `hwc` are returned as `chw`. The bits of rows do not depend on whether the
/// split is kept in memory.
///
/// Any thread may read rows; reading rows in memory neither allocates nor locks.
public final class Dataset: Sendable {
  /// The names of arrays, the interpretation of samples, and the limit on memory.
  public struct Options: Hashable, Sendable {
    /// The path of the samples inside the file, instead of the known names.
    public var samples: String?
    /// The path of the targets inside the file, instead of the known names.
    public var targets: String?
    /// The kind of the targets; by default their name decides, then their type.
    public var targetKind: TargetKind?
    /// The group that is searched after the root, such as `train`; by default `train`, then `test`.
    public var group: String?
    /// The layout of samples of three axes, overriding attributes and extents.
    public var layout: SampleLayout?
    /// The factors of samples, one or one per channel, overriding attributes.
    public var scale: [Double]?
    /// The biases of scaled samples, one or one per channel, overriding attributes.
    public var bias: [Double]?
    /// The maximum number of bytes of samples, as stored, to keep in memory; likewise of responses.
    public var inMemoryLimit: Int

    /// Creates options with the given differences from the defaults.
    public init(
      samples: String? = nil, targets: String? = nil, targetKind: TargetKind? = nil,
      group: String? = nil, layout: SampleLayout? = nil, scale: [Double]? = nil,
      bias: [Double]? = nil, inMemoryLimit: Int = 2 << 30
    ) {
      self.samples = samples
      self.targets = targets
      self.targetKind = targetKind
      self.group = group
      self.layout = layout
      self.scale = scale
      self.bias = bias
      self.inMemoryLimit = inMemoryLimit
    }
  }

  /// A property of a file that its owner may not have intended.
  public struct Notice: Hashable, Sendable {
    /// The subject of a notice.
    public enum Kind: Hashable, Sendable {
      /// The layout of images was guessed from their extents.
      case layout
      /// An array that gives the rows another meaning, such as a table of splits, is not read.
      case unread
      /// Numbers are large and have no scale.
      case unscaled
      /// Features have very different deviations.
      case spread
    }

    /// The subject.
    public let kind: Kind
    /// One line with the file, the finding, and the advice.
    public let text: String
  }

  /// The targets of the rows.
  public enum Targets: Hashable, Sendable {
    /// A class number per row; names of the classes if the file has them.
    case labels(classNames: [String]?)
    /// The given count of numbers per row.
    case responses(count: Int)
    /// No targets.
    case none
  }

  /// The file, as the caller named it.
  public let path: String
  /// The number of rows, at least 1.
  public let rowCount: Int
  /// The shape of one sample, channels first; `[1]` if a row is a single number.
  public let sampleShape: Shape
  /// The targets of the rows.
  public let targets: Targets
  /// The rule by which the names of the arrays matched, in words.
  public let matchedRule: String
  /// Indicates whether the samples are kept in memory.
  public let isInMemory: Bool
  /// SHA-256 over shapes, types, attributes and elements, as hexadecimal digits.
  ///
  /// Arrays of numbers above 1 GiB contribute 1024 evenly spaced rows, labels and smaller arrays all rows.
  /// It is a function of the file's contents alone.
  public let fingerprint: String

  /// The notices of guesses about the file, and of arrays that were left aside.
  public let notices: [Notice]
  /// The units of the samples, if the file names them.
  public var sampleUnits: String? { arrays[0].attribute("units")?.stringValue }
  /// The units of the targets, if the file names them.
  public var targetUnits: String? {
    arrays.count > 1 ? arrays[1].attribute("units")?.stringValue : nil
  }

  let arrays: [ArrayHeader]
  let hasGivenScale: Bool
  let samples: RowStore
  let labels: Labels
  let responses: RowStore?
  let labelMemory: RowMemory?
  let identity: FileIdentity
  private let lookedForTargets: [String]

  /// Opens a data file, checks it, and reads it into memory if it fits.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - options: Names and limits.
  ///   - memory: Returns memory of the given size for rows and labels; if it returns nil, rows stay in the
  ///     file.
  /// - Returns: The data set, of at least one row.
  /// - Throws: ``DatasetError`` that names the array, the state found and the state expected: for a missing
  ///   or damaged file, unsuitable names, extents and types, labels that are not class numbers, numbers that
  ///   are not finite (of rows in memory; of others when they are read), a file that is written to
  ///   meanwhile.
  /// - Complexity: O(bytes). Each array is read once if it is kept in memory or has at most 1 GiB; of arrays
  ///   above 1 GiB, 1024 rows are read for the fingerprint.
  public static func open(
    _ path: String, options: Options = Options(),
    memory: (_ byteCount: Int) -> RowMemory? = RowMemory.init(byteCount:)
  ) throws(DatasetError) -> Dataset {
    try Dataset(path, options, memory: memory, other: nil)
  }

  /// Opens a data file that another process of this host has read.
  ///
  /// If it is the same file, the rows in the other process's memory are used, and only names and extents are
  /// read. If it may be a copy, for example under another mount, the fingerprint decides; if the contents
  /// differ, the rows stay in the file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - options: The options of the other process.
  ///   - other: The ``content`` of the other process, in memory that is mapped here.
  /// - Returns: The data set.
  /// - Throws: ``DatasetError`` as ``open(_:options:memory:)``.
  /// - Complexity: O(1) for the same file, else as ``open(_:options:memory:)``.
  public static func open(
    _ path: String, options: Options, asReadBy other: Content
  ) throws(DatasetError) -> Dataset {
    try Dataset(path, options, memory: { _ in nil }, other: other)
  }

  private init(
    _ path: String, _ options: Options, memory: (Int) -> RowMemory?, other: Content?
  ) throws(DatasetError) {
    let before = FileIdentity(path: path)
    let file: HDF5File
    do { file = try HDF5File(reading: path) } catch {
      if case .unreadable(_, let reason) = error, let set = ObtainableSet(owning: path) {
        throw .obtainable(path: path, reason: reason, command: set.command)
      }
      throw DatasetError(error, path: path)
    }
    let source = try DataFile(path, as: before)
    // If another process has read the file, only names and extents are read here.
    let known = other?.identity == source.identity ? other : nil
    try file.refuseSeveralSplits()
    let names = try DatasetNames(in: file, options: options)
    let samplesHeader = try ArrayHeader(file, names.samples)
    let (samples, sampleShape, guesses) = try samplesHeader.openSamples(options, in: source)
    notices =
      try guesses + file.unreadNeighbors(of: names.samples, names.targets, samples.rowCount)
    hasGivenScale = options.scale != nil || options.bias != nil
    var digest = SHA256()
    digest.update("nndist data set 1")
    samplesHeader.hash(into: &digest)
    if known == nil {
      try Dataset.load(samples, limit: options.inMemoryLimit, memory, into: &digest)
    }

    var arrays = [samplesHeader.withoutFile]
    var targets = Targets.none
    var (labels, labelMemory) = (Labels(), RowMemory?.none)
    var responses: RowStore?
    if let targetsName = names.targets {
      let header = try ArrayHeader(file, targetsName)
      guard header.shape[0] == samples.rowCount else {
        if [samplesHeader, header].contains(where: { $0.attribute("MATLAB_class") != nil }) {
          throw .wrongShape(
            path: path, dataset: targetsName, found: header.shape,
            expected:
              "\(samples.rowCount) rows as '\(names.samples)' has; MATLAB writes axes in reverse order, "
              + "so rows must come last there")
        }
        throw .lengthsDiffer(
          path: path, dataset: targetsName, rows: header.shape[0], other: names.samples,
          otherRows: samples.rowCount)
      }
      arrays.append(header.withoutFile)
      header.hash(into: &digest)
      switch names.kind ?? header.likelyKind {
      case .labels:
        targets = .labels(classNames: try header.classNames(in: file))
        labelMemory = known?.targets
        if let labelMemory {
          labels = Labels(labelMemory, count: samples.rowCount)
        } else {
          let byteCount = samples.rowCount * MemoryLayout<Int32>.stride
          guard let own = memory(byteCount) ?? RowMemory(byteCount: byteCount) else {
            throw .noMemory(path: path, dataset: targetsName, byteCount: byteCount)
          }
          labels = try header.readLabels(into: own, &digest)
          labelMemory = own
        }
      case .responses:
        let store = try header.openResponses(in: source)
        if known == nil {
          try Dataset.load(store, limit: options.inMemoryLimit, memory, into: &digest)
        }
        targets = .responses(count: store.conversion.elementCount)
        responses = store
      }
    }
    let fingerprint: String
    if let known { fingerprint = known.fingerprint } else { fingerprint = digest.finalizeHex() }
    if let other, other.fingerprint == fingerprint {
      if let memory = other.samples { samples.adopt(memory) }
      if let memory = other.targets, let responses { responses.adopt(memory) }
      if let memory = other.targets, responses == nil {
        (labels, labelMemory) = (Labels(memory, count: samples.rowCount), memory)
      }
    }
    // All that was read must belong to one state of the file.
    try source.requireUnchanged()
    self.path = path
    self.fingerprint = fingerprint
    self.samples = samples
    self.sampleShape = sampleShape
    self.arrays = arrays
    self.targets = targets
    self.labels = labels
    self.labelMemory = labelMemory
    self.responses = responses
    identity = source.identity
    rowCount = samples.rowCount
    isInMemory = samples.isInMemory
    matchedRule = names.rule
    lookedForTargets = names.lookedFor
  }

  /// The size in bytes above which the fingerprint samples evenly spaced rows, and their number.
  private static let fingerprintLimit = 1 << 30
  private static let fingerprintRowCount = 1024

  /// Reads rows into memory if they fit, and adds them to the digest in any case.
  private static func load(
    _ store: RowStore, limit: Int, _ memory: (Int) -> RowMemory?, into digest: inout SHA256
  ) throws(DatasetError) {
    let isSmall = store.byteCount <= fingerprintLimit
    let sampled = (0..<fingerprintRowCount).lazy.map { index in
      let row =
        store.rowCount / fingerprintRowCount * index
        + store.rowCount % fingerprintRowCount * index / fingerprintRowCount
      return row..<row + 1
    }
    guard store.byteCount <= limit, let memory = memory(store.byteCount) else {
      if isSmall { return try store.hash(rows: [0..<store.rowCount], into: &digest) }
      return try store.hash(rows: sampled, into: &digest)
    }
    if isSmall { return try store.load(into: memory) { digest.update($0) } }
    try store.hash(rows: sampled, into: &digest)
    try store.load(into: memory)
  }
}

extension Dataset {
  /// Writes the values of samples into memory, row by row in the given order.
  ///
  /// - Parameters:
  ///   - rows: Indices within `0..<rowCount`.
  ///   - target: Memory of `rows.count · sampleShape.count` elements.
  /// - Throws: ``DatasetError`` if the file cannot be read, was written to since it was opened, or holds a
  ///   number that is not finite; never if ``isInMemory`` is true.
  /// - Complexity: O(elements); in memory without allocation or lock.
  public func readSamples(
    rows: UnsafeBufferPointer<Int>, into target: UnsafeMutablePointer<Float>
  ) throws(DatasetError) {
    try samples.gather(rows, into: target)
  }

  /// Writes class numbers into memory, row by row in the given order; the targets must be labels.
  ///
  /// - Parameters:
  ///   - rows: Indices within `0..<rowCount`.
  ///   - target: Memory of `rows.count` elements.
  /// - Complexity: O(rows), without allocation or lock.
  public func readLabels(
    rows: UnsafeBufferPointer<Int>, into target: UnsafeMutablePointer<Int32>
  ) {
    precondition(labels.count == rowCount, "\(path) has no labels")
    for (index, row) in rows.enumerated() {
      precondition(0 <= row && row < rowCount, "row \(row) of \(rowCount)")
      target[index] = labels[row]
    }
  }

  /// Writes responses into memory, row by row in the given order; the targets must be responses.
  ///
  /// - Parameters:
  ///   - rows: Indices within `0..<rowCount`.
  ///   - target: Memory of `rows.count` times the number of responses.
  /// - Throws: ``DatasetError`` as ``readSamples(rows:into:)``.
  /// - Complexity: O(elements); in memory without allocation or lock.
  public func readResponses(
    rows: UnsafeBufferPointer<Int>, into target: UnsafeMutablePointer<Float>
  ) throws(DatasetError) {
    guard let responses else { preconditionFailure("\(path) has no responses") }
    try responses.gather(rows, into: target)
  }

  /// Throws if the file has no targets, with the names that were looked for.
  ///
  /// - Throws: ``DatasetError/noTargets(path:lookedFor:found:)``.
  public func requireTargets() throws(DatasetError) {
    guard targets == .none else { return }
    throw .noTargets(path: path, lookedFor: lookedForTargets, found: arrays.map(\.name))
  }

  /// Throws for the first label outside the classes.
  ///
  /// - Parameter classCount: The number of classes; labels are within `0..<classCount`.
  /// - Throws: ``DatasetError/badLabel(path:dataset:row:found:expected:)``.
  /// - Complexity: O(rows).
  public func validateLabels(classCount: Int) throws(DatasetError) {
    guard let row = labels.firstIndex(where: { Int($0) >= classCount }) else { return }
    throw .badLabel(
      path: path, dataset: arrays[1].name, row: row, found: "\(labels[row])",
      expected: "a class within 0..<\(classCount)")
  }

  /// Throws for the first response outside a range.
  ///
  /// It checks all rows if the samples are in memory, else the first 1,000.
  ///
  /// - Parameters:
  ///   - range: The valid numbers.
  ///   - loss: The loss that takes them, for the message.
  /// - Throws: ``DatasetError/badLabel(path:dataset:row:found:expected:)``; other errors if rows cannot be
  ///   read.
  /// - Complexity: O(elements of those rows).
  public func validateResponses(
    in range: ClosedRange<Float>, of loss: String
  ) throws(DatasetError) {
    guard case .responses(let width) = targets, width > 0 else { return }
    let (count, blockLength) = (isInMemory ? rowCount : min(rowCount, 1000), 256)
    var values = [Float](repeating: 0, count: blockLength * width)
    for start in stride(from: 0, to: count, by: blockLength) {
      let rows = Array(start..<min(start + blockLength, count))
      try rows.withUnsafeBufferPointer { (rows) throws(DatasetError) in
        try values.withUnsafeMutableBufferPointer { (values) throws(DatasetError) in
          guard let target = values.baseAddress else { return }
          try readResponses(rows: rows, into: target)
        }
      }
      guard let index = values[..<(rows.count * width)].firstIndex(where: { !range.contains($0) })
      else { continue }
      throw .badLabel(
        path: path, dataset: arrays[1].name, row: start + index / width, found: "\(values[index])",
        expected: "numbers from \(range.lowerBound) to \(range.upperBound), as \(loss) takes them")
    }
  }

  /// The number of classes by the labels or by the names, whichever is larger; 0 without labels.
  public var classCount: Int {
    guard case .labels(let names) = targets else { return 0 }
    return max(classCountOfLabels, names?.count ?? 0)
  }

  /// One more than the largest label, 0 without labels.
  public var classCountOfLabels: Int { labels.max().map { Int($0) + 1 } ?? 0 }
}

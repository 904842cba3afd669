// The description of a data file, for people and for programs.

internal import HDF5
internal import Tensors

/// The contents of a data file: arrays, ranges, rows per class.
public struct DatasetDescription: Hashable, Sendable, Encodable {
  /// One array of the file.
  public struct Array: Hashable, Sendable, Encodable {
    /// Its path in the file.
    public let name: String
    /// The type of its elements, such as `u8` or `f32 big-endian`.
    public let type: String
    /// The lengths of its axes in the file.
    public let shape: [Int]
    /// Its attributes with a meaning, as text.
    public let attributes: [String: String]
    /// The range of its values, after scale and bias; nil for labels.
    public let range: Range?
  }

  /// The smallest, largest and mean value.
  public struct Range: Hashable, Sendable, Encodable {
    /// The smallest value.
    public let minimum: Float
    /// The largest value.
    public let maximum: Float
    /// The mean of all values.
    public let mean: Double
  }

  /// One class.
  public struct Class: Hashable, Sendable, Encodable {
    /// The class number.
    public let label: Int
    /// Its name, if the file has one.
    public let name: String?
    /// The number of its rows.
    public let rowCount: Int
  }

  /// The file.
  public let path: String
  /// The rule by which the names of the arrays matched.
  public let rule: String
  /// The number of rows.
  public let rowCount: Int
  /// The shape of one sample as a model sees it.
  public let sampleShape: [Int]
  /// `labels`, `responses` or `none`.
  public let targets: String
  /// The numbers per row, for responses.
  public let responseCount: Int?
  /// The samples, then the targets if there are any.
  public let arrays: [Array]
  /// All classes, or only those with rows if there are more than 10,000; nil without labels.
  public let classes: [Class]?
  /// The fingerprint of the contents, see ``Dataset/fingerprint``.
  public let fingerprint: String
  /// Notices of properties that the file's owner may not have intended, one line each.
  public let notices: [String]
}

extension Dataset {
  /// Reads all rows and describes the file.
  ///
  /// - Returns: The description.
  /// - Throws: ``DatasetError`` if rows that stayed in the file cannot be read.
  /// - Complexity: O(elements).
  public func describe() throws(DatasetError) -> DatasetDescription {
    var ranges: [DatasetDescription.Range?] = [try samples.range()]
    if let responses { ranges.append(try responses.range()) } else { ranges.append(nil) }
    let (kind, responseCount): (String, Int?) =
      switch targets {
      case .labels: ("labels", nil)
      case .responses(let count): ("responses", count)
      case .none: ("none", nil)
      }
    return DatasetDescription(
      path: path, rule: matchedRule, rowCount: rowCount, sampleShape: sampleShape.extents,
      targets: kind, responseCount: responseCount,
      arrays: zip(arrays, ranges).map { array, range in
        DatasetDescription.Array(
          name: array.name, type: array.type.description, shape: array.shape,
          attributes: Dictionary(
            uniqueKeysWithValues: array.attributes.map { ($0.name, $0.value.text) }),
          range: range)
      },
      classes: describeClasses(), fingerprint: fingerprint,
      notices: (notices + (try surveyNotices())).map(\.text))
  }

  /// Counts the rows of every class, leaving out classes without rows if there are more than 10,000.
  private func describeClasses() -> [DatasetDescription.Class]? {
    guard case .labels(let names) = targets else { return nil }
    var counts: [Int32: Int] = [:]
    for label in labels { counts[label, default: 0] += 1 }
    let all = classCount <= 10_000 ? (0..<classCount).map { Int32($0) } : counts.keys.sorted()
    return all.map { label in
      let name = names.flatMap { Int(label) < $0.count ? $0[Int(label)] : nil }
      return DatasetDescription.Class(
        label: Int(label), name: name, rowCount: counts[label] ?? 0)
    }
  }
}

extension RowStore {
  /// Returns the range of all values.
  fileprivate func range() throws(DatasetError) -> DatasetDescription.Range {
    var (minimum, maximum, sum) = (Float.infinity, -Float.infinity, 0.0)
    let elementCount = conversion.elementCount
    let blockRowCount = max(1, (1 << 18) / elementCount)
    var values = [Float](repeating: 0, count: blockRowCount * elementCount)
    for start in stride(from: 0, to: rowCount, by: blockRowCount) {
      let rows = [Int](start..<min(rowCount, start + blockRowCount))
      try rows.withUnsafeBufferPointer { (rows) throws(DatasetError) in
        try values.withUnsafeMutableBufferPointer { (values) throws(DatasetError) in
          guard let target = values.baseAddress else { return }
          try gather(rows, into: target)
        }
      }
      for value in values[..<(rows.count * elementCount)] {
        minimum = min(minimum, value)
        maximum = max(maximum, value)
        sum += Double(value)
      }
    }
    return DatasetDescription.Range(
      minimum: minimum, maximum: maximum, mean: sum / Double(rowCount) / Double(elementCount))
  }
}

extension DatasetDescription: CustomStringConvertible {
  /// The text of `nndist data info`, one fact per line.
  public var description: String {
    var lines = ["\(path): \(rowCount) rows, samples \(sampleShape), \(targetsText)"]
    lines.append("  matched \(rule)")
    for array in arrays {
      lines.append("  \(array.name): \(array.type) \(array.shape)")
      for (name, value) in array.attributes.sorted(by: { $0.key < $1.key }) {
        lines.append("    \(name): \(value)")
      }
      guard let range = array.range else { continue }
      lines.append("    values \(range.minimum) to \(range.maximum), mean \(range.mean)")
    }
    if let classes {
      lines.append("  rows per class:")
      let shown = classes.prefix(100)
      for item in shown {
        let name = item.name.map { " \($0)" } ?? ""
        lines.append("    \(item.label)\(name): \(item.rowCount)")
      }
      if classes.count > shown.count { lines.append("    and \(classes.count - shown.count) more") }
    }
    lines.append("  fingerprint \(fingerprint)")
    lines += notices.map { "notice: \($0)" }
    return lines.joined(separator: "\n")
  }

  private var targetsText: String {
    switch (classes, responseCount) {
    case (let classes?, _): "\(classes.count) classes"
    case (_, let count?): "\(count) response\(count == 1 ? "" : "s")"
    default: "no targets"
    }
  }
}

// Remarks on the rows of a run before its first step: guessed readings, and likely oversights.
import Datasets
import Models
import Tensors

extension Splits {
  /// Looks for misreadings that nothing can refuse.
  ///
  /// - Parameters:
  ///   - network: The model that is trained on the rows.
  ///   - data: Their normalization.
  /// - Returns: One line for each kind of them, with the remedy.
  /// - Throws: `DatasetError` if rows cannot be read.
  /// - Complexity: O(1): bounded numbers of rows are read.
  func notices(for network: Network, _ data: RunConfiguration.Data) throws -> [String] {
    guard let train = train as? DatasetRows else { return [] }
    let others = evaluated.compactMap { split, rows in (rows as? DatasetRows).map { (split, $0) } }
    var found = ([train] + others.map(\.1)).flatMap(\.dataset.notices)
    if data.normalization == .off, network.wholeNumbers.isEmpty {
      // A model that begins with a normalisation needs no other; those of a row keep features apart.
      let first = network.firstKinds
      found += try train.dataset.surveyNotices().filter { notice in
        !first.isSubset(
          of: notice.kind == .spread
            ? ["batch_norm"]
            : ["batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"])
      }
    }
    var kinds: Set<Dataset.Notice.Kind> = []
    var lines = found.filter { kinds.insert($0.kind).inserted }.map(\.text)
    let otherFiles = others.map(\.1.dataset).filter { $0 !== train.dataset }
    if !otherFiles.isEmpty {
      let deviation = try train.dataset.deviation()
      for dataset in otherFiles {
        if let difference = dataset.differenceOfScale(from: train.dataset) {
          lines.append(
            "\(dataset.path): samples have \(difference.here), those of \(train.dataset.path) "
              + "\(difference.there); data.scale and data.bias hold for all files")
        } else if let difference = try dataset.differenceOfDeviation(from: deviation) {
          lines.append(
            "\(dataset.path): samples deviate by \(difference.here), those of \(train.dataset.path) by "
              + "\(difference.there); bring both to one scale, by 'scale' and 'bias' of the file that "
              + "differs")
        }
      }
    }
    var known: RowHashes?
    for (split, rows) in others {
      if rows.dataset !== train.dataset, rows.dataset.fingerprint == train.dataset.fingerprint {
        lines.append(
          "\(split) data are the training data, so results on them show memory; give data.\(split) another file"
        )
        continue
      }
      let training = try known ?? RowHashes(train)
      known = training
      let shared = SharedRows(
        of: try RowHashes(rows, atMost: SharedRows.rowLimit), with: training)
      guard let overlap = shared.text(split) else { continue }
      lines.append(
        "\(overlap) are rows of the training data too (told from 5 rows and 1 % on), so results on them "
          + "show memory; leave them out of one of the files")
    }
    return lines
  }
}

/// Hashes of the samples of a source, of all rows or of evenly spaced ones.
struct RowHashes {
  let hashes: [UInt64]
  /// Indicates whether all rows take part.
  let isComplete: Bool
  /// The fraction of rows that occur before already: rows that coincide by chance.
  let repeatedFraction: Double

  /// The most elements that are hashed, in memory and in a file.
  private static let (elementLimit, elementLimitOfFiles) = (1 << 24, 1 << 20)

  /// Hashes rows.
  ///
  /// - Throws: `DatasetError` if rows cannot be read.
  /// - Complexity: That of reading 16 million elements of rows in memory, one million of rows in a file.
  init(_ rows: DatasetRows, atMost limit: Int = .max) throws {
    let elements =
      rows.dataset.isInMemory ? RowHashes.elementLimit : RowHashes.elementLimitOfFiles
    let most = max(1, min(limit, elements / rows.dataset.sampleShape.count))
    let count = min(most, rows.rowCount)
    hashes = try rows.hashes(of: evenlySpaced(count, of: rows.rowCount))
    isComplete = count == rows.rowCount
    repeatedFraction = 1 - Double(Set(hashes).count) / Double(max(count, 1))
  }
}

/// The rows of one source that are rows of another one too.
struct SharedRows {
  /// The rows that are shared.
  let count: Int
  /// The rows that were hashed.
  let lookedAt: Int
  /// Indicates whether all rows of both sources take part.
  let isComplete: Bool
  /// The fraction of rows that the other source repeats.
  let repeatedFraction: Double

  /// The most rows of the one source that are hashed.
  static let rowLimit = 1000
  /// A row that occurs more often in either source is common, such as an empty image, and does not count.
  private static let commonCount = 4

  /// Looks for the rows of `source` in `other`.
  init(of source: RowHashes, with other: RowHashes) {
    var ownCounts: [UInt64: Int] = [:]
    for hash in source.hashes { ownCounts[hash, default: 0] += 1 }
    var counts = ownCounts.mapValues { _ in 0 }
    for hash in other.hashes { counts[hash]? += 1 }
    count = source.hashes.count {
      (1..<SharedRows.commonCount).contains(counts[$0] ?? 0)
        && (ownCounts[$0] ?? 0) < SharedRows.commonCount
    }
    lookedAt = source.hashes.count
    isComplete = source.isComplete && other.isComplete
    repeatedFraction = other.repeatedFraction
  }

  /// Returns the number of shared rows of a split in words; nil if chance explains it.
  func text(_ split: String) -> String? {
    guard count > 4, 100 * count >= lookedAt,
      Double(count) > 3 * repeatedFraction * Double(lookedAt)
    else { return nil }
    return isComplete
      ? "\(count) of the \(lookedAt) rows of \(split) data"
      : "at least \(count) of \(lookedAt) rows looked at in \(split) data"
  }
}

extension DatasetRows {
  /// Returns hashes of the samples of some rows.
  fileprivate func hashes(of rows: [Int]) throws -> [UInt64] {
    let elementCount = dataset.sampleShape.count
    let blockLength = max(1, min(256, (1 << 18) / elementCount))
    let samples = FloatBuffer(count: blockLength * elementCount)
    var hashes: [UInt64] = []
    hashes.reserveCapacity(rows.count)
    for start in stride(from: 0, to: rows.count, by: blockLength) {
      let block = rows[start..<min(rows.count, start + blockLength)]
      try block.withUnsafeBufferPointer {
        try read($0, samples: samples.pointer, targets: nil)
      }
      for row in 0..<block.count {
        hashes.append(hash(samples.pointer + row * elementCount, count: elementCount))
      }
    }
    return hashes
  }
}

/// Returns a hash of the bits of some values, in four chains so that multiplications overlap.
private func hash(_ values: UnsafePointer<Float>, count: Int) -> UInt64 {
  func mixed(_ hash: UInt64, _ bits: UInt64) -> UInt64 {
    let product = (hash ^ bits) &* 0x9E37_79B9_7F4A_7C15
    return product ^ product >> 32
  }
  let bytes = UnsafeRawPointer(values)
  var hashes: (UInt64, UInt64, UInt64, UInt64) = (1, 2, 3, 4)
  var index = 0
  while index + 8 <= count {
    func bits(_ pair: Int) -> UInt64 {
      bytes.loadUnaligned(fromByteOffset: 4 * index + 8 * pair, as: UInt64.self)
    }
    hashes.0 = mixed(hashes.0, bits(0))
    hashes.1 = mixed(hashes.1, bits(1))
    hashes.2 = mixed(hashes.2, bits(2))
    hashes.3 = mixed(hashes.3, bits(3))
    index += 8
  }
  while index < count {
    hashes.0 = mixed(hashes.0, UInt64(values[index].bitPattern))
    index += 1
  }
  return mixed(mixed(mixed(hashes.0, hashes.1), hashes.2), hashes.3)
}

extension Network {
  /// The kinds of the first layers that compute with the numbers of samples, past those that only move them.
  fileprivate var firstKinds: Set<String> {
    var moved: Set = [Network.samplesName]
    var kinds: Set<String> = []
    for (index, layer) in layers.enumerated()
    where index == 0 || layer.inputs.contains(where: moved.contains) {
      if ["flatten", "reshape", "permute"].contains(layer.kind) {
        moved.insert(layer.name)
      } else {
        kinds.insert(layer.kind)
      }
    }
    return kinds
  }
}

// What is said of the rows of a run before its first step: readings that were guessed, and what an owner may
// have forgotten.
import Datasets
import Models
import Tensors

extension Splits {
  /// Looks for misreadings that nothing can refuse.
  ///
  /// - Parameters:
  ///   - network: What is trained on the rows.
  ///   - data: How they are normalised.
  /// - Returns: One line for each kind of them, with what to do.
  /// - Throws: `DatasetError` if rows cannot be read.
  /// - Complexity: O(1): bounded numbers of rows are read.
  func notices(for network: Network, _ data: RunConfiguration.Data) throws -> [String] {
    guard let train = train as? DatasetRows else { return [] }
    let others = evaluated.compactMap { split, rows in (rows as? DatasetRows).map { (split, $0) } }
    var found = ([train] + others.map(\.1)).flatMap(\.dataset.notices)
    if data.normalization == .off, network.wholeNumbers.isEmpty {
      // What begins with a normalisation needs no other one; those of a row keep features apart.
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
    for (_, rows) in others where rows.dataset !== train.dataset {
      if let difference = rows.dataset.differenceOfScale(from: train.dataset) {
        lines.append(
          "\(rows.dataset.path): samples have \(difference.here), those of \(train.dataset.path) "
            + "\(difference.there); data.scale and data.bias hold for all files")
      } else if let difference = try rows.dataset.differenceOfDeviation(from: train.dataset) {
        lines.append(
          "\(rows.dataset.path): samples deviate by \(difference.here), those of \(train.dataset.path) by "
            + "\(difference.there); bring both to one scale, by 'scale' and 'bias' of the file that differs"
        )
      }
    }
    for (split, rows) in others {
      if rows.dataset !== train.dataset, rows.dataset.fingerprint == train.dataset.fingerprint {
        lines.append(
          "\(split) data are the training data, so results on them show memory; give data.\(split) another file"
        )
        continue
      }
      guard let overlap = try SharedRows(of: rows, with: train).text(split) else { continue }
      lines.append(
        "\(overlap) are rows of the training data too (told from 5 rows and 1 % on), so results on them "
          + "show memory; leave them out of one of the files")
    }
    return lines
  }
}

/// The rows of one source that are rows of another one too.
struct SharedRows {
  /// The rows that are shared.
  let count: Int
  /// The rows that were looked at.
  let lookedAt: Int
  /// Whether all rows of both sources were.
  let isComplete: Bool
  /// The share of rows in the other source that are there before already: what may coincide by chance.
  let repeatedShare: Double

  /// The most rows of the one source, and the most elements of either, that are looked at.
  private static let (rowLimit, elementLimit, elementLimitOfFiles) = (1000, 1 << 24, 1 << 20)
  /// A row that the other source has more often is common, such as an empty image, and is not counted.
  private static let commonCount = 4

  /// Looks for rows of `source` in `other`, by hashes of their samples.
  ///
  /// - Throws: `DatasetError` if rows cannot be read.
  /// - Complexity: That of reading 16 million elements of rows in memory, one million of rows in files.
  init(of source: DatasetRows, with other: DatasetRows) throws {
    func places(_ rows: DatasetRows, _ limit: Int) -> [Int] {
      let elements =
        rows.dataset.isInMemory ? SharedRows.elementLimit : SharedRows.elementLimitOfFiles
      let count = max(1, min(limit, elements / rows.dataset.sampleShape.count))
      return evenlySpaced(min(count, rows.rowCount), of: rows.rowCount)
    }
    let (own, others) = (places(source, SharedRows.rowLimit), places(other, Int.max))
    let hashes = try source.hashes(of: own)
    var counts = Dictionary(hashes.map { ($0, 0) }) { first, _ in first }
    var ownCounts: [UInt64: Int] = [:]
    for hash in hashes { ownCounts[hash, default: 0] += 1 }
    let otherHashes = try other.hashes(of: others)
    for hash in otherHashes { counts[hash]? += 1 }
    count = hashes.count {
      (1..<SharedRows.commonCount).contains(counts[$0] ?? 0)
        && (ownCounts[$0] ?? 0) < SharedRows.commonCount
    }
    repeatedShare = 1 - Double(Set(otherHashes).count) / Double(max(otherHashes.count, 1))
    lookedAt = own.count
    isComplete = own.count == source.rowCount && others.count == other.rowCount
  }

  /// Tells how many rows of a split are shared; nil where these are no more than may happen.
  func text(_ split: String) -> String? {
    guard count > 4, 100 * count >= lookedAt,
      Double(count) > 3 * repeatedShare * Double(lookedAt)
    else { return nil }
    return isComplete
      ? "\(count) of the \(lookedAt) rows of \(split) data"
      : "at least \(count) of \(lookedAt) rows looked at in \(split) data"
  }
}

extension DatasetRows {
  /// Hashes of the samples of some rows.
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

/// A hash of the bits of some values, in four chains so that multiplications overlap.
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
  /// The kinds of the layers that numbers of samples come to first, past those that only move them.
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

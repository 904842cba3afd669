// The ranks of a host hold one copy of the rows of a data file, or as many as they must.

import Communication
import Datasets
import Foundation
import Tensors
import Training

/// Opens a data file on all ranks: `rows FILE PLACES COPIES [--limit RANKS] [--other FILE]`.
///
/// PLACES is `usual`, `none`, or folders with commas between; COPIES is how many the host must hold then.
/// With `--other` the last rank opens another file.
@Sendable
func checkRows(_ communicator: any Communicator, _ options: CheckOptions) throws {
  let copies = try options.number(2)
  let storages: [SharedRegion.Storage] =
    switch options[1] {
    case "usual": RowSharing.usualStorages
    case "none": []
    default: (options[1] ?? "").split(separator: ",").map { .folder(String($0)) }
    }
  var path = options[0] ?? ""
  if communicator.rank == communicator.size - 1, let other = options.value(of: "--other") {
    path = other
  }
  let sharing = try RowSharing(
    communicator, limit: options.value(of: "--limit").flatMap { Int($0) }, storages: storages)
  try require(sharing.copyCount == copies, "\(sharing.copyCount) copies, expected \(copies)")
  let dataset = try sharing.open { open in try open(path, Dataset.Options()) }
  try communicator.requireSame(dataset.fingerprint, named: "content of data")

  // The same rows as those of a copy of its own.
  let own = try Dataset.open(path)
  let rows = (0..<200).map { $0 * 7 % own.rowCount }
  try require(try samples(dataset, rows) == samples(own, rows), "other samples")
  try require(labels(dataset, rows) == labels(own, rows), "other labels")

  for memory in [dataset.content.samples, dataset.content.targets] {
    guard let memory, let mapping = Mapping(of: memory.bytes.baseAddress) else {
      throw CheckError("rows are not in memory")
    }
    let isShared = sharing.members.count > 1
    try require(mapping.access == (isShared ? "r--s" : "rw-p"), "access \(mapping.access)")
    let all = try communicator.allgather(Array(mapping.file.utf8))
    if isShared { try require(Set(all).count == copies, "\(Set(all).count) files are mapped") }
  }

  // A limit is of the host: what two copies need more of than one is not held twice.
  let limit = dataset.memoryByteCount * 3 / 2
  let limited = try sharing.open { open in try open(path, Dataset.Options(inMemoryLimit: limit)) }
  try require(limited.isInMemory == (copies == 1), "in memory with \(copies) copies")
  try require(try samples(limited, rows) == samples(own, rows), "other samples from the file")
}

private func samples(_ dataset: Dataset, _ rows: [Int]) throws -> [Float] {
  var values = [Float](repeating: .nan, count: rows.count * dataset.sampleShape.count)
  try rows.withUnsafeBufferPointer { rows in
    try values.withUnsafeMutableBufferPointer {
      guard let target = $0.baseAddress else { return }
      try dataset.readSamples(rows: rows, into: target)
    }
  }
  return values
}

private func labels(_ dataset: Dataset, _ rows: [Int]) -> [Int32] {
  var values = [Int32](repeating: -1, count: rows.count)
  rows.withUnsafeBufferPointer { rows in
    values.withUnsafeMutableBufferPointer {
      guard let target = $0.baseAddress else { return }
      dataset.readLabels(rows: rows, into: target)
    }
  }
  return values
}

/// The line of `/proc/self/maps` about an address.
private struct Mapping {
  let access: String
  /// The device and the number of the file.
  let file: String

  init?(of address: UnsafeMutableRawPointer?) {
    let place = UInt(bitPattern: address)
    // A file without a size, which is read to its end this way alone.
    let maps = try? FileHandle(forReadingAtPath: "/proc/self/maps")?.readToEnd()
    for line in String(decoding: maps ?? Data(), as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: " ")
      let ends = parts[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard ends.count == 2, ends[0] <= place, place < ends[1] else { continue }
      access = String(parts[1])
      file = "\(parts[3]) \(parts[4])"
      return
    }
    return nil
  }
}

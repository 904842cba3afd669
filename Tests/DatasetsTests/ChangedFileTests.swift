// Data files that are written to while they are read.

import Datasets
import Foundation
import HDF5
import TestSupport
import Testing

/// An event in the life of a file.
private enum Change: String, CaseIterable {
  case overwritten, extended, cutShort, emptied, touched
  case replaced, removed, renamed, madeReadOnly

  /// Indicates whether the bytes that were opened are no more.
  var isNoticed: Bool { [.overwritten, .extended, .cutShort, .emptied, .touched].contains(self) }

  func happen(to path: String) throws {
    let url = URL(fileURLWithPath: path)
    func write(_ body: (FileHandle) throws -> Void) throws {
      let file = try FileHandle(forUpdating: url)
      try body(file)
      try file.close()
    }
    switch self {
    case .overwritten:
      try write {
        try $0.seek(toOffset: 2048)
        try $0.write(contentsOf: Data(count: 100))
      }
    case .extended:
      try write {
        try $0.seekToEnd()
        try $0.write(contentsOf: Data(count: 100))
      }
    case .cutShort: try write { try $0.truncate(atOffset: 2500) }
    case .emptied: try write { try $0.truncate(atOffset: 0) }
    case .touched:
      try FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: path)
    case .replaced: try Data(count: 10).write(to: url, options: .atomic)
    case .removed: try FileManager.default.removeItem(atPath: path)
    case .renamed: try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
    case .madeReadOnly:
      try FileManager.default.setAttributes([.posixPermissions: 0o400], ofItemAtPath: path)
    }
  }
}

@Suite("Data files that change")
struct ChangedFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A file of 200 rows, last written long ago: clocks of file systems are coarse.
  private func file(_ type: HDF5ScalarType = .float32) throws -> String {
    let path = try folder.write([
      TestArray(counting: "samples", type, [200, 9]),
      TestArray(counting: "labels", .uint8, [200], modulus: 3),
    ])
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: path)
    return path
  }

  // Big-endian rows are read by libhdf5, the others past it.
  @Test(
    "rows that are read from the file are those that were there when it was opened, or refused",
    arguments: Change.allCases, [HDF5ScalarType.float32, .float32.bigEndian])
  fileprivate func rowByRow(change: Change, type: HDF5ScalarType) throws {
    let path = try file(type)
    let dataset = try Dataset.open(path, options: .init(inMemoryLimit: 0))
    let rows = [150, 3, 4, 199]
    let samples = try dataset.samples(rows)
    try change.happen(to: path)
    if change.isNoticed {
      let error = try #require(throws: DatasetError.self) { try dataset.samples(rows) }
      guard case .changed(path, let found, let expected) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(expected.hasSuffix(" bytes of 2001-09-09 01:46:40.000000000 UTC"))
      #expect(found != expected)
      #expect(
        "\(error)"
          == "\(path): was written to while it was read, found \(found), expected \(expected)")
    } else {
      #expect(try dataset.samples(rows) == samples)
    }
  }

  @Test("rows in memory stay what they were", arguments: Change.allCases)
  fileprivate func inMemory(change: Change) throws {
    let path = try file()
    let dataset = try Dataset.open(path)
    let (samples, labels) = (try dataset.samples([7, 199]), dataset.labels([7, 199]))
    try change.happen(to: path)
    #expect(try dataset.samples([7, 199]) == samples)
    #expect(dataset.labels([7, 199]) == labels)
  }

  @Test(
    "a file that is written to while it is read into memory is refused",
    arguments: [Change.overwritten, .extended, .touched])
  fileprivate func whileLoading(change: Change) throws {
    let path = try file()
    let error = try #require(throws: DatasetError.self) {
      try Dataset.open(path) { byteCount in
        try? change.happen(to: path)
        return RowMemory(byteCount: byteCount)
      }
    }
    guard case .changed = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test("rows stay in the file where there is no memory for them; labels do not")
  func noMemory() throws {
    let path = try file()
    let dataset = try Dataset.open(path) { _ in nil }
    #expect(!dataset.isInMemory)
    #expect(dataset.memoryByteCount == 4 * 200)
    #expect(try Dataset.open(path).memoryByteCount == 4 * 200 + 200 * 9 * 4)
    #expect(try dataset.samples([5]) == Dataset.open(path).samples([5]))
    #expect(RowMemory(byteCount: 1 << 60) == nil)
  }

  @Test("what another process has read of the same file is not read again")
  func asReadByAnother() throws {
    let path = try file()
    let first = try Dataset.open(path)
    let second = try Dataset.open(path, options: .init(), asReadBy: first.content)
    #expect(second.fingerprint == first.fingerprint)
    #expect(second.isInMemory)
    #expect(second.content.samples === first.content.samples)
    #expect(second.content.targets === first.content.targets)
    #expect(try second.samples([9, 1]) == first.samples([9, 1]))
    #expect(second.labels([9, 1]) == first.labels([9, 1]))
    // A copy is another file of the same content.
    try FileManager.default.copyItem(atPath: path, toPath: path + ".copy")
    let copy = try Dataset.open(path + ".copy", options: .init(), asReadBy: first.content)
    #expect(copy.fingerprint == first.fingerprint)
    #expect(copy.content.samples === first.content.samples)
    // Of another content nothing is taken over.
    try Change.overwritten.happen(to: path)
    let other = try Dataset.open(path, options: .init(), asReadBy: first.content)
    #expect(other.fingerprint != first.fingerprint)
    #expect(!other.isInMemory)
    #expect(other.content.targets !== first.content.targets)
    #expect(other.labels([9, 1]) == first.labels([9, 1]))
  }
}

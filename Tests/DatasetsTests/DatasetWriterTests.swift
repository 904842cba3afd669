import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("Writing data files")
struct DatasetWriterTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private let arrays = [
    DatasetWriter.Array(
      name: "samples", type: .uint8, shape: [3, 2],
      attributes: ["scale": .number(0.5), "layout": .text("chw")]),
    DatasetWriter.Array(
      name: "labels", type: .int64, shape: [3], attributes: ["class_names": .texts(["a", "bc"])]),
  ]

  private func write(_ name: String, replacing: Bool = false) throws {
    let writer = try DatasetWriter(path: folder.file(name), arrays: arrays, replacing: replacing)
    try writer.append([1, 2, 3, 4] as [UInt8], to: "samples")
    try writer.append([0, 1, 0] as [Int64], to: "labels")
    try writer.append([5, 6] as [UInt8], to: "samples")
    try writer.finish()
  }

  private var names: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
  }

  @Test("what is written is read, by h5dump too, and equal calls make equal bytes")
  func roundTrip() throws {
    try write("a.h5")
    let dataset = try Dataset.open(folder.file("a.h5"))
    #expect(try dataset.samples([0, 1, 2]) == [0.5, 1, 1.5, 2, 2.5, 3])
    #expect(dataset.labels([0, 1, 2]) == [0, 1, 0])
    #expect(dataset.targets == .labels(classNames: ["a", "bc"]))
    let dump = try output(of: "/usr/bin/h5dump", folder.file("a.h5"))
    #expect(dump.contains("(0,0): 1, 2,"))
    #expect(dump.contains("(0): \"a\", \"bc\""))
    try write("b.h5")
    #expect(try contents(of: folder.file("a.h5")) == contents(of: folder.file("b.h5")))
    #expect(names.sorted() == ["a.h5", "b.h5"])
  }

  @Test("synthetic data is images of bytes, with every class, and equal for equal seeds")
  func synthetic() throws {
    func write(_ name: String, rows: Int = 300, seed: UInt64 = 7) throws -> Dataset {
      try writeSyntheticData(
        to: folder.file(name), sampleShape: [3, 5, 7], classCount: 4, rowCount: rows, seed: seed)
      return try Dataset.open(folder.file(name))
    }
    let dataset = try write("a.h5")
    let description = try dataset.describe()
    #expect(description.sampleShape == [3, 5, 7])
    #expect(description.classes?.count == 4)
    #expect(description.classes?.allSatisfy { $0.rowCount > 40 } == true)
    let range = try #require(description.arrays[0].range)
    #expect(range.minimum == 0 && range.maximum == 1 && abs(range.mean - 0.5) < 0.01)
    _ = try write("b.h5")
    #expect(try contents(of: folder.file("a.h5")) == contents(of: folder.file("b.h5")))
    // A row does not depend on how many there are.
    #expect(try write("c.h5", rows: 2).samples([1]) == dataset.samples([1]))
    #expect(try write("d.h5", seed: 8).samples([1]) != dataset.samples([1]))
  }

  @Test("every type and an array without rows", arguments: DatasetWriter.ElementType.allCases)
  func types(type: DatasetWriter.ElementType) throws {
    let writer = try DatasetWriter(
      path: folder.file("a.h5"),
      arrays: [
        .init(name: "samples", type: type, shape: [1]),
        .init(name: "g/none", type: type, shape: [0]),
      ])
    try writer.append([UInt8](repeating: 0, count: type.byteCount), to: "samples")
    try writer.finish()
    #expect(try Dataset.open(folder.file("a.h5")).samples([0]) == [0])
  }

  @Test("a file that exists is replaced only if asked for")
  func existing() throws {
    try folder.write([1, 2, 3], to: "a.h5")
    let error = #expect(throws: DatasetError.self) { try write("a.h5") }
    #expect(error?.description == "\(folder.file("a.h5")): exists already, not replaced")
    #expect(try contents(of: folder.file("a.h5")) == [1, 2, 3])
    try write("a.h5", replacing: true)
    #expect(try Dataset.open(folder.file("a.h5")).rowCount == 3)
    #expect(names == ["a.h5"])
  }

  @Test("a file that appears meanwhile is not replaced")
  func appearing() throws {
    let path = folder.file("a.h5")
    let writer = try DatasetWriter(
      path: path, arrays: [.init(name: "samples", type: .uint8, shape: [1])])
    try writer.append([1 as UInt8], to: "samples")
    try folder.write([9], to: "a.h5")
    #expect(throws: DatasetError.exists(path: path)) { try writer.finish() }
    #expect(try contents(of: path) == [9])
    #expect(names == ["a.h5"])
  }

  @Test("nothing is left of a file that is not finished, or that lacks or exceeds its elements")
  func unfinished() throws {
    let path = folder.file("a.h5")
    do {
      let writer = try DatasetWriter(path: path, arrays: arrays)
      try writer.append([1, 2] as [UInt8], to: "samples")
      #expect(
        throws: DatasetError.wrongCount(path: path, dataset: "labels", found: 0, expected: 24)
      ) { try writer.finish() }
      #expect(
        throws: DatasetError.wrongCount(path: path, dataset: "samples", found: 7, expected: 6)
      ) { try writer.append([1, 2, 3, 4, 5] as [UInt8], to: "samples") }
    }
    #expect(names.isEmpty)
  }

  @Test("a folder that is missing is named")
  func unwritable() throws {
    let path = folder.file("no/a.h5")
    let error = #expect(throws: DatasetError.self) {
      try DatasetWriter(path: path, arrays: arrays)
    }
    #expect(error?.description == "\(path): cannot create it: No such file or directory")
  }
}

import Datasets
import Foundation
import HDF5
import TestSupport
import Testing

@Suite("Refused data files")
struct RefusedDatasetTests {
  let folder: TemporaryFolder
  private let labels = TestArray(counting: "labels", .int32, [4])

  init() throws { folder = try TemporaryFolder() }

  private func message(
    _ arrays: [TestArray], _ options: Dataset.Options = .init()
  ) throws -> String {
    try message(folder.write(arrays), options)
  }

  private func message(
    _ path: String, _ options: Dataset.Options = .init(),
    _ body: (Dataset) throws -> Void = { _ in }
  ) throws -> String {
    let error = #expect(throws: DatasetError.self) {
      try body(try Dataset.open(path, options: options))
    }
    return (error?.description ?? "").replacingOccurrences(of: folder.path + "/", with: "")
  }

  @Test("missing files, also those a command makes")
  func missing() throws {
    #expect(try message(folder.file("no.h5")) == "no.h5: No such file or directory")
    #expect(
      try message(folder.file("fashion-mnist/train.h5"))
        == "fashion-mnist/train.h5: No such file or directory; "
        + "'launch/data fashion-mnist' makes it")
    #expect(
      try message(folder.write([1, 2, 3], to: "train.csv")) == "train.csv: not an HDF5 file")
  }

  @Test("a file cut off anywhere")
  func truncated() throws {
    let path = try folder.write([TestArray(counting: "samples", .float32, [4, 9]), labels])
    let bytes = try contents(of: path)
    for count in stride(from: 0, to: bytes.count, by: 41) + [bytes.count - 1] {
      let cut = try folder.write(Array(bytes[..<count]), to: "cut.h5")
      #expect(throws: DatasetError.self, "\(count) of \(bytes.count) bytes") {
        try Dataset.open(cut)
      }
    }
  }

  @Test("names that are not known, with what is there and what was looked for")
  func names() throws {
    #expect(
      try message([TestArray(counting: "pixels", .uint8, [4, 2]), labels])
        == "train.h5: no samples: holds 'labels', 'pixels', looked for 'samples', 'data', 'x', "
        + "'X', 'images', 'features', 'train/samples', 'train/data', 'train/x', 'train/X', "
        + "'train/images', 'train/features', 'test/samples', 'test/data', 'test/x', 'test/X', "
        + "'test/images', 'test/features'")
    let samples = TestArray(counting: "samples", .uint8, [4, 2])
    #expect(
      try message([samples, labels], .init(samples: "pixels"))
        == "train.h5: no samples: holds 'labels', 'samples', looked for 'pixels'")
    #expect(
      try message([samples, labels], .init(targets: "classes"))
        == "train.h5: no targets: holds 'labels', 'samples', looked for 'classes'")
  }

  @Test("extents that do not fit")
  func extents() throws {
    let samples = TestArray(counting: "samples", .uint8, [4, 2])
    #expect(
      try message([samples, TestArray(counting: "labels", .int32, [5])])
        == "train.h5: 'labels' has 5 rows but 'samples' has 4")
    #expect(
      try message([TestArray(counting: "samples", .uint8, [0, 2]), labels])
        == "train.h5: 'samples' has 0 rows, expected 1 or more")
    #expect(
      try message([samples, TestArray(counting: "labels", .int32, [4, 10])])
        == "train.h5: 'labels' has extents [4, 10], expected [row], one class number each")
    #expect(
      try message([samples, TestArray(counting: "responses", .float32, [4, 2, 2])])
        == "train.h5: 'responses' has extents [4, 2, 2], expected [row, response]")
    #expect(
      try message([TestArray(counting: "samples", .uint8, []), labels])
        == "train.h5: 'samples' has extents [], expected [row, ...]")
    #expect(
      try message([TestArray(counting: "samples", .uint8, [4, 0]), labels])
        == "train.h5: 'samples' has extents [4, 0], expected extents of 1 or more")
  }

  @Test("labels that are no class numbers, with the first row")
  func badLabels() throws {
    let samples = TestArray(counting: "samples", .uint8, [4, 2])
    func message(_ type: HDF5ScalarType, _ values: [Double]) throws -> String {
      try self.message([samples, TestArray("labels", type, [4], values)])
    }
    let expected = "expected a class number: whole, from 0 to 2147483647"
    #expect(
      try message(.int32, [0, 1, -1, -2]) == "train.h5: 'labels' row 2 is -1, \(expected)")
    #expect(
      try message(.float32, [0, 1, 2, 0.5]) == "train.h5: 'labels' row 3 is 0.5, \(expected)")
    #expect(
      try message(.float64, [.nan, 1, 2, 3]) == "train.h5: 'labels' row 0 is nan, \(expected)")
    #expect(
      try message(.uint64, [0, 4_294_967_296, 2, 3])
        == "train.h5: 'labels' row 1 is 4294967296, \(expected)")
    let path = try folder.write([samples, labels])
    #expect(
      try self.message(path) { dataset in try dataset.validateLabels(classCount: 3) }
        == "train.h5: 'labels' row 3 is 3, expected a class within 0..<3")
    try Dataset.open(path).validateLabels(classCount: 4)
  }

  @Test("numbers that are not finite: at opening in memory, at reading from the file")
  func notFinite() throws {
    for (value, type, found) in [
      (Double.nan, HDF5ScalarType.float32, "nan"), (.infinity, .float64, "inf"),
      (-.infinity, .float16, "-inf"), (1e300, .float64, "inf"),
    ] {
      let path = try folder.write([
        TestArray("samples", type, [3, 9], Array(repeating: 1, count: 25) + [value, 1])
      ])
      let expected = "train.h5: 'samples' row 2 holds \(found), expected finite numbers"
      #expect(try message(path) == expected)
      #expect(
        try message(path, .init(inMemoryLimit: 0)) { dataset in _ = try dataset.samples([2]) }
          == expected)
      #expect(try Dataset.open(path, options: .init(inMemoryLimit: 0)).samples([1]).count == 9)
    }
  }

  @Test("attributes that mean nothing")
  func attributes() throws {
    func message(_ shape: [Int], _ attributes: [String: HDF5Attribute]) throws -> String {
      try self.message([TestArray(counting: "samples", .uint8, shape, attributes)])
    }
    #expect(
      try message([2, 3, 2, 2], ["layout": .string("nchw")])
        == "train.h5: attribute 'layout' of 'samples' is 'nchw', expected 'chw' or 'hwc'")
    #expect(
      try message([2, 3], ["layout": .string("hwc")])
        == "train.h5: 'samples' has extents [2, 3], "
        + "expected [row, height, width, channel] for layout 'hwc'")
    #expect(
      try message([2, 3, 2, 2], ["scale": .doubles([1, 2])])
        == "train.h5: attribute 'scale' of 'samples' is [1.0, 2.0], "
        + "expected a finite number, or 3 of them, one per channel")
    #expect(
      try message([2, 1, 2, 2], ["bias": .string("none")])
        == "train.h5: attribute 'bias' of 'samples' is 'none', expected a finite number")
    #expect(
      try message([2, 1, 2, 2], ["scale": .double(1e38)])
        == "train.h5: attribute 'scale' of 'samples' is 1e+38, "
        + "expected one that keeps every u8 finite")
  }
}

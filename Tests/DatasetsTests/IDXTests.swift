import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite("IDX files")
struct IDXTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// The bytes of an IDX file.
  private func idx(_ type: UInt8, _ shape: [UInt32], _ elements: [UInt8]) -> [UInt8] {
    [0, 0, type, UInt8(shape.count)]
      + shape.flatMap { extent in (0..<4).map { UInt8(truncatingIfNeeded: extent >> (24 - 8 * $0)) }
      }
      + elements
  }

  private func message(_ body: () throws -> Void) -> String {
    let error = #expect(throws: DatasetError.self) { try body() }
    return (error?.description ?? "").replacingOccurrences(of: folder.path + "/", with: "")
  }

  private func gzip(_ path: String) throws -> String {
    _ = try output(of: "/usr/bin/gzip", "-kn", path)
    return path + ".gz"
  }

  @Test("a pair becomes a data file, plain and compressed alike", arguments: [false, true])
  func imports(isCompressed: Bool) throws {
    var samples = try folder.write(
      idx(8, [3, 2, 2], [0, 255, 51, 0, 1, 2, 3, 4, 5, 6, 7, 8]), to: "s")
    var labels = try folder.write(idx(8, [3], [1, 0, 1]), to: "l")
    if isCompressed { (samples, labels) = (try gzip(samples), try gzip(labels)) }
    let path = folder.file("train.h5")
    try importIDX(samples: samples, labels: labels, to: path, classNames: ["shirt", "shoe"])
    let dataset = try Dataset.open(path)
    #expect(dataset.sampleShape == [1, 2, 2])
    #expect(try dataset.samples([0]) == [0, 255, 51, 0].map { Float(1.0 / 255) * $0 })
    #expect(dataset.labels([0, 1, 2]) == [1, 0, 1])
    #expect(dataset.targets == .labels(classNames: ["shirt", "shoe"]))
    let description = try dataset.describe()
    #expect(description.arrays[0].attributes["layout"] == "'chw'")
    #expect(description.arrays[0].attributes["bias"] == "0.0")
    #expect(description.arrays.map(\.type) == ["u8", "u8"])
    #expect(
      message { try importIDX(samples: samples, labels: labels, to: path) }.contains("exists"))
  }

  @Test("extents that the bytes of a file cannot hold are refused before anything is made")
  func claims() throws {
    let labels = try folder.write(idx(8, [1 << 20], []), to: "l")
    let huge = try folder.write(idx(8, [1 << 20, 1 << 20, 1 << 20], [1, 2, 3]), to: "s")
    let packed = (try gzip(huge), try gzip(labels))
    #expect(
      message { try importIDX(samples: packed.0, labels: packed.1, to: folder.file("o.h5")) }
        == "s.gz: extents [1048576, 1048576, 1048576], expected as many elements as "
        + "\(try contents(of: packed.0).count) bytes can hold")
    let beyond = try folder.write(
      idx(8, [UInt32.max, UInt32.max >> 1, 1], [1]), to: "beyond")
    #expect(message { _ = try IDXFile(beyond) }.contains(", expected "))
    #expect(!FileManager.default.fileExists(atPath: folder.file("o.h5")))
  }

  @Test(
    "every type is read, most significant byte first",
    arguments: [
      (8, [0x02], 2), (9, [0xFE], -2), (0x0B, [0xFE, 0xFF], -257), (0x0C, [0, 1, 0, 0], 65536),
      (0x0D, [0x3F, 0xC0, 0, 0], 1.5), (0x0E, [0xBF, 0xF8, 0, 0, 0, 0, 0, 0], -1.5),
    ] as [(UInt8, [UInt8], Float)])
  func types(type: UInt8, bytes: [UInt8], value: Float) throws {
    let samples = try folder.write(idx(type, [1, 2], bytes + bytes), to: "s")
    let labels = try folder.write(idx(0x0C, [1], [0, 0, 0, 3]), to: "l")
    try importIDX(samples: samples, labels: labels, to: folder.file("a.h5"), scale: 2)
    let dataset = try Dataset.open(folder.file("a.h5"))
    #expect(try dataset.samples([0]) == [2 * value, 2 * value])
    #expect(dataset.labels([0]) == [3])
  }

  @Test("a file cut off anywhere is refused and nothing is written", arguments: [false, true])
  func truncated(isCompressed: Bool) throws {
    let labels = try folder.write(idx(8, [2], [1, 0]), to: "l")
    let whole = try folder.write(idx(8, [2, 40], (0..<80).map { $0 &* 37 }), to: "s")
    let bytes = try contents(of: isCompressed ? gzip(whole) : whole)
    for count in 0..<bytes.count {
      let cut = try folder.write(Array(bytes[..<count]), to: "cut")
      #expect(throws: DatasetError.self, "\(count) of \(bytes.count) bytes") {
        try importIDX(samples: cut, labels: labels, to: folder.file("a.h5"))
      }
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.h5")))
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(!names.contains { $0.hasPrefix(".") })
  }

  @Test("what is wrong is named")
  func refused() throws {
    let good = try folder.write(idx(8, [2, 2], [1, 2, 3, 4]), to: "s")
    let labels = try folder.write(idx(8, [2], [1, 0]), to: "l")
    func importing(samples: String? = nil, labels other: String? = nil, names: [String]? = nil)
      -> String
    {
      message {
        try importIDX(
          samples: samples ?? good, labels: other ?? labels, to: folder.file("a.h5"),
          classNames: names)
      }
    }
    #expect(importing(samples: folder.file("no")) == "no: No such file or directory")
    #expect(
      importing(samples: try folder.write(Array("hello".utf8), to: "text"))
        == "text: starts with [104, 101, 108, 108], expected the IDX format: 0, 0, type, axes")
    #expect(
      importing(samples: try folder.write(idx(8, [2, 2], [1, 2, 3]), to: "short"))
        == "short: 15 bytes, expected 16 for uint8 of extents [2, 2]")
    #expect(
      importing(samples: try folder.write(idx(8, [2, 2], [1, 2, 3, 4, 5]), to: "long"))
        == "long: 17 bytes, expected 16 for uint8 of extents [2, 2]")
    let long = try gzip(folder.file("long"))
    #expect(
      importing(samples: long)
        == "long.gz: more than 4 bytes of elements, expected 4 for uint8 of extents [2, 2]")
    #expect(
      importing(samples: try folder.write(idx(8, [.max, .max, .max], []), to: "huge"))
        .contains("expected a file that can exist"))
    #expect(
      importing(labels: try folder.write(idx(8, [3], [1, 0, 1]), to: "three")).hasSuffix(
        "three' has 3 rows but '\(folder.path)/s' has 2".replacingOccurrences(
          of: folder.path + "/", with: "")))
    #expect(
      importing(labels: good) == "s: uint8 of extents [2, 2], expected integers of extents [row]")
    #expect(
      importing(samples: labels) == "l: extents [2], expected [row, ...] of two axes or more")
    #expect(
      importing(names: ["one"]) == "l: 'labels' row 0 is 1, expected one of 1 classes")
    #expect(
      importing(labels: try folder.write(idx(9, [2], [0, 255]), to: "minus"))
        == "minus: 'labels' row 1 is -1, expected 0 or more")
  }
}

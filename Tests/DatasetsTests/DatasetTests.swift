import Datasets
import HDF5
import Tensors
import TestSupport
import Testing

private let allTypes: [HDF5ScalarType] =
  [1, 2, 3, 4, 8].flatMap { bytes in
    [true, false].map { .integer(byteCount: bytes, isSigned: $0) }
  }.flatMap { [$0, $0.bigEndian] }
  + [HDF5ScalarType.float16, .float32, .float64].flatMap { [$0, $0.bigEndian] }

@Suite("Data sets")
struct DatasetTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("every number type gives the same values, in memory and from the file", arguments: allTypes)
  func types(type: HDF5ScalarType) throws {
    let path = try folder.write([
      TestArray(counting: "samples", type, [6, 5]),
      TestArray("labels", type, [6], [0, 1, 2, 0, 1, 2]),
    ])
    let rows = [3, 0, 5, 5, 4]
    for limit in [Int.max, 0] {
      let dataset = try Dataset.open(
        path, options: .init(targetKind: .labels, inMemoryLimit: limit))
      #expect(dataset.isInMemory == (limit > 0))
      #expect(dataset.rowCount == 6)
      #expect(dataset.sampleShape == [5])
      #expect(
        try dataset.samples(rows) == rows.flatMap { row in (0..<5).map { Float(row * 5 + $0) } })
      #expect(dataset.labels(rows) == [0, 0, 2, 2, 1])
      #expect(dataset.classCountOfLabels == 3)
    }
  }

  @Test(
    "a row's bits are scale · raw + bias in Float, in memory and from the file",
    arguments: [
      HDF5ScalarType.uint8, .int16.bigEndian, .uint64, .float16, .float32, .float64.bigEndian,
    ], ["chw", "hwc"])
  func sameBits(type: HDF5ScalarType, layout: String) throws {
    let (scales, biases) = ([1.0 / 255, 0.3, 7], [-0.1, 0, 1e-3])
    let shape = layout == "chw" ? [40, 3, 5, 4] : [40, 5, 4, 3]
    let array = TestArray(
      counting: "samples", type, shape, modulus: 251 - (type.isSigned ? 140 : 0),
      ["scale": .doubles(scales), "bias": .doubles(biases), "layout": .string(layout)])
    let path = try folder.write([array])
    let inMemory = try Dataset.open(path)
    let inFile = try Dataset.open(path, options: .init(inMemoryLimit: 100))
    #expect(inMemory.sampleShape == [3, 5, 4])
    let rows = (0..<100).map { ($0 * 17 + $0 / 40) % 40 }
    let expected = rows.flatMap { row in
      (0..<3).flatMap { channel in
        (0..<20).map { pixel -> Float in
          let index = layout == "chw" ? channel * 20 + pixel : pixel * 3 + channel
          let raw = Float(array.values[row * 60 + index])
          return Float(scales[channel]) * raw + Float(biases[channel])
        }
      }
    }
    #expect(try inMemory.samples(rows).map(\.bitPattern) == expected.map(\.bitPattern))
    #expect(try inFile.samples(rows).map(\.bitPattern) == expected.map(\.bitPattern))
    #expect(inMemory.fingerprint == inFile.fingerprint)
  }

  @Test(
    "any number of rows in any order gives each its own values", arguments: [0, 1, 3, 4, 5, 8, 257])
  func counts(count: Int) throws {
    for type in [HDF5ScalarType.uint8, .int16, .float32, .float64] {
      let path = try folder.write([TestArray(counting: "samples", type, [90, 33], modulus: 127)])
      let rows = (0..<count).map { $0 * 71 % 90 }
      let expected = rows.flatMap { row in (0..<33).map { Float((row * 33 + $0) % 127) } }
      #expect(try Dataset.open(path).samples(rows) == expected)
      #expect(try Dataset.open(path, options: .init(inMemoryLimit: 0)).samples(rows) == expected)
    }
  }

  @Test(
    "known names are found, at the root and in groups, and the rule is told",
    arguments: [
      ("samples", "labels", "'samples' and 'labels', names known as samples/labels"),
      ("data", "label", "'data' and 'label', names known as data/label"),
      ("x", "y", "'x' and 'y', names known as x/y"),
      ("X", "Y", "'X' and 'Y', names known as X/Y"),
      ("images", "labels", "'images' and 'labels', names known as images/labels"),
      ("features", "targets", "'features' and 'targets', names known as features/targets"),
      ("test/x", "test/y", "'test/x' and 'test/y', names known as x/y in group 'test'"),
    ])
  func names(samples: String, targets: String, rule: String) throws {
    let path = try folder.write([
      TestArray(counting: samples, .float32, [4, 2]), TestArray(counting: targets, .int32, [4, 1]),
    ])
    let dataset = try Dataset.open(path)
    #expect(dataset.matchedRule == rule)
    #expect(dataset.targets == .labels(classNames: nil))
    #expect(dataset.labels([3, 1]) == [3, 1])
  }

  @Test("of a file with both groups the one asked for is opened")
  func groups() throws {
    let path = try folder.write([
      TestArray("train/x", .float32, [2], [1, 2]), TestArray("train/y", .int32, [2], [0, 1]),
      TestArray("test/x", .float32, [1], [3]), TestArray("test/y", .int32, [1], [0]),
    ])
    #expect(try Dataset.open(path).rowCount == 2)
    #expect(try Dataset.open(path, options: .init(group: "train")).rowCount == 2)
    #expect(try Dataset.open(path, options: .init(group: "test")).samples([0]) == [3])
  }

  @Test("names given by option come first, and the kind asked for decides")
  func givenNames() throws {
    let path = try folder.write([
      TestArray(counting: "a/in", .float32, [4, 2]), TestArray(counting: "out", .float64, [4, 1]),
      TestArray(counting: "samples", .float32, [3, 2]),
    ])
    var options = Dataset.Options(samples: "a/in", targets: "out")
    let dataset = try Dataset.open(path, options: options)
    #expect(dataset.targets == .responses(count: 1))
    #expect(dataset.matchedRule == "'a/in' and 'out', as asked for")
    options.targetKind = .labels
    #expect(try Dataset.open(path, options: options).labels([2]) == [2])
  }

  @Test(
    "responses keep their numbers, one or several per row, and are chosen over labels if asked for")
  func responses() throws {
    let path = try folder.write([
      TestArray(counting: "samples", .float32, [4, 2]), TestArray(counting: "labels", .int32, [4]),
      TestArray("responses", .float64, [4, 3], (0..<12).map { Double($0) / 4 }),
    ])
    #expect(try Dataset.open(path).targets == .labels(classNames: nil))
    for limit in [Int.max, 0] {
      let dataset = try Dataset.open(
        path, options: .init(targetKind: .responses, inMemoryLimit: limit))
      #expect(dataset.targets == .responses(count: 3))
      #expect(try dataset.responses([2, 0], count: 3) == [1.5, 1.75, 2, 0, 0.25, 0.5])
    }
  }

  @Test("samples alone open without targets, and the missing ones are named")
  func noTargets() throws {
    let path = try folder.write([TestArray(counting: "samples", .float32, [4, 2])], to: "a.h5")
    let dataset = try Dataset.open(path)
    #expect(dataset.targets == .none)
    let error = #expect(throws: DatasetError.self) { try dataset.requireTargets() }
    #expect(
      error?.description
        == "\(path): no targets: holds 'samples', looked for 'labels', 'responses'")
  }

  @Test("the fingerprint depends on content, type, extents and attributes, not on the path")
  func fingerprints() throws {
    let labels = TestArray(counting: "labels", .int32, [4])
    func print(_ samples: TestArray, _ labels: TestArray, _ name: String) throws -> String {
      try Dataset.open(folder.write([samples, labels], to: name)).fingerprint
    }
    let first = try print(TestArray(counting: "samples", .float32, [4, 2]), labels, "1.h5")
    #expect(first.count == 64)
    #expect(try print(TestArray(counting: "samples", .float32, [4, 2]), labels, "2.h5") == first)
    let others = [
      try print(TestArray(counting: "samples", .float32, [4, 2], modulus: 7), labels, "3.h5"),
      try print(TestArray(counting: "samples", .float64, [4, 2]), labels, "4.h5"),
      try print(TestArray(counting: "samples", .float32, [4, 1, 2]), labels, "5.h5"),
      try print(
        TestArray(counting: "samples", .float32, [4, 2], ["scale": .double(2)]), labels, "6.h5"),
      try print(
        TestArray(counting: "samples", .float32, [4, 2]),
        TestArray(counting: "labels", .int32, [4], modulus: 3), "7.h5"),
    ]
    #expect(Set(others + [first]).count == 6)
  }

  @Test("many threads read the same rows")
  func threads() async throws {
    let path = try folder.write([TestArray(counting: "samples", .uint8, [200, 16], modulus: 253)])
    for limit in [Int.max, 0] {
      let dataset = try Dataset.open(path, options: .init(inMemoryLimit: limit))
      let rows = (0..<64).map { $0 * 37 % 200 }
      let expected = try dataset.samples(rows)
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for _ in 0..<8 {
          group.addTask { try (0..<20).allSatisfy { _ in try dataset.samples(rows) == expected } }
        }
        for try await isSame in group { #expect(isSame) }
      }
    }
  }

  @Test("a description tells shapes, ranges, rows per class and what matched")
  func description() throws {
    let path = try folder.write([
      TestArray(
        "samples", .uint8, [3, 1, 1, 2], [0, 255, 51, 0, 0, 0],
        [
          "scale": .double(1.0 / 255), "layout": .string("chw"),
        ]),
      TestArray(
        "labels", .int64.bigEndian, [3], [2, 0, 2], ["class_names": .strings(["a", "b", "c"])]),
    ])
    let dataset = try Dataset.open(path)
    #expect(dataset.targets == .labels(classNames: ["a", "b", "c"]))
    let description = try dataset.describe()
    #expect(
      description.description == """
        \(path): 3 rows, samples [1, 1, 2], 3 classes
          matched 'samples' and 'labels', names known as samples/labels
          samples: u8 [3, 1, 1, 2]
            layout: 'chw'
            scale: \(1.0 / 255)
            values 0.0 to 1.0, mean 0.20000000298023224
          labels: i64 big-endian [3]
            class_names: ['a', 'b', 'c']
          rows per class:
            0 a: 1
            1 b: 0
            2 c: 2
          fingerprint \(dataset.fingerprint)
        """)
  }
}

import Foundation
import HDF5
import TestSupport
import Testing

@Suite("Files")
struct FileTests {
  @Test("what is written in memory is read from its image, and from the image on disk")
  func image() throws {
    let folder = try TemporaryFolder()
    let file = try HDF5File(inMemory: "model")
    try file.write(
      "/parameters/affine1/weight", [1, 2, 3, 4, 5, 6] as [Float], type: .float32, shape: [2, 3])
    try file.write("run/step", [7 as Int64], type: .int64, shape: [])
    let bytes = try file.image()
    #expect(try file.imageByteCount() == bytes.count)
    let path = try folder.write(bytes, to: "model.h5")
    for copy in [
      try bytes.withUnsafeBytes { try HDF5File(image: $0, name: "copy") },
      try HDF5File(reading: path),
    ] {
      #expect(try copy.read("parameters/affine1/weight", zero: 0 as Float) == [1, 2, 3, 4, 5, 6])
      #expect(try copy.read("/run/step", zero: 0 as Int64) == [7])
      #expect(
        try copy.datasets().map { "\($0.path) \($0.typeName) \($0.shape)" } == [
          "/parameters/affine1/weight f32 [2, 3]", "/run/step i64 []",
        ])
      #expect(try copy.datasets(below: "run").map(\.path) == ["/run/step"])
      #expect(try copy.children() == ["parameters", "run"])
      #expect(try copy.kind(of: "parameters") == .group)
      #expect(try copy.kind(of: "run/step") == .dataset)
      #expect(try copy.kind(of: "run/epoch") == nil)
    }
  }

  @Test("files in memory of one name are different files")
  func sameName() throws {
    let files = try (0..<2).map { _ in try HDF5File(inMemory: "same") }
    try files[0].write("x", [1 as Float], type: .float32)
    #expect(try files[1].datasets().isEmpty)
    let image = try files[0].image()
    let copies = try image.withUnsafeBytes { bytes in
      try (0..<2).map { _ in try HDF5File(image: bytes, name: "same") }
    }
    #expect(try copies.map { try $0.read("x", zero: 0 as Float) } == [[1], [1]])
  }

  @Test("equal calls make equal bytes")
  func reproducible() throws {
    func make() throws -> [UInt8] {
      let file = try HDF5File(inMemory: "a")
      try file.createGroup("a/b/c")
      try file.write("a/x", [1, 2] as [Float], type: .float32)
      try file.setAttribute("names", of: "a/x", to: .strings(["one", "two"]))
      try file.setAttribute("version", of: "/", to: .string("1"))
      return try file.image()
    }
    let first = try make()
    // Time stamps count in seconds.
    usleep(1_100_000)
    #expect(try make() == first)
  }

  @Test("every attribute survives and is replaced by the next of its name")
  func attributes() throws {
    let file = try HDF5File(inMemory: "attributes")
    try file.createGroup("g")
    let values: [(String, HDF5Attribute)] = [
      ("string", .string("grüß")), ("empty", .string("")), ("strings", .strings(["a", "", "äöü"])),
      ("integer", .integer(.min)), ("integers", .integers([1, -2])), ("unsigned", .unsigned(.max)),
      ("double", .double(1.0 / 255)), ("doubles", .doubles([0.1, -.infinity])),
      ("none", .doubles([])),
    ]
    for (name, value) in values {
      try file.setAttribute(name, of: "g", to: .integer(0))
      try file.setAttribute(name, of: "g", to: value)
    }
    for (name, value) in values { #expect(try file.attribute(name, of: "g") == value) }
    #expect(try file.attribute("missing", of: "g") == nil)
    #expect(try file.attributeNames(of: "g") == values.map(\.0).sorted())
    #expect(throws: HDF5Error.missing(file: "attributes", object: "h")) {
      try file.attribute("a", of: "h")
    }
  }

  @Test("rows are read alone as they are read together")
  func rows() throws {
    let file = try HDF5File(inMemory: "rows")
    try file.write(
      "x", (0..<60).map { Int16($0) }, type: .int16.bigEndian, shape: [5, 3, 4], from: .int16)
    let dataset = try file.dataset("x")
    #expect(dataset.rowElementCount == 12)
    for range in [0..<5, 0..<1, 2..<4, 4..<5, 3..<3] {
      var rows = [Float](repeating: 0, count: range.count * 12)
      try rows.withUnsafeMutableBytes { buffer throws in
        try dataset.read(rows: range, into: buffer, as: .float32)
      }
      #expect(rows == (range.lowerBound * 12..<range.upperBound * 12).map { Float($0) })
    }
  }

  @Test("h5dump reads what is written")
  func readableByTools() throws {
    let folder = try TemporaryFolder()
    let file = try HDF5File(creating: folder.file("a.h5"))
    try file.write("group/x", [1.5, 2.5] as [Float], type: .float32)
    try file.setAttribute("layout", of: "group/x", to: .string("chw"))
    try file.close()
    let output = try output(of: "/usr/bin/h5dump", folder.file("a.h5"))
    #expect(output.contains("DATASET \"x\""))
    #expect(output.contains("(0): 1.5, 2.5"))
    #expect(output.contains("(0): \"chw\""))
  }

  @Test("a buffer of another size is refused")
  func wrongCount() throws {
    let file = try HDF5File(inMemory: "count")
    try file.write("x", [1, 2, 3] as [Float], type: .float32)
    let dataset = try file.dataset("x")
    var two = [Float](repeating: 0, count: 2)
    let error = #expect(throws: HDF5Error.self) {
      try two.withUnsafeMutableBytes { buffer throws in try dataset.read(into: buffer) }
    }
    #expect(error?.description == "count: 8 bytes for '/x', expected 12")
  }

  @Test("calls from many threads at once give right answers")
  func threads() async throws {
    let file = try HDF5File(inMemory: "threads")
    try file.write("x", (0..<1000).map { Int32($0) }, type: .int32)
    let dataset = try file.dataset("x")
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for task in 0..<8 {
        group.addTask {
          for step in 0..<200 {
            let row = (task * 131 + step * 7) % 1000
            var value = [Int32](repeating: -1, count: 1)
            try value.withUnsafeMutableBytes { buffer throws in
              try dataset.read(rows: row..<row + 1, into: buffer)
            }
            guard value[0] == Int32(row) else { return false }
          }
          return true
        }
      }
      for try await isRight in group { #expect(isRight) }
    }
  }
}

import HDF5
import TestSupport
import Testing

@Suite("Scalar types")
struct ScalarTypeTests {
  @Test(
    "every integer and float in either byte order is described as it was created",
    arguments: allTypes)
  func describes(type: HDF5ScalarType) throws {
    let file = try HDF5File(inMemory: "types")
    try file.createDataset("a", type: type, shape: [3])
    #expect(try file.dataset("a").info.type == type)
    #expect(try file.dataset("a").info.typeName == type.description)
  }

  @Test("numbers survive every type in either byte order", arguments: allTypes)
  func roundTrip(type: HDF5ScalarType) throws {
    let folder = try TemporaryFolder()
    let values: [Double] = type.isSigned ? [-3, 0, 1, 100] : [3, 0, 1, 200]
    let created = try HDF5File(creating: folder.file("a.h5"))
    try created.write("x", values, type: type, from: .float64)
    try created.close()
    let file = try HDF5File(reading: folder.file("a.h5"))
    #expect(try file.read("x", as: .float64, zero: 0 as Double) == values)
    if type.kind == .integer {
      #expect(try file.read("x", as: .int64, zero: 0 as Int64) == values.map { Int64($0) })
    }
    // The machine type holds every value.
    let machine = type.machineType
    #expect(machine.byteCount >= type.byteCount && !machine.isBigEndian)
    var bytes = [UInt8](repeating: 0, count: values.count * machine.byteCount)
    let dataset = try file.dataset("x")
    try bytes.withUnsafeMutableBytes { buffer throws in
      try dataset.read(into: buffer, as: machine)
    }
    let again = try HDF5File(inMemory: "again")
    try again.write("x", bytes, type: machine, shape: [values.count])
    #expect(try again.read("x", as: .float64, zero: 0 as Double) == values)
  }

  @Test("extreme integers are exact")
  func extremes() throws {
    let file = try HDF5File(inMemory: "extremes")
    try file.write("u", [UInt64.max, 0], type: .uint64.bigEndian, from: .uint64)
    try file.write("i", [Int64.min, .max], type: .int64.bigEndian, from: .int64)
    #expect(try file.read("u", as: .uint64, zero: 0 as UInt64) == [.max, 0])
    #expect(try file.read("i", as: .int64, zero: 0 as Int64) == [.min, .max])
  }

  @Test("without a type the file's own bytes come back, least significant first")
  func littleEndian() throws {
    let file = try HDF5File(inMemory: "order")
    try file.write("x", [0x0102_0304 as UInt32], type: .uint32.bigEndian)
    #expect(try file.read("x", zero: 0 as UInt32) == [0x0102_0304])
    let image = try file.image()
    let offset = try #require(try file.dataset("x").fileOffset)
    #expect(Array(image[offset..<offset + 4]) == [1, 2, 3, 4])
  }

  @Test("half precision is IEEE's")
  func halfPrecision() throws {
    let file = try HDF5File(inMemory: "half")
    try file.write("x", [1, -2, 65504, 0.5] as [Float], type: .float16, from: .float32)
    #expect(try file.read("x", zero: 0 as UInt16) == [0x3C00, 0xC000, 0x7BFF, 0x3800])
  }
}

import CHDF5
import HDF5
import TestSupport
import Testing

@Suite("Reading past libhdf5", .serialized)
struct DirectOffsetTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("the offset finds the elements, behind a user block too")
  func userBlock() throws {
    let path = folder.file("block.h5")
    let creation = H5Pcreate(chdf5_file_create_class())
    H5Pset_userblock(creation, 512)
    let raw = H5Fcreate(path, chdf5_truncate(), creation, chdf5_default())
    let space = H5Screate_simple(1, [4], nil)
    let dataset = H5Dcreate2(
      raw, "x", chdf5_u8le(), space, chdf5_default(), chdf5_default(), chdf5_default())
    H5Dwrite(
      dataset, chdf5_u8le(), chdf5_space_all(), chdf5_space_all(), chdf5_default(),
      [9, 8, 7, 6] as [UInt8])
    H5Dclose(dataset)
    H5Fclose(raw)
    let offset = try #require(try HDF5File(reading: path).dataset("x").directOffset)
    #expect(try contents(of: path)[offset..<offset + 4] == [9, 8, 7, 6])
  }

  @Test("there is none where elements differ from memory, or are in pieces")
  func none() throws {
    let path = folder.file("types.h5")
    let raw = H5Fcreate(path, chdf5_truncate(), chdf5_default(), chdf5_default())
    let space = H5Screate_simple(1, [4], nil)
    // Twelve bits of sixteen, shifted by two.
    let twelve = H5Tcopy(chdf5_u8le())
    H5Tset_size(twelve, 2)
    H5Tset_precision(twelve, 12)
    H5Tset_offset(twelve, 2)
    let chunked = H5Pcreate(chdf5_dataset_create_class())
    H5Pset_chunk(chunked, 1, [2])
    for (name, type, creation) in [
      ("twelve", twelve, chdf5_default()), ("chunked", chdf5_u8le(), chunked),
    ] {
      let dataset = H5Dcreate2(
        raw, name, type, space, chdf5_default(), creation, chdf5_default())
      H5Dwrite(
        dataset, chdf5_u8le(), chdf5_space_all(), chdf5_space_all(), chdf5_default(),
        [9, 8, 7, 6] as [UInt8])
      H5Dclose(dataset)
    }
    H5Fclose(raw)
    let file = try HDF5File(reading: path)
    for name in ["twelve", "chunked"] {
      #expect(try file.dataset(name).directOffset == nil)
      #expect(try file.read(name, as: .uint8, zero: 0 as UInt8) == [9, 8, 7, 6])
    }
    let memory = try HDF5File(inMemory: "memory")
    for type in [HDF5ScalarType.uint16.bigEndian, .float16, .integer(byteCount: 3, isSigned: true)]
    {
      #expect(try memory.createDataset("\(type)", type: type, shape: [2]).directOffset == nil)
    }
    #expect(try memory.createDataset("f32", type: .float32, shape: [2]).directOffset != nil)
  }
}

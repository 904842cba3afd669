import CHDF5
import HDF5
import TestSupport
import Testing

/// Files that claim more than they hold, that were stored by unknown filters, or that go too deep.
@Suite("Limits of files", .serialized)
struct StorageTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Makes a chunked dataset `x` of bytes and writes ones into its first elements.
  ///
  /// - Parameters:
  ///   - shape: Its extents.
  ///   - chunk: The extents of a chunk.
  ///   - written: The extents of the block that is written; nil for nothing.
  ///   - prepare: Adds filters.
  /// - Returns: The path of the file.
  private func make(
    _ shape: [hsize_t], chunk: [hsize_t], written: [hsize_t]?, prepare: (hid_t) -> Void = { _ in }
  ) -> String {
    let path = folder.file("x.h5")
    let file = H5Fcreate(path, chdf5_truncate(), chdf5_default(), chdf5_default())
    let creation = H5Pcreate(chdf5_dataset_create_class())
    H5Pset_chunk(creation, Int32(chunk.count), chunk)
    prepare(creation)
    let space = H5Screate_simple(Int32(shape.count), shape, nil)
    let dataset = H5Dcreate2(
      file, "x", chdf5_u8le(), space, chdf5_default(), creation, chdf5_default())
    if let written {
      let start = [hsize_t](repeating: 0, count: shape.count)
      H5Sselect_hyperslab(space, H5S_SELECT_SET, start, nil, written, nil)
      let count = written.reduce(1, *)
      let memory = H5Screate_simple(1, [count], nil)
      let values = [UInt8](repeating: 1, count: Int(count))
      H5Dwrite(dataset, chdf5_u8le(), memory, space, chdf5_default(), values)
      H5Sclose(memory)
    }
    H5Dclose(dataset)
    H5Sclose(space)
    H5Pclose(creation)
    H5Fclose(file)
    return path
  }

  private func message(_ path: String, _ body: (HDF5File) throws -> Void) -> String {
    let error = #expect(throws: HDF5Error.self) { try body(try HDF5File(reading: path)) }
    return (error?.description ?? "").replacing(folder.path + "/", with: "")
  }

  @Test(
    "extents beyond what was written are refused before memory is taken",
    arguments: [
      ([1 << 40], [64], "17179869184 chunks, but the file holds fewer"),
      ([2, 1_000_000_000_000], [2, 64], "15625000000 chunks, but the file holds fewer"),
      ([4096, 8], [64, 8], "64 chunks, but the file holds 1"),
    ] as [([hsize_t], [hsize_t], String)])
  func incomplete(shape: [hsize_t], chunk: [hsize_t], claim: String) throws {
    let path = make(shape, chunk: chunk, written: shape.map { _ in 1 }) { H5Pset_deflate($0, 6) }
    let expected =
      "x.h5: '/x' has extents \(shape), which are \(claim); the rest was never written"
    #expect(message(path) { try $0.dataset("x").requireStored() } == expected)
    var byte: UInt8 = 0
    withUnsafeMutableBytes(of: &byte) { buffer in
      #expect(message(path) { try $0.dataset("x").forEachPiece(upTo: 1) { _ in } } == expected)
      guard shape.count == 1 else { return }
      #expect(message(path) { try $0.dataset("x").read(rows: 0..<1, into: buffer) } == expected)
    }
  }

  @Test("bytes that no filter has made small must be there")
  func plain() throws {
    let file = try HDF5File(inMemory: "whole")
    try file.write("x", [UInt8](repeating: 7, count: 4099), type: .uint8)
    var image = try file.image()
    // The extent stands in the file as 8 bytes, and so does the number of bytes.
    let extent: [UInt8] = [3, 0x10, 0, 0, 0, 0, 0, 0]
    for start in 0..<image.count - 8 where Array(image[start..<start + 8]) == extent {
      image[start + 4] = 1
    }
    let path = try folder.write(image, to: "x.h5")
    #expect(
      message(path) { try $0.dataset("x").requireStored() }.hasPrefix(
        "x.h5: '/x' has extents [4294971395], which are 4294971395 bytes, but the file holds "))
  }

  @Test("what a filter has made small is whole, chunk by chunk")
  func compressed() throws {
    let path = make([1 << 20, 16], chunk: [1 << 18, 16], written: [1 << 20, 16]) {
      H5Pset_deflate($0, 9)
    }
    let dataset = try HDF5File(reading: path).dataset("x")
    try dataset.requireStored()
    var (count, pieces) = (0, 0)
    try dataset.forEachPiece(upTo: 3 << 20) { piece in
      pieces += 1
      count += piece.count { $0 == 1 }
    }
    #expect(count == 16 << 20)
    #expect(pieces == 6)
  }

  @Test("pieces are all elements in their order, whatever their size", arguments: [1, 3, 40, 1000])
  func pieces(limit: Int) throws {
    let file = try HDF5File(inMemory: "pieces")
    for (index, shape) in [[], [1], [7], [3, 5], [2, 3, 4], [1, 1, 9]].enumerated() {
      let count = shape.reduce(1, *)
      let values = (0..<count).map { UInt16($0 + index) }
      try file.write("x\(index)", values, type: .uint16.bigEndian, shape: shape, from: .uint16)
      var found: [UInt16] = []
      try file.dataset("x\(index)").forEachPiece(upTo: limit) { piece in
        #expect(piece.count <= max(limit, 2))
        found += piece.bindMemory(to: UInt16.self)
      }
      #expect(found == values, "\(shape) in pieces of \(limit)")
    }
  }

  @Test("a filter that libhdf5 lacks is named, with what to do, and no plug-in is loaded")
  func filters() throws {
    let repack =
      "'h5repack -f NONE x.h5 NEW.h5', where the plug-in is installed, makes a file without it"
    let filters = [
      (32001, "32001 (Blosc)", repack), (32123, "32123", repack),
      (
        32000, "32000 (LZF)",
        "h5py, which alone has it, can write the file again with compression='gzip'"
      ),
    ]
    for (number, name, remedy) in filters {
      // An optional filter that is missing is left out when chunks are written; these say that it was not.
      let path = make([10], chunk: [10], written: nil) {
        H5Pset_filter($0, H5Z_filter_t(number), 1, 0, nil)
      }
      let file = H5Fopen(path, 1, chdf5_default())
      let dataset = H5Dopen2(file, "x", chdf5_default())
      H5Dwrite_chunk(dataset, chdf5_default(), 0, [0], 10, [UInt8](repeating: 0, count: 10))
      H5Dclose(dataset)
      H5Fclose(file)
      #expect(
        message(path) { _ = try $0.read("x", zero: 0 as UInt8) }
          == "x.h5: '/x' is stored by filter \(name), a plug-in, and plug-ins of HDF5_PLUGIN_PATH "
          + "are never loaded; \(remedy)")
    }
    var loaded: UInt32 = 1
    #expect(H5PLget_loading_state(&loaded) >= 0)
    #expect(loaded == 0)
  }

  @Test("groups in each other are followed to a depth, and no further")
  func depth() throws {
    func nested(_ depth: Int) -> String {
      let path = folder.file("deep.h5")
      let file = H5Fcreate(path, chdf5_truncate(), chdf5_default(), chdf5_default())
      var group = H5Gcreate2(file, "g", chdf5_default(), chdf5_default(), chdf5_default())
      for _ in 1..<depth {
        let inner = H5Gcreate2(group, "g", chdf5_default(), chdf5_default(), chdf5_default())
        H5Gclose(group)
        group = inner
      }
      H5Gclose(group)
      H5Fclose(file)
      return path
    }
    #expect(try HDF5File(reading: nested(128)).datasets().isEmpty)
    let path = nested(400)
    let expected = "deep.h5: found groups in each other more than 128 levels deep, expected fewer"
    #expect(message(path) { _ = try $0.datasets() } == expected)
    let name = [String](repeating: "g", count: 300).joined(separator: "/")
    #expect(message(path) { _ = try $0.kind(of: name) } == expected)
  }
}

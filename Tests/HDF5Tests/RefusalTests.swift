import CHDF5
import HDF5
import TestSupport
import Testing

/// Builds a file by libhdf5's own calls, for what this module refuses to write.
private func make(_ path: String, _ build: (hid_t) -> Void) {
  let file = H5Fcreate(path, chdf5_truncate(), chdf5_default(), chdf5_default())
  build(file)
  H5Fclose(file)
}

@Suite("Refused files", .serialized)
struct RefusalTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func message(_ path: String, _ body: (HDF5File) throws -> Void = { _ in }) -> String {
    let error = #expect(throws: HDF5Error.self) { try body(try HDF5File(reading: path)) }
    return (error?.description ?? "").replacing(folder.path + "/", with: "")
  }

  @Test("missing files, folders and other formats are named")
  func unreadable() throws {
    #expect(message(folder.file("no.h5")) == "no.h5: No such file or directory")
    #expect(message(folder.path + "/.") == ".: is a folder, expected a file")
    #expect(message("/dev/zero") == "/dev/zero: not a regular file")
    #expect(
      message(try folder.write(Array("label,x\n".utf8), to: "a.csv")) == "a.csv: not an HDF5 file")
    #expect(message(try folder.write([], to: "empty.h5")) == "empty.h5: not an HDF5 file")
    #expect(throws: HDF5Error.notHDF5(file: "none")) {
      try HDF5File(image: UnsafeRawBufferPointer(start: nil, count: 0), name: "none")
    }
  }

  @Test("a file cut off anywhere gives an error")
  func truncated() throws {
    let file = try HDF5File(inMemory: "whole")
    try file.write("g/x", (0..<500).map { Float($0) }, type: .float32)
    try file.setAttribute("scale", of: "g/x", to: .double(0.5))
    let image = try file.image()
    for count in stride(from: 0, to: image.count, by: 37) + [image.count - 1] {
      let path = try folder.write(Array(image[..<count]), to: "cut.h5")
      #expect(throws: HDF5Error.self, "cut after \(count) of \(image.count) bytes") {
        try HDF5File(reading: path).read("g/x", zero: 0 as Float)
      }
      image[..<count].withUnsafeBytes { bytes in
        _ = #expect(throws: HDF5Error.self, "image cut after \(count) bytes") {
          try HDF5File(image: bytes, name: "cut").read("g/x", zero: 0 as Float)
        }
      }
    }
    let path = try folder.write(Array(image[..<600]), to: "cut.h5")
    #expect(message(path).hasPrefix("cut.h5: cannot open it: unable to open file: truncated file"))
  }

  @Test("missing objects and groups are no datasets")
  func wrongObjects() throws {
    let file = try HDF5File(inMemory: "a.h5")
    try file.createGroup("g")
    try file.write("x", [1 as Float], type: .float32)
    #expect(throws: HDF5Error.missing(file: "a.h5", object: "/g/y")) { try file.dataset("g/y") }
    #expect(throws: HDF5Error.missing(file: "a.h5", object: "/x/y")) { try file.dataset("x/y") }
    let error = #expect(throws: HDF5Error.self) { try file.dataset("g") }
    #expect(error?.description == "a.h5: '/g' is a group, expected a dataset")
    #expect(throws: HDF5Error.self) { try file.children(of: "x") }
    #expect(throws: HDF5Error.self) { try file.createDataset("x", type: .uint8, shape: [1]) }
    #expect(throws: HDF5Error.self) { try file.createGroup("x/y") }
  }

  @Test("an external link is refused, also behind a soft link, and nothing is read through it")
  func externalLinks() throws {
    let secret = try HDF5File(creating: folder.file("secret.h5"))
    try secret.write("x", [42 as Float], type: .float32)
    try secret.close()
    let path = folder.file("link.h5")
    make(path) { file in
      H5Lcreate_external("secret.h5", "/", file, "out", chdf5_default(), chdf5_default())
      H5Lcreate_external("secret.h5", "/x", file, "direct", chdf5_default(), chdf5_default())
      H5Lcreate_soft("/out/x", file, "soft", chdf5_default(), chdf5_default())
    }
    for object in ["direct", "out/x"] {
      #expect(
        message(path) { file in _ = try file.dataset(object) }
          == "link.h5: '/\(object.prefix(while: { $0 != "/" }))' is stored outside the file "
          + "by an external link, which is not read")
    }
    #expect(throws: HDF5Error.self) { try HDF5File(reading: path).dataset("soft") }
    #expect(throws: HDF5Error.self) { try HDF5File(reading: path).attributeNames(of: "soft") }
    #expect(throws: HDF5Error.self) { try HDF5File(reading: path).datasets() }
  }

  @Test("external storage is refused")
  func externalStorage() throws {
    try folder.write([1, 2, 3, 4], to: "secret.bin")
    let path = folder.file("storage.h5")
    make(path) { file in
      let creation = H5Pcreate(chdf5_dataset_create_class())
      H5Pset_external(creation, folder.file("secret.bin"), 0, 4)
      let space = H5Screate_simple(1, [4], nil)
      H5Dclose(
        H5Dcreate2(file, "x", chdf5_u8le(), space, chdf5_default(), creation, chdf5_default()))
    }
    #expect(
      message(path) { file in _ = try file.dataset("x") }
        == "storage.h5: '/x' is stored outside the file by external storage, which is not read")
  }

  @Test("a virtual dataset is refused")
  func virtualDatasets() throws {
    let path = folder.file("virtual.h5")
    make(path) { file in
      let creation = H5Pcreate(chdf5_dataset_create_class())
      let space = H5Screate_simple(1, [4], nil)
      H5Pset_virtual(creation, space, "secret.h5", "x", space)
      H5Dclose(
        H5Dcreate2(file, "x", chdf5_u8le(), space, chdf5_default(), creation, chdf5_default()))
    }
    #expect(
      message(path) { file in _ = try file.dataset("x") }
        == "virtual.h5: '/x' is stored outside the file by a virtual dataset, which is not read")
  }

  @Test("extents whose product wraps round are refused")
  func overflow() throws {
    let path = folder.file("huge.h5")
    make(path) { file in
      let creation = H5Pcreate(chdf5_dataset_create_class())
      H5Pset_chunk(creation, 2, [1, 1])
      let space = H5Screate_simple(2, [1 << 33, 1 << 33], nil)
      H5Dclose(
        H5Dcreate2(file, "x", chdf5_u8le(), space, chdf5_default(), creation, chdf5_default()))
    }
    #expect(
      message(path) { file in _ = try file.dataset("x") }
        == "huge.h5: '/x' has extents [8589934592, 8589934592], more than can be addressed")
  }

  @Test("a dataset that was never written is not read as zeros")
  func neverWritten() throws {
    let path = folder.file("empty.h5")
    make(path) { file in
      let space = H5Screate_simple(1, [4], nil)
      H5Dclose(
        H5Dcreate2(
          file, "x", chdf5_u8le(), space, chdf5_default(), chdf5_default(), chdf5_default()))
    }
    #expect(
      message(path) { file in _ = try file.read("x", zero: 0 as UInt8) }
        == "empty.h5: '/x' was created but never written")
  }

  @Test("text and floats that are not IEEE's are described but not read")
  func otherTypes() throws {
    let path = folder.file("types.h5")
    make(path) { file in
      let space = H5Screate_simple(1, [4], nil)
      let bfloat16 = H5Tcopy(chdf5_f32le())
      H5Tset_fields(bfloat16, 15, 7, 8, 0, 7)
      H5Tset_precision(bfloat16, 16)
      H5Tset_size(bfloat16, 2)
      for (name, type) in [("text", chdf5_c_string()), ("brain", bfloat16)] {
        H5Dclose(
          H5Dcreate2(file, name, type, space, chdf5_default(), chdf5_default(), chdf5_default()))
      }
    }
    let file = try HDF5File(reading: path)
    #expect(try file.dataset("text").info.type == nil)
    #expect(
      message(path) { file in _ = try file.read("text", zero: 0 as UInt8) }
        == "types.h5: '/text' holds strings, expected integers or IEEE floats of up to 64 bits")
    #expect(
      message(path) { file in _ = try file.read("brain", zero: 0 as UInt16) }
        == "types.h5: '/brain' holds floats of 16 bits that are not IEEE 754, "
        + "expected integers or IEEE floats of up to 64 bits")
  }

  @Test("groups that hold each other are listed once")
  func cycles() throws {
    let path = folder.file("cycle.h5")
    make(path) { file in
      H5Gclose(H5Gcreate2(file, "a", chdf5_default(), chdf5_default(), chdf5_default()))
      H5Lcreate_hard(file, "/", file, "a/b", chdf5_default(), chdf5_default())
      H5Lcreate_hard(file, "/a", file, "a/c", chdf5_default(), chdf5_default())
    }
    #expect(try HDF5File(reading: path).datasets().isEmpty)
  }
}

// Files that claim more than there is: refused, or read, in little memory.

import Foundation
import HDF5
import TestSupport
import Testing

@Suite("Limits of memory", .serialized, .timeLimit(.minutes(5)))
struct LimitsTests {
  /// Runs the program with at most 600 MB of addresses, which leaves some 300 for data.
  private func confined(_ arguments: String..., in place: Workplace) throws -> LaunchResult {
    try run(
      "/bin/bash",
      arguments: [
        "-c", "ulimit -v 600000; exec \"$@\"", "bash", try builtProgram("nndist").path,
      ] + arguments, directory: place.url)
  }

  /// Makes a file of holes that is as large as it claims to be.
  private func hollow(_ shape: [Int], _ name: String, in place: Workplace) throws {
    let file = try HDF5File(creating: place.folder.file(name))
    try file.createDataset("samples", type: .float32, shape: shape)
    try file.createDataset("labels", type: .uint8, shape: [shape[0]])
    // The extent of the file is known when it is closed, without a byte of the arrays.
    try file.close()
  }

  @Test("arrays larger than memory are hashed and described piece by piece")
  func hollowFiles() throws {
    let place = try Workplace()
    // A gigabyte, once in rows and once in two rows.
    try hollow([1 << 16, 1 << 12], "rows.h5", in: place)
    let digest = try confined("checkpoint", "digest", "rows.h5", in: place)
    #expect(digest.status == 0, "\(digest)")
    try place.write(
      Workplace.iris + "run: { data_memory: 64 }\n", to: "little.yaml")
    let dry = try confined(
      "train", "little.yaml", "--dry-run", "--set", "data.train=rows.h5", "--set", "data.test=null",
      in: place)
    #expect(dry.status == 0, "\(dry)")
  }

  @Test("blocks in blocks ask for no memory before they are counted")
  func blocks() throws {
    let place = try Workplace()
    let block = "repeat: { times: 65536, layers: [{ repeat: { times: 65536, layers: [relu] } }] }"
    try place.write(
      Workplace.iris.replacing("affine: 8, relu", with: "{ \(block) }"), to: "blocks.yaml")
    let result = try confined("train", "blocks.yaml", "--dry-run", in: place)
    #expect(result.status == 78, "\(result)")
    #expect(
      result.error == "nndist: layer 'repeat1': found 65536 × 1 layers, expected at most 16384 in "
        + "all\n")
    try place.write(
      Workplace.iris.replacing(
        "affine: 8, relu",
        with:
          "reshape: [4, 1], pad: { axis: 0, before: 4194304 }, pad: { axis: 1, before: 4194304 }, "
          + "reshape: [1, 4194308, 4194305], global_avg_pool"),
      to: "wide.yaml")
    let wide = try confined("train", "wide.yaml", "--dry-run", in: place)
    #expect(wide.status == 78, "\(wide)")
    #expect(wide.error.hasPrefix("nndist: layer 'pad2': found "), "\(wide)")
  }
}

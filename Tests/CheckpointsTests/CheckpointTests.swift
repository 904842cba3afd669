import Checkpoints
import Digests
import Files
import Foundation
import HDF5
import Tensors
import TestSupport
import Testing

@Suite("Checkpoint")
struct CheckpointTests {
  let folder: TemporaryFolder
  var path: String { folder.path + "/a.h5" }

  init() throws { folder = try TemporaryFolder() }

  @Test("gives back arrays and record, bit for bit")
  func roundTrip() throws {
    var sample = Sample()
    sample.parameterVector.elements[0] = Float(bitPattern: 0x7FC0_1234)
    sample.parameterVector.elements[1] = -0.0
    sample.parameterVector.elements[2] = .leastNonzeroMagnitude
    // Longer than one attribute may be, cut between characters of two and four bytes.
    sample.record.configuration = String(repeating: "ü𝄞a", count: 30_000)
    try sample.content.write(to: path)
    let checkpoint = try Checkpoint(path, mustBeVerified: true)
    #expect(checkpoint.isVerified)
    #expect(try checkpoint.record() == sample.record)
    for (group, layout, vector) in [
      ("parameters", sample.parameters, sample.parameterVector),
      ("optimizer/momentum", sample.parameters, sample.momentumVector),
      ("state", sample.averages, sample.averageVector),
    ] {
      let read = FloatBuffer(count: layout.count)
      try checkpoint.read(group, layout, into: read.elements)
      #expect(read.elements.map(\.bitPattern) == vector.elements.map(\.bitPattern))
    }
    #expect(checkpoint.contains("state") && checkpoint.contains("optimizer/momentum"))
    #expect(!checkpoint.contains("average") && !checkpoint.contains("optimizer/moment"))
    #expect(try Folder(folder.path).names() == ["a.h5"])
  }

  @Test("takes empty arrays, no arrays and no state")
  func empty() throws {
    let layout = FlatLayout([(name: "a/b", shape: [0, 3])])
    var content = CheckpointContent(RunRecord())
    let vector = FloatBuffer(count: layout.count)
    content.add("parameters", layout, from: vector)
    try content.write(to: path)
    let checkpoint = try Checkpoint(path)
    try checkpoint.read("parameters", layout, into: vector.elements)
    try checkpoint.read("state", FlatLayout([]), into: FloatBuffer(count: 0).elements)
    #expect(checkpoint.arrays.map(\.shape) == [[0, 3]])
    #expect(try checkpoint.record() == RunRecord())
    try CheckpointContent(RunRecord()).write(to: path)
    #expect(try Checkpoint(path).arrays.isEmpty)
  }

  @Test("is the same bytes for the same content, over an older one too")
  func reproducible() throws {
    try Sample().content.write(to: path)
    let first = try readFile(path)
    try Sample(step: 11).content.write(to: path)
    #expect(try readFile(path) != first)
    try Sample().content.write(to: path)
    #expect(try readFile(path) == first)
  }

  @Test("has the digest that the script in the documentation prints")
  func digest() throws {
    try Sample().content.write(to: path)
    let expected = "b634dc99fd5a28d4ef45e292e14df0a5b5f0ae87887ca43e893ce9eb0df7c9da"
    #expect(try Checkpoint(path).digest() == expected)
    // What is in `/run` does not count.
    try Sample(step: 99).content.write(to: path)
    #expect(try Checkpoint(path).digest() == expected)
    let sample = Sample()
    sample.averageVector.elements[4] += 1
    try sample.content.write(to: path)
    #expect(try Checkpoint(path).digest() != expected)
  }

  @Test("is a file that libhdf5 reads without us")
  func plainReading() throws {
    try Sample().content.write(to: path)
    let file = try HDF5File(reading: path)
    #expect(
      try file.datasets().map(\.path) == [
        "/optimizer/momentum/affine1/bias", "/optimizer/momentum/affine1/weight",
        "/optimizer/momentum/scale/one", "/parameters/affine1/bias", "/parameters/affine1/weight",
        "/parameters/scale/one", "/state/norm/mean",
      ])
    #expect(try file.attribute("step", of: "/run") == .integer(10))
    #expect(try file.attribute("rate", of: "/run/state") == .double(1.0 / 3))
  }

  @Test("is noticed when it is cut short or longer", .timeLimit(.minutes(5)))
  func truncation() throws {
    try Sample().content.write(to: path)
    let bytes = try readFile(path)
    for count in stride(from: 0, to: bytes.count, by: 37).map({ $0 }) + [bytes.count - 1] {
      try folder.write(Array(bytes[..<count]), to: "cut.h5")
      let cut = folder.path + "/cut.h5"
      let expected =
        count == 0
        ? "neither the start of a checkpoint nor of an HDF5 file, expected a checkpoint"
        : count < 512
          ? "\(count) bytes, expected more than 512" : "\(count) bytes, expected \(bytes.count)"
      #expect(
        message { () throws(CheckpointError) in _ = try Checkpoint(cut) }
          == "\(cut): damaged checkpoint: found \(expected)")
    }
    try folder.write(bytes + [0], to: "cut.h5")
    #expect(
      message { () throws(CheckpointError) in _ = try Checkpoint(folder.path + "/cut.h5") }
        .hasSuffix("found \(bytes.count + 1) bytes, expected \(bytes.count)"))
  }

  @Test("is noticed when any bit is flipped", .timeLimit(.minutes(5)))
  func bitFlips() throws {
    try Sample().content.write(to: path)
    let bytes = try readFile(path)
    var state: UInt64 = 11
    // Every bit of the head and of the first bytes of the image, and some of all others.
    let bits =
      Array(0..<64 * 8) + Array(508 * 8..<544 * 8)
      + (0..<2_000).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int((state >> 16) % UInt64(bytes.count * 8))
      }
    for bit in bits {
      var flipped = bytes
      flipped[bit / 8] ^= 1 << UInt8(bit % 8)
      try folder.write(flipped, to: "flipped.h5")
      let text = message { () throws(CheckpointError) in
        _ = try Checkpoint(folder.path + "/flipped.h5")
      }
      #expect(text.contains("flipped.h5: damaged checkpoint: found "), "bit \(bit): \(text)")
    }
  }

  @Test("may be a plain HDF5 file, which is not verified")
  func unverified() throws {
    let file = try HDF5File(creating: path)
    let weights: [Double] = [1, 2, 3, 4, 5, 0.1]
    try weights.withUnsafeBytes {
      try file.writeDataset(
        "/parameters/affine1/weight", type: .float64.bigEndian, shape: [2, 3], from: $0)
    }
    try file.close()
    let checkpoint = try Checkpoint(path)
    #expect(!checkpoint.isVerified)
    let layout = FlatLayout([(name: "affine1/weight", shape: [2, 3])])
    let vector = FloatBuffer(count: layout.count)
    try checkpoint.read("parameters", layout, into: vector.elements)
    #expect(Array(vector.elements[..<6]) == [1, 2, 3, 4, 5, 0.1])
    #expect(
      message { () throws(CheckpointError) in _ = try checkpoint.record() }
        == "\(path): damaged checkpoint: found no group '/run', expected the record of a run")
    #expect(
      message { () throws(CheckpointError) in _ = try Checkpoint(path, mustBeVerified: true) }
        == "\(path): damaged checkpoint: found an HDF5 file without our digest, expected a "
        + "checkpoint of a run")
    #expect(
      try checkpoint.summary() == """
        \(path): unverified, not written by a run
        parameters: 1 array, 6 numbers
          affine1/weight  f64 big-endian [2, 3]

        """)
  }

  @Test(
    "of another model is refused by name of the array",
    arguments: [
      (
        [("affine1/weight", [2, 3]), ("affine1/bias", [3])],
        "found 'parameters/scale/one' of shape [], expected no such array"
      ),
      (
        [("affine1/weight", [3, 2]), ("affine1/bias", [3]), ("scale/one", [])],
        "found 'parameters/affine1/weight' of shape [2, 3], expected shape [3, 2]"
      ),
      (
        [("affine2/weight", [2, 3])],
        "found no 'parameters/affine2/weight', expected one of shape [2, 3]"
      ),
      (
        [("affine1", [3])], "found no 'parameters/affine1', expected one of shape [3]"
      ),
    ] as [([(String, [Int])], String)])
  func otherModel(arrays: [(String, [Int])], expected: String) throws {
    try Sample().content.write(to: path)
    let layout = FlatLayout(arrays.map { (name: $0.0, shape: Shape($0.1)) })
    let vector = FloatBuffer(count: layout.count)
    let checkpoint = try Checkpoint(path)
    let text = message { () throws(CheckpointError) in
      try checkpoint.read("parameters", layout, into: vector.elements)
    }
    #expect(text == "\(path): checkpoint of another model: \(expected)")
    #expect(vector.elements.allSatisfy { $0 == 0 })
  }

  @Test("of another model is refused by type")
  func otherType() throws {
    let file = try HDF5File(creating: path)
    try [Int32(1)].withUnsafeBytes {
      try file.writeDataset("/parameters/a/b", type: .int32, shape: [1], from: $0)
    }
    try file.close()
    let layout = FlatLayout([(name: "a/b", shape: [1])])
    let checkpoint = try Checkpoint(path)
    #expect(
      message { () throws(CheckpointError) in
        try checkpoint.requireMatch("parameters", layout)
      }
        == "\(path): checkpoint of another model: found 'parameters/a/b' of type i32, expected "
        + "floats")
  }

  @Test("that cannot be written leaves nothing behind and the old one as it was")
  func unwritable() throws {
    try Sample().content.write(to: path)
    let before = try readFile(path)
    // A folder cannot be replaced by a temporary file; full disks are for the tests of the commands.
    try makeFolder("\(folder.path)/\(temporaryName(for: "a.h5"))")
    let text = message { () throws(CheckpointError) in
      try Sample(step: 11).content.write(to: path)
    }
    #expect(
      text == "\(folder.path)/.a.h5.partial: Is a directory, expected a file that can be removed")
    #expect(try readFile(path) == before)
    #expect(try Folder(folder.path).names() == [".a.h5.partial", "a.h5"])
  }

  @Test("is named when there is none, or something else in its place")
  func unreadable() throws {
    #expect(
      message { () throws(CheckpointError) in _ = try Checkpoint(path) }
        == "\(path): No such file or directory, expected a file that can be read")
    #expect(
      message { () throws(CheckpointError) in _ = try Checkpoint(folder.path) }
        == "\(folder.path): Is a directory, expected a file that can be read")
    try folder.write("model:\n", to: "a.h5")
    #expect(
      message { () throws(CheckpointError) in _ = try Checkpoint(path) }
        == "\(path): damaged checkpoint: found neither the start of a checkpoint nor of an HDF5 "
        + "file, expected a checkpoint")
  }

  @Test("is described in words")
  func summary() throws {
    var sample = Sample()
    sample.record.state = ["rate": .number(0.5)]
    try sample.content.write(to: path)
    #expect(
      try Checkpoint(path).summary() == """
        \(path): verified
        optimizer/momentum: 3 arrays, 10 numbers
          affine1/bias    f32 [3]
          affine1/weight  f32 [2, 3]
          scale/one       f32 []
        parameters: 3 arrays, 10 numbers
          affine1/bias    f32 [3]
          affine1/weight  f32 [2, 3]
          scale/one       f32 []
        state: 1 array, 5 numbers
          norm/mean  f32 [5]
        run: step 10, epoch 2, position 96, seed 18446744073709551615
          rate: 0.5
          data test: 11ee
          data train: 00ff
          versions nndist: 0.1.0
        configuration:
          seed: 1
          name: "ü𝄞"

        """)
  }
}

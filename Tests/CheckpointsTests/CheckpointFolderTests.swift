import Checkpoints
import Files
import Foundation
import TestSupport
import Testing

@Suite("Folder of checkpoints")
struct CheckpointFolderTests {
  let temporary: TemporaryFolder
  let folder: CheckpointFolder

  init() throws {
    temporary = try TemporaryFolder()
    folder = CheckpointFolder(try Folder(temporary.path).madeFolder("checkpoints"))
  }

  private func write(_ steps: [Int]) throws {
    for step in steps { _ = try folder.write(Sample(step: step).content) }
  }

  private func steps() throws -> [Int] { try folder.entries().map(\.step) }

  private func damage(_ step: Int) throws {
    let entry = try #require(try folder.entries().first { $0.step == step })
    var bytes = try readFile(entry.path)
    bytes[bytes.count / 2] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: entry.path))
  }

  @Test("lists them by step and ignores what is none")
  func entries() throws {
    #expect(try folder.entries().isEmpty)
    try write([20, 3, 100, 12_345_678_901])
    for name in ["step-3.h5", "step-+000000003.h5", "step-0000000004.h5.bak", "x.h5"] {
      try temporary.write([], to: "checkpoints/" + name)
    }
    #expect(try steps() == [3, 20, 100, 12_345_678_901])
    #expect(try folder.entries()[0].path == folder.path + "/step-0000000003.h5")
  }

  @Test("finds the newest good one and says what is wrong with newer ones")
  func newestGood() throws {
    #expect(try folder.newestGood().checkpoint == nil)
    try write([1, 2, 3, 4])
    #expect(try folder.newestGood().checkpoint?.record().step == 4)
    try damage(4)
    try temporary.write([], to: "checkpoints/step-0000000003.h5")
    let (checkpoint, skipped) = try folder.newestGood()
    #expect(try checkpoint?.record().step == 2)
    #expect(skipped.count == 2)
    #expect(
      skipped.last?.description
        == "\(folder.path)/step-0000000003.h5: damaged checkpoint: found neither the start of a "
        + "checkpoint nor of an HDF5 file, expected a checkpoint")
  }

  @Test("keeps the newest and the best")
  func retain() throws {
    try write([1, 2, 3, 4, 5, 6])
    try folder.note(.init(step: 2, score: 0.91))
    #expect(try folder.best() == .init(step: 2, score: 0.91))
    #expect(try folder.retain(newest: 2, isBestKept: true).map(\.step) == [1, 3, 4])
    #expect(try steps() == [2, 5, 6])
    try folder.note(.init(step: 6, score: -1e-7))
    #expect(try folder.best()?.score == -1e-7)
    try folder.retain(newest: 1, isBestKept: true)
    #expect(try steps() == [6])
    try folder.retain(newest: 1, isBestKept: false)
    #expect(try steps() == [6])
  }

  @Test("never removes the newest good one, whoever wrote it")
  func retainGood() throws {
    try write([1, 2, 3])
    try damage(3)
    // Another process knows of nothing but the files.
    let other = try CheckpointFolder(Folder(folder.path))
    try other.retain(newest: 1, isBestKept: false)
    #expect(try steps() == [2, 3])
    try damage(2)
    try CheckpointFolder(Folder(folder.path)).retain(newest: 1, isBestKept: false)
    #expect(try steps() == [2, 3])
  }

  @Test("does without a note that does not read")
  func damagedNote() throws {
    try write([1, 2])
    for text in ["", "{", "{\"step\":9,\"score\":1.0}\n", "{\"step\":1,\"score\":x}\n"] {
      try temporary.write(text, to: "checkpoints/best.json")
      #expect(try folder.best() == nil)
    }
  }

  @Test("is as it was when a write fails")
  func failingWrite() throws {
    try write([1])
    let temporary = folder.path + "/.step-0000000002.h5.partial"
    try makeFolder(temporary)
    let text = message { () throws(CheckpointError) in
      _ = try folder.write(Sample(step: 2).content)
    }
    #expect(text == "\(temporary): Is a directory, expected a file that can be removed")
    #expect(try folder.entries().map(\.step) == [1])
    #expect(try folder.newestGood().checkpoint?.record().step == 1)
  }

  @Test(
    "takes FIFOs for damaged checkpoints and notes, and replaces links, not files",
    .timeLimit(.minutes(5)))
  func otherKinds() throws {
    try write([1])
    mkfifo(folder.path + "/step-0000000002.h5", 0o600)
    mkfifo(folder.path + "/best.json", 0o600)
    let (checkpoint, skipped) = try folder.newestGood()
    #expect(try checkpoint?.record().step == 1)
    #expect(
      skipped.map(\.description) == [
        "\(folder.path)/step-0000000002.h5: is a FIFO, expected a file that can be read"
      ])
    #expect(try folder.best() == nil)
    try temporary.write("precious", to: "victim")
    try temporary.link("checkpoints/step-0000000003.h5", to: "../victim")
    try write([2, 3])
    try folder.note(.init(step: 3, score: 1))
    #expect(try folder.best()?.step == 3)
    #expect(try folder.newestGood().checkpoint?.record().step == 3)
    #expect(try temporary.text(of: "victim") == "precious")
  }
}

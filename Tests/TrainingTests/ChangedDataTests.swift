// Runs whose data file is written to.

import Foundation
import Runs
import TestSupport
import Testing
import Training

@Suite("Data that changes during a run")
struct ChangedDataTests {
  let folder: RunFolder
  let data: String
  let path: String

  init() throws {
    folder = try RunFolder()
    data = folder.path("data.h5")
    path = try folder.write(
      """
      data: { train: data.h5 }
      model: [affine: 3]
      batch_size: 32
      microbatches: 6
      epochs: 4
      checkpoint: { every: 5, keep: 100 }

      """)
    try restore()
  }

  /// Puts the file where it was, last written long ago: clocks of file systems are coarse.
  private func restore() throws {
    try Data(contentsOf: URL(fileURLWithPath: bundled("iris")))
      .write(to: URL(fileURLWithPath: data))
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: data)
  }

  private func overwrite() throws {
    let file = try FileHandle(forUpdating: URL(fileURLWithPath: data))
    try file.seek(toOffset: 2048)
    try file.write(contentsOf: Data(count: 952))
    try file.close()
  }

  @Test("ends a run that reads it row by row, with the last checkpoint before it")
  func rowByRow() throws {
    try folder.train(path, to: "whole")
    let text = message {
      try folder.train(path, ["run.data_memory=0"]) { event in
        if case .step(7, _, _, _) = event { try? overwrite() }
      }
    }
    #expect(text.hasPrefix("\(data): was written to while it was read, found "))
    // No step was taken with rows of the other content, and none of them is kept.
    #expect(try folder.checkpointSteps() == [5])
    #expect(try folder.records().count == 7)
    let status = try #require(try Run(folder.path("run")).status)
    #expect(status.state == .failed && status.step == 7)
    // The run goes on with the data it began with alone.
    #expect(message { try folder.train(path) }.contains("train data has fingerprint"))
    try restore()
    #expect(try folder.train(path).session.startStep == 5)
    #expect(try folder.digest() == folder.digest("whole"))
  }

  @Test("does not matter to a run that has it in memory")
  func inMemory() throws {
    try folder.train(path, to: "whole")
    try folder.train(path) { event in
      if case .step(7, _, _, _) = event { try? overwrite() }
    }
    #expect(try folder.digest() == folder.digest("whole"))
  }

  @Test("ends an evaluation that reads it row by row")
  func evaluation() throws {
    let text = message {
      try folder.train(
        path, ["data.test=\(data)", "data.train=\(bundled("iris"))", "run.data_memory=0"]
      ) { event in
        if case .step(4, _, _, _) = event { try? overwrite() }
      }
    }
    #expect(text.hasPrefix("\(data): was written to while it was read, found "))
    #expect(try folder.checkpointSteps() == [])
  }
}

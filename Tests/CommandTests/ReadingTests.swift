// How data files are read, as users see it: notices of commands, and options that decide.

import Datasets
import Foundation
import TestSupport
import Testing

@Suite("Reading of data files", .timeLimit(.minutes(5)))
struct ReadingTests {
  private func place() throws -> Workplace {
    let place = try Workplace()
    let writer = try DatasetWriter(
      path: place.folder.file("images.h5"),
      arrays: [
        .init(name: "images", type: .uint8, shape: [40, 8, 6, 3]),
        .init(name: "labels", type: .int64, shape: [40]),
      ])
    try writer.append((0..<5760).map { UInt8($0 * 7919 % 251) }, to: "images")
    try writer.append((0..<40).map { Int64($0 % 2) }, to: "labels")
    try writer.finish()
    try place.write(
      """
      data: { train: images.h5 }
      model: [{ conv2d: { channels: 2, kernel: 3 } }, { affine: 2 }]
      batch_size: 16
      microbatches: 2
      epochs: 2

      """, to: "run.yaml")
    return place
  }

  private let layout =
    "images.h5: 'images' of extents [40, 8, 6, 3] without attribute 'layout' is read as 8 × 6 pixels with "
    + "3 channels last; set data.layout to hwc to confirm, or to chw for 8 channels of 6 × 3 pixels"
  private let scale =
    "images.h5: 'images' holds whole numbers from 0 to 250 and no scale; set data.scale to "
    + "0.00392156862745098 (1/255), or data.normalize to channel"

  @Test("train tells what it guessed and what may be missing, the same on any number of ranks")
  func train() throws {
    let place = try place()
    for ranks in [1, 3] {
      let output = try place.succeed(["train", "run.yaml", "--dry-run"], ranks: ranks)
      let notices = output.split(separator: "\n").filter { $0.hasPrefix("notice: ") }
      let folder = place.folder.path + "/"
      #expect(
        notices.map(String.init) == ["notice: \(folder)\(layout)", "notice: \(folder)\(scale)"])
    }
    let said = try place.succeed(
      "train", "run.yaml", "--dry-run", "--set", "data.layout=hwc", "--set", "data.scale=0.004")
    #expect(!said.contains("notice: "))
  }

  @Test("data info tells the same, and reads as it is asked to")
  func info() throws {
    let place = try place()
    let text = try place.succeed("data", "info", "images.h5")
    #expect(text.hasSuffix("\nnotice: \(layout)\nnotice: \(scale)\n"), "\(text)")
    let json = try place.succeed("data", "info", "images.h5", "--json")
    #expect(json.contains("\"notices\":[\"images.h5: 'images' of extents"))
    let other = try place.succeed(
      "data", "info", "images.h5", "--layout", "chw", "--scale", "1,1,1,1,1,1,1,0.5", "--bias", "-2"
    )
    #expect(other.hasPrefix("images.h5: 40 rows, samples [8, 6, 3], 2 classes\n"))
    #expect(other.contains("\n    values -2.0 to 248.0, "))
    #expect(!other.contains("notice: "))
    for (arguments, error) in [
      (["--layout", "whc"], "found 'whc', expected chw or hwc"),
      (["--scale", "1,x"], "--scale: found '1,x', expected finite numbers such as 0.5 or 1,1,2"),
    ] {
      let result = try place.nndist(["data", "info", "images.h5"] + arguments)
      #expect(result.status == 64)
      #expect(result.error.contains(error), "\(result)")
    }
    let count = try place.nndist("data", "info", "images.h5", "--scale", "1,2")
    #expect(count.status == 78)
    #expect(
      count.error
        == "nndist: data.scale is [1.0, 2.0], expected a finite number, or 3 of them, one per "
        + "channel of 'images' of images.h5\n")
  }

  @Test("evaluate and predict read as the run did, tell what they guess, and are told otherwise")
  func evaluate() throws {
    let place = try place()
    try place.succeed(
      "train", "run.yaml", "--output", "run", "--set", "data.scale=0.004", "--set",
      "checkpoint.every=never")
    let checkpoint = "run/checkpoints/step-0000000006.h5"
    let arguments = ["evaluate", checkpoint, "--data", "images.h5"]
    let result = try place.nndist(arguments, ranks: 2)
    #expect(result.status == 0)
    #expect(result.error == "notice: \(layout)\n")
    #expect(
      try place.nndist(arguments + ["--scale", "0.004", "--layout", "hwc"]).output == result.output)
    #expect(try place.nndist(arguments + ["--scale", "0.5"]).output != result.output)
    let other = try place.nndist(arguments + ["--layout", "chw"])
    #expect(other.status == 65)
    #expect(other.error.contains("found samples of shape [8, 6, 3], expected [3, 8, 6]"))
  }
}

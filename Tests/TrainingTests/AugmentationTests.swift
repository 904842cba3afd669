// Random changes of images: what each of them does, how often, and that who reads a row changes nothing.

import Benchmarks
import DataParallel
import Foundation
import Models
import Tensors
import TestSupport
import Testing
import Training

/// An image of some shape with the numbers from 1 on as its elements.
private struct Image: Equatable {
  let shape: Shape
  var values: [Float]

  init(_ shape: Shape) {
    self.shape = shape
    values = (1...shape.count).map { Float($0) }
  }

  /// The element at a place, 0 outside.
  func at(_ channel: Int, _ line: Int, _ column: Int) -> Float {
    guard (0..<shape[1]).contains(line), (0..<shape[2]).contains(column) else { return 0 }
    return values[(channel * shape[1] + line) * shape[2] + column]
  }

  /// The image with an element for each place.
  func mapped(_ element: (Int, Int, Int) -> Float) -> Image {
    var image = self
    var index = 0
    for channel in 0..<shape[0] {
      for line in 0..<shape[1] {
        for column in 0..<shape[2] {
          image.values[index] = element(channel, line, column)
          index += 1
        }
      }
    }
    return image
  }

  mutating func change(_ body: (MutableImage) -> Void) {
    values.withUnsafeMutableBufferPointer {
      guard let start = $0.baseAddress else { return }
      body(MutableImage(start, shape: shape))
    }
  }
}

@Suite("Augmentation")
struct AugmentationTests {
  private let shapes: [Shape] = [[1, 1, 1], [2, 3, 4], [3, 5, 5], [1, 7, 2], [2, 2, 17]]

  @Test("a flip reverses every line, and twice is nothing")
  func flip() {
    for shape in shapes {
      let image = Image(shape)
      var changed = image
      changed.change { $0.flip() }
      #expect(changed == image.mapped { image.at($0, $1, shape[2] - 1 - $2) })
      changed.change { $0.flip() }
      #expect(changed == image)
    }
  }

  @Test("a shift moves lines and columns, with zeros behind them")
  func shift() {
    for shape in shapes {
      let image = Image(shape)
      for down in 1 - shape[1]..<shape[1] {
        for right in 1 - shape[2]..<shape[2] {
          var changed = image
          changed.change { $0.shift(down: down, right: right) }
          #expect(
            changed == image.mapped { image.at($0, $1 - down, $2 - right) },
            "\(shape) \(down) \(right)"
          )
        }
      }
    }
  }

  @Test("a cutout sets exactly its lines and columns to 0, in all channels")
  func cut() {
    let image = Image([2, 5, 6])
    for (lines, columns) in [(1..<3, 2..<6), (0..<5, 0..<6), (0..<1, 5..<6), (2..<2, 0..<3)] {
      var changed = image
      changed.change { $0.cut(lines: lines, columns: columns) }
      #expect(
        changed
          == image.mapped {
            lines.contains($1) && columns.contains($2) ? 0 : image.at($0, $1, $2)
          })
    }
  }

  private func change(
    _ augmentation: Augmentation, epoch: Int = 0, row: Int, seed: UInt64 = 1,
    shape: Shape = [3, 8, 6]
  ) -> ImageChange {
    ImageChange(augmentation, shape: shape, seed: seed, epoch: epoch, row: row)
  }

  @Test("happens as often as asked for, in each direction alike")
  func frequencies() {
    let count = 20_000
    let augmentation = Augmentation(flip: 0.3, shift: 2, cutout: 3)
    var (flips, shifts, starts) = (0, [Int: Int](), [Int: Int]())
    var areWhole = true
    for row in 0..<count {
      let change = change(augmentation, row: row)
      flips += change.isFlipped ? 1 : 0
      shifts[10 * change.down + change.right, default: 0] += 1
      starts[change.cut.lines.lowerBound * 100 + change.cut.columns.upperBound, default: 0] += 1
      areWhole =
        areWhole && (2...3).contains(change.cut.lines.count)
        && (2...3).contains(change.cut.columns.count)
    }
    /// Within five deviations of the binomial distribution.
    func isLikely(_ found: Int, _ probability: Double) -> Bool {
      let expected = Double(count) * probability
      return abs(Double(found) - expected) < 5 * (expected * (1 - probability)).squareRoot()
    }
    #expect(areWhole)
    #expect(isLikely(flips, 0.3))
    #expect(shifts.count == 25 && shifts.values.allSatisfy { isLikely($0, 1.0 / 25) })
    // The centres are uniform; the first two lines and the last two columns are cut alike.
    #expect(starts.count == 7 * 5)
    #expect(isLikely(starts[303] ?? 0, 1.0 / 48))
    #expect(isLikely(starts[6] ?? 0, 1.0 / 12))
    for row in 0..<100 {
      #expect(change(Augmentation(flip: 1), row: row).isFlipped)
      #expect(change(Augmentation(), row: row) == change(Augmentation(), row: row + 1))
    }
  }

  @Test("is drawn from seed, epoch and row, and nothing else")
  func keys() {
    let augmentation = Augmentation(flip: 0.5, shift: 3, cutout: 4)
    func changes(epoch: Int = 0, seed: UInt64 = 1, from row: Int = 0) -> [ImageChange] {
      (row..<row + 20).map { change(augmentation, epoch: epoch, row: $0, seed: seed) }
    }
    #expect(changes() == changes())
    #expect(changes(from: 7)[..<13] == changes()[7...])
    #expect(changes() != changes(epoch: 1))
    #expect(changes() != changes(seed: 2))
    // Flips do not depend on what else may happen.
    #expect(
      changes().map(\.isFlipped)
        == (0..<20).map { change(Augmentation(flip: 0.5), row: $0).isFlipped })
  }

  @Test("changes rows alike in whatever company they are read")
  func rows() throws {
    let shape: Shape = [2, 4, 5]
    let plain = RandomRows(9, sampleShape: shape, targets: .labels, classCount: 3)
    let rows = AugmentedRows(
      plain, Augmentation(flip: 0.5, shift: 1, cutout: 2), shape: shape, seed: 4, epoch: 3)
    func read(_ indices: [Int], _ source: any RowSource) throws -> [Float] {
      var samples = [Float](repeating: .nan, count: indices.count * shape.count)
      try indices.withUnsafeBufferPointer { indices in
        try samples.withUnsafeMutableBufferPointer { samples in
          guard let start = samples.baseAddress else { return }
          try source.read(indices, samples: start, targets: nil)
        }
      }
      return samples
    }
    #expect(rows.rowCount == 9)
    let whole = try read(Array(0..<9), rows)
    #expect(try [4, 0, 8].flatMap { try read([$0], rows) } == read([4, 0, 8], rows))
    #expect(try (0..<9).flatMap { try read([$0], rows) } == whole)
    #expect(try read(Array(0..<9), plain) != whole)
  }

  private static let digits = """
    data:
      train: \(bundled("digits"))
      test: \(bundled("digits-test"))
      augment: { flip: 0.25, shift: 1, cutout: 3 }
    model: [affine: 8, relu, affine: 10]
    batch_size: 150
    microbatches: 6
    epochs: 2

    """

  @Test("gives the same run on any number of workers, and after a stop within an epoch")
  func run() throws {
    let folder = try RunFolder()
    let path = try folder.write(AugmentationTests.digits)
    try folder.train(path, ["run.workers=1"], to: "whole")
    for workers in 2...4 {
      try folder.train(path, ["run.workers=\(workers)"], to: "workers-\(workers)")
      #expect(try folder.digest("workers-\(workers)") == folder.digest("whole"))
    }
    #expect(try folder.train(path, ["run.workers=2"], stopAfter: 13).ending == .stopped)
    #expect(try folder.train(path).session.startStep == 13)
    #expect(try folder.digest() == folder.digest("whole"))
    #expect(try folder.records() == folder.records("whole"))
    try folder.train(path, ["data.augment={}"], to: "plain")
    #expect(try folder.digest("plain") != folder.digest("whole"))
    #expect(
      message { try folder.train(path, ["data.augment.shift=2"], to: "whole") }
        .contains("'data.augment.shift' is 1, not 2"))
  }

  @Test("leaves the rows of evaluations as they are")
  func evaluation() throws {
    let folder = try RunFolder()
    let path = try folder.write(AugmentationTests.digits)
    // With nothing learned, the loss depends on the rows alone.
    let still = ["optimizer={sgd: 0}", "epochs=1"]
    try folder.train(path, still, to: "changed")
    try folder.train(path, still + ["data.augment={}"], to: "plain")
    let (changed, plain) = try (folder.records("changed"), folder.records("plain"))
    #expect(changed.count == 11)
    #expect(changed.last == plain.last)
    #expect(changed[..<10] != plain[..<10])
  }

  @Test(
    "is refused by name for what is no image, or too small",
    arguments: [
      (
        "iris", "{ flip: true }",
        "data.augment is set for samples of shape [4], expected images of shape [channels, height, width]"
      ),
      (
        "digits", "{ shift: 8 }",
        "data.augment.shift is 8 for images of shape [1, 8, 8], expected less than 8"
      ),
      (
        "digits", "{ cutout: 9 }",
        "data.augment.cutout is 9 for images of shape [1, 8, 8], expected at most 8"
      ),
    ])
  func refusals(data: String, augmentation: String, expected: String) throws {
    let folder = try RunFolder()
    let path = try folder.write(
      "data: { train: \(bundled(data)), augment: \(augmentation) }\n"
        + "model: [affine: 10]\nbatch_size: 50\n")
    #expect(message { try folder.train(path, isDryRun: true) } == expected)
  }

  @Test("is read as true or a probability")
  func configuration() throws {
    let folder = try RunFolder()
    let path = try folder.write("data: { train: x.h5 }\nmodel: [affine: 1]\n")
    for (value, flip) in [("true", 0.5), ("false", 0), ("0.25", 0.25), ("1", 1), ("0", 0)] {
      let (configuration, _) = try readConfiguration(
        path, overrides: ["data.augment.flip=\(value)"])
      #expect(configuration.data.augmentation == Augmentation(flip: flip))
    }
    #expect(try readConfiguration(path, overrides: []).0.data.augmentation.isIdentity)
    let wrong = message {
      _ = try readConfiguration(path, overrides: ["data.augment.flip=1.5"])
    }
    #expect(
      wrong.hasSuffix(
        "'data.augment.flip': found 1.5, expected true or false or a number from 0.0 to 1.0"),
      "\(wrong)")
  }
}

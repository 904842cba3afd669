// Random changes of images that are trained on, the same on any rank and worker.
import Configuration
package import DataParallel
import Models
package import Tensors

/// Random changes of images, each time they are trained on.
///
/// In this order: flipped, shifted, a square cut out. The change of a row is a function of seed, epoch and
/// row alone.
public struct Augmentation: Hashable, Sendable {
  /// The probability that left and right are swapped.
  public var flip: Double
  /// The most pixels by which an image is shifted in each direction; zeros fill the gap.
  ///
  /// A random crop of the image with so many pixels of padding.
  public var shift: Int
  /// The side of a square of zeros around a random pixel, clipped at the edges; 0 for none.
  ///
  /// Source: DeVries and Taylor (2017), https://arxiv.org/abs/1708.04552.
  public var cutout: Int

  /// Creates an augmentation; the defaults change nothing.
  public init(flip: Double = 0, shift: Int = 0, cutout: Int = 0) {
    self.flip = flip
    self.shift = shift
    self.cutout = cutout
  }

  /// Indicates whether images stay as they are.
  public var isIdentity: Bool { flip == 0 && shift == 0 && cutout == 0 }

  /// Reads the key `augment`.
  static func read(from data: Section) throws(ConfigurationError) -> Augmentation {
    let section = try data.section("augment")
    return Augmentation(
      flip: try section.value(
        "flip", [.boolean { $0 ? 0.5 : 0 }, .number(.between(0, 1)) { $0 }],
        default: .boolean(false),
        meaning: "probability that left and right of an image change places; true is 0.5"),
      shift: try section.integer(
        "shift", default: 0, in: .between(0, 1 << 16),
        meaning: "pixels by which images are shifted at most in each direction, with zeros behind"),
      cutout: try section.integer(
        "cutout", default: 0, in: .between(0, 1 << 16),
        meaning: "side of a square of zeros at a random place of images; 0 for none"))
  }

  /// Checks that samples are images, and large enough.
  ///
  /// - Throws: ``TrainingError/badAugmentation(key:found:expected:)``.
  func requireFit(_ network: Network) throws(TrainingError) {
    guard !isIdentity else { return }
    let sampleShape = network.sampleShape
    guard network.wholeNumbers.isEmpty else {
      throw .badAugmentation(
        key: "data.augment", found: "is set for samples that name rows of tables",
        expected: "images of shape [channels, height, width]")
    }
    guard sampleShape.axisCount == 3 else {
      throw .badAugmentation(
        key: "data.augment", found: "is set for samples of shape \(sampleShape)",
        expected: "images of shape [channels, height, width]")
    }
    let side = min(sampleShape[1], sampleShape[2])
    guard shift < side else {
      throw .badAugmentation(
        key: "data.augment.shift", found: "is \(shift) for images of shape \(sampleShape)",
        expected: "less than \(side)")
    }
    guard cutout <= side else {
      throw .badAugmentation(
        key: "data.augment.cutout", found: "is \(cutout) for images of shape \(sampleShape)",
        expected: "at most \(side)")
    }
  }
}

/// The rows of a source in one epoch, their images changed at random.
///
/// The thread that reads a row changes it in place.
package final class AugmentedRows: RowSource {
  private let rows: any RowSource
  private let augmentation: Augmentation
  private let shape: Shape
  private let seed: UInt64
  private let epoch: Int

  /// Creates the rows of an epoch.
  ///
  /// - Parameters:
  ///   - rows: The rows as they are; samples of shape [channels, height, width].
  ///   - augmentation: The possible changes.
  ///   - shape: The shape of a sample.
  ///   - seed: The seed of the run.
  ///   - epoch: The number of the epoch.
  package init(
    _ rows: any RowSource, _ augmentation: Augmentation, shape: Shape, seed: UInt64, epoch: Int
  ) {
    self.rows = rows
    self.augmentation = augmentation
    self.shape = shape
    self.seed = seed
    self.epoch = epoch
  }

  /// The number of rows.
  package var rowCount: Int { rows.rowCount }

  /// Writes the samples and targets of some rows.
  ///
  /// - Throws: An error of reading the rows.
  package func read(
    _ rows: UnsafeBufferPointer<Int>, samples: UnsafeMutablePointer<Float>, targets: TargetMemory?
  ) throws {
    try self.rows.read(rows, samples: samples, targets: targets)
    let count = shape.count
    for (index, row) in rows.enumerated() {
      MutableImage(samples + index * count, shape: shape).apply(
        ImageChange(augmentation, shape: shape, seed: seed, epoch: epoch, row: row))
    }
  }
}

// The random change of one image, and its application.
import Numerics
package import Tensors

/// The change of the image of one row in one epoch.
package struct ImageChange: Hashable, Sendable {
  /// Swaps left and right.
  package var isFlipped = false
  /// The pixels by which it is shifted down; negative for up.
  package var down = 0
  /// The pixels by which it is shifted to the right; negative for left.
  package var right = 0
  /// The lines and columns of zeros, within the image.
  package var cut: (lines: Range<Int>, columns: Range<Int>) { (cutLines, cutColumns) }
  private static let stream = randomStream("augmentation")
  private var cutLines = 0..<0
  private var cutColumns = 0..<0

  /// Draws the change of a row.
  ///
  /// - Parameters:
  ///   - augmentation: The possible changes.
  ///   - shape: The shape of the image, [channels, height, width].
  ///   - seed: The seed of the run.
  ///   - epoch: The number of the epoch.
  ///   - row: The number of the row.
  /// - Complexity: One or two calls of Philox.
  package init(
    _ augmentation: Augmentation, shape: Shape, seed: UInt64, epoch: Int, row: Int
  ) {
    let draws = RandomDraws(
      seed: seed, stream: ImageChange.stream, step: UInt32(truncatingIfNeeded: epoch),
      position: UInt32(truncatingIfNeeded: row))
    let bits = draws.bits(at: 0)
    isFlipped = Double(bits[0]) * 0x1p-32 < augmentation.flip
    down = ImageChange.below(2 * augmentation.shift + 1, bits[1]) - augmentation.shift
    right = ImageChange.below(2 * augmentation.shift + 1, bits[2]) - augmentation.shift
    guard augmentation.cutout > 0 else { return }
    let centre = draws.bits(at: 1)
    func side(_ bits: UInt32, of extent: Int) -> Range<Int> {
      let start = ImageChange.below(extent, bits) - augmentation.cutout / 2
      return (start..<start + augmentation.cutout).clamped(to: 0..<extent)
    }
    cutLines = side(centre[0], of: shape[1])
    cutColumns = side(centre[1], of: shape[2])
  }

  /// Returns a whole number in `0..<count`, from 32 random bits.
  private static func below(_ count: Int, _ bits: UInt32) -> Int { (Int(bits) * count) >> 32 }
}

/// An image in memory, channel by channel and line by line, that is changed in place.
package struct MutableImage {
  private let start: UnsafeMutablePointer<Float>
  private let lineCount: Int
  private let height: Int
  private let width: Int

  /// Creates a view of an image of shape [channels, height, width].
  package init(_ start: UnsafeMutablePointer<Float>, shape: Shape) {
    self.start = start
    (height, width) = (shape[1], shape[2])
    lineCount = shape[0] * height
  }

  /// Applies a change: one pass for each part of it, no allocation.
  package func apply(_ change: ImageChange) {
    if change.isFlipped { flip() }
    if change.down != 0 || change.right != 0 { shift(down: change.down, right: change.right) }
    cut(lines: change.cut.lines, columns: change.cut.columns)
  }

  /// Swaps left and right.
  package func flip() {
    for line in 0..<lineCount {
      let values = start + line &* width
      var (left, right) = (0, width &- 1)
      while left < right {
        (values[left], values[right]) = (values[right], values[left])
        left &+= 1
        right &-= 1
      }
    }
  }

  /// Moves lines down and columns to the right, by less than height and width, with zeros behind them.
  package func shift(down: Int, right: Int) {
    let kept = width - abs(right)
    for channel in 0..<lineCount / height {
      let channel = start + channel * height * width
      // Starts at the end that lines move to, so that none is overwritten before it has moved.
      for step in 0..<height {
        let line = down > 0 ? height - 1 - step : step
        let target = channel + line * width
        guard (0..<height).contains(line - down) else {
          target.update(repeating: 0, count: width)
          continue
        }
        let source = target - down * width
        (target + max(right, 0)).update(from: source + max(-right, 0), count: kept)
        (target + (right > 0 ? 0 : kept)).update(repeating: 0, count: width - kept)
      }
    }
  }

  /// Sets a rectangle of all channels to 0.
  package func cut(lines: Range<Int>, columns: Range<Int>) {
    guard !lines.isEmpty, !columns.isEmpty else { return }
    for channel in 0..<lineCount / height {
      for line in lines {
        (start + (channel * height + line) * width + columns.lowerBound)
          .update(repeating: 0, count: columns.count)
      }
    }
  }
}

// The factors of dropout: random numbers that depend on the seed, the step and the row, on nothing computed.
import Numerics
import Tensors

/// The elements that dropout keeps: a leaf whose value is drawn anew in every step.
///
/// An element is 0 with the probability of the rate, else `1 / (1 − rate)`: 0 where its
/// `Draws` word is below ``threshold``, with the elements of a row of images numbered channels last, as
/// they are computed.
public struct DropoutMask: Hashable, Sendable {
  /// The probability of 0, below 1.
  public let rate: Double
  /// The number that tells the masks of one step apart.
  public let stream: UInt32
  /// Indicates that channels are the last axis, of more than two.
  public let isChannelsLast: Bool

  /// Describes a mask.
  public init(rate: Double, stream: UInt32, isChannelsLast: Bool = false) {
    precondition((0..<1).contains(rate), "dropout with the rate \(rate)")
    self.rate = rate
    self.stream = stream
    self.isChannelsLast = isChannelsLast
  }

  /// The least word that keeps an element; even.
  public var threshold: UInt32 { UInt32(min((rate * 0x1p31).rounded(), 0x7FFF_FFFF)) << 1 }

  /// The factor of kept elements.
  public var scale: Double { 1 / (1 - rate) }

  /// The mask in double precision.
  ///
  /// - Parameters:
  ///   - shape: Its shape, rows first.
  ///   - draws: The step and its rows.
  /// - Returns: A tensor of that shape.
  func evaluate(_ shape: Shape, _ draws: Draws) -> Tensor {
    let columns = shape.extents.dropFirst().reduce(1, *)
    let channels = shape.axisCount > 2 && !isChannelsLast ? shape[1] : 1
    let inner = channels == 0 ? 0 : columns / channels
    let values = (0..<shape.count).map { index in
      let (row, position) = index.quotientAndRemainder(dividingBy: columns)
      let element = position % inner * channels + position / inner
      return draws.word(at: element, row: row, stream: stream) < threshold ? 0 : scale
    }
    return Tensor(shape: shape, values: values)
  }
}

struct DropoutMaskRule: LeafRule {
  let mask: DropoutMask
  static let signature = OperationSignature(leaf: "dropout_mask")
  var attributes: [Attribute] {
    [.number(mask.rate), .number(Double(mask.stream)), .number(mask.isChannelsLast ? 1 : 0)]
  }
}

extension Graph {
  /// Adds numbers that are 0 or `1 / (1 − rate)` at random, others in every step.
  ///
  /// - Parameters:
  ///   - mask: The rate and the stream they are drawn with.
  ///   - shape: The shape of the value, its first axis that of the rows.
  /// - Returns: The node of the numbers.
  public mutating func dropoutMask(_ mask: DropoutMask, shape: SymbolicShape) -> Node {
    precondition(shape.axisCount > 0, "a mask without rows")
    return append(
      Record(operation: .dropoutMask(mask), inputs: [], shape: shape, name: nil, layer: layer))
  }
}

public import Tensors

/// The normalisation of samples before the first layer.
public enum InputNormalization: String, Hashable, Sendable, CaseIterable {
  /// Samples are taken as they are.
  case off = "none"
  /// The mean and the deviation of each entry of the first axis: of images those of a channel, of
  /// vectors those of an element.
  case channel
  /// The mean and the deviation of each element.
  case element

  /// The shape of means and deviations for samples of a shape; nil where there are none.
  public func shape(for sampleShape: Shape) -> Shape? {
    switch self {
    case .off: nil
    case .channel: Shape(Array(sampleShape.extents.prefix(1)))
    case .element: sampleShape
    }
  }
}

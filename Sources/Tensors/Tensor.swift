/// A shape with its elements in row-major order, in double precision.
///
/// The interpreter and the tests compute with it: plain and copyable. Training works on raw buffers.
public struct Tensor: Hashable, Sendable {
  /// The lengths of the axes.
  public let shape: Shape
  /// The elements, last axis fastest.
  public var values: [Double]

  /// Creates a tensor from its elements in row-major order.
  public init(shape: Shape, values: [Double]) {
    precondition(
      shape.count == values.count, "\(values.count) values for a tensor of shape \(shape)")
    self.shape = shape
    self.values = values
  }

  /// Creates a tensor whose elements are all `value`.
  public init(shape: Shape, repeating value: Double) {
    self.init(shape: shape, values: Array(repeating: value, count: shape.count))
  }

  /// Creates a tensor without axes.
  public init(_ value: Double) { self.init(shape: [], values: [value]) }
}

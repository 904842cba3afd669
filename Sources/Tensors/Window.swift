/// A window that slides over the spatial axes of a tensor, in a convolution or in pooling.
///
/// Along an axis of n elements with padding p before and q after, kernel k, dilation d and stride s, it
/// has ⌊(n + p + q − d·(k − 1) − 1) / s⌋ + 1 positions; position o covers elements o·s − p + j·d for j in
/// 0 ..< k. Elements outside 0 ..< n are padding.
public struct Window: Hashable, Sendable {
  /// The window along one axis.
  public struct Axis: Hashable, Sendable {
    /// The number of elements that the window covers.
    public let kernel: Int
    /// The number of elements from one position to the next.
    public let stride: Int
    /// The padding before the first element and after the last.
    public let padding: (before: Int, after: Int)
    /// The distance between neighbouring covered elements; 1 without gaps.
    public let dilation: Int

    /// Describes the window along one axis.
    public init(
      kernel: Int, stride: Int = 1, padding: (before: Int, after: Int) = (0, 0), dilation: Int = 1
    ) {
      precondition(
        kernel > 0 && stride > 0 && dilation > 0 && padding.before >= 0 && padding.after >= 0,
        "window of kernel \(kernel), stride \(stride), padding \(padding), dilation \(dilation)")
      self.kernel = kernel
      self.stride = stride
      self.padding = padding
      self.dilation = dilation
    }

    /// The number of elements from the first covered one to the last, both included.
    public var span: Int { dilation * (kernel - 1) + 1 }

    /// Returns the number of positions along an axis of `extent` elements; nil if the window does not fit.
    public func positions(over extent: Int) -> Int? {
      let room = extent + padding.before + padding.after - span
      return room < 0 ? nil : room / stride + 1
    }

    /// Returns whether two windows are the same.
    public static func == (lhs: Axis, rhs: Axis) -> Bool {
      lhs.kernel == rhs.kernel && lhs.stride == rhs.stride && lhs.padding == rhs.padding
        && lhs.dilation == rhs.dilation
    }

    /// Hashes all parts.
    public func hash(into hasher: inout Hasher) {
      for part in [kernel, stride, padding.before, padding.after, dilation] { hasher.combine(part) }
    }
  }

  /// The window along each spatial axis, in order.
  public let axes: [Axis]

  /// Describes a window over one or more axes.
  public init(_ axes: [Axis]) {
    precondition(!axes.isEmpty, "a window over no axes")
    self.axes = axes
  }

  /// The number of elements that the window covers at each position, padding included.
  public var kernelCount: Int { axes.reduce(1) { $0 * $1.kernel } }

  /// Returns the number of positions along each axis of a tensor with these spatial extents; nil if the
  /// window does not fit.
  public func positions(over extents: [Int]) -> [Int]? {
    precondition(extents.count == axes.count, "\(axes.count) axes over \(extents)")
    var positions: [Int] = []
    for (axis, extent) in zip(axes, extents) {
      guard let count = axis.positions(over: extent) else { return nil }
      positions.append(count)
    }
    return positions
  }
}

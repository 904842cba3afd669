/// The lengths of all axes of a tensor, outermost first.
public struct Shape: Hashable, Sendable {
  /// The length of each axis.
  public let extents: [Int]

  /// Creates a shape from the length of each axis.
  ///
  /// - Parameter extents: The lengths, each 0 or more; empty for a single number.
  public init(_ extents: [Int]) {
    precondition(extents.allSatisfy { $0 >= 0 }, "negative extent in \(extents)")
    self.extents = extents
  }

  /// The number of axes.
  public var axisCount: Int { extents.count }

  /// The number of elements, 1 for a shape without axes; `Int.max` if it does not fit an `Int`.
  public var count: Int {
    extents.reduce(1) { product, extent in
      let (count, isBeyondCount) = product.multipliedReportingOverflow(by: extent)
      return isBeyondCount ? .max : count
    }
  }

  /// The length of one axis.
  public subscript(axis: Int) -> Int { extents[axis] }
}

extension Shape: ExpressibleByArrayLiteral {
  /// Creates a shape from a literal such as `[64, 784]`.
  public init(arrayLiteral elements: Int...) { self.init(elements) }
}

extension Shape: CustomStringConvertible {
  /// The extents between brackets, such as `[64, 784]`.
  public var description: String {
    "[" + extents.map(String.init).joined(separator: ", ") + "]"
  }
}

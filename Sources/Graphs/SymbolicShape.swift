public import Tensors

/// The length of an axis: a number, or the rows computed at once.
public enum Extent: Hashable, Sendable {
  /// As many as rows are computed together; known when a plan is made.
  case batch
  /// A fixed number of elements.
  case fixed(Int)
}

extension Extent: ExpressibleByIntegerLiteral {
  /// Creates a fixed extent.
  public init(integerLiteral value: Int) { self = .fixed(value) }
}

extension Extent: CustomStringConvertible {
  /// `batch`, or the number.
  public var description: String {
    switch self {
    case .batch: "batch"
    case .fixed(let count): "\(count)"
    }
  }
}

/// The lengths of all axes of a node, where the batch extent is still a symbol.
public struct SymbolicShape: Hashable, Sendable {
  /// The length of each axis, outermost first.
  public let extents: [Extent]

  /// Creates a shape from the length of each axis.
  public init(_ extents: [Extent]) { self.extents = extents }

  /// Creates a shape without symbols.
  public init(_ shape: Shape) { extents = shape.extents.map(Extent.fixed) }

  /// The number of axes.
  public var axisCount: Int { extents.count }

  /// The length of one axis.
  public subscript(axis: Int) -> Extent { extents[axis] }

  /// The product of the fixed extents, `Int.max` if it is larger.
  public var fixedCount: Int {
    extents.reduce(1) { product, extent in
      guard case .fixed(let count) = extent else { return product }
      let (next, isBeyondCount) = product.multipliedReportingOverflow(by: count)
      return isBeyondCount ? .max : next
    }
  }

  /// The number of axes that are as long as the batch.
  public var batchAxisCount: Int { extents.count { $0 == .batch } }

  /// Indicates that the shape is the same for every batch.
  public var isFixed: Bool { batchAxisCount == 0 }

  /// Returns the shape for a given number of rows.
  public func resolved(batch: Int) -> Shape {
    Shape(
      extents.map { extent in
        switch extent {
        case .batch: batch
        case .fixed(let count): count
        }
      })
  }

  /// Returns the shape without some axes.
  ///
  /// - Parameter axes: Indices of the axes to leave out.
  /// - Returns: The extents of the other axes, in order.
  public func removing(axes: [Int]) -> SymbolicShape {
    SymbolicShape(extents.indices.filter { !axes.contains($0) }.map { extents[$0] })
  }

  /// Returns the shape with some axes replaced by length 1.
  ///
  /// - Parameter axes: Indices of the axes to flatten.
  /// - Returns: A shape of as many axes.
  public func flattening(axes: [Int]) -> SymbolicShape {
    SymbolicShape(extents.indices.map { axes.contains($0) ? 1 : extents[$0] })
  }
}

extension SymbolicShape: ExpressibleByArrayLiteral {
  /// Creates a shape from a literal such as `[.batch, 784]`.
  public init(arrayLiteral elements: Extent...) { self.init(elements) }
}

extension SymbolicShape: CustomStringConvertible {
  /// The extents between brackets, such as `[batch, 784]`.
  public var description: String {
    "[" + extents.map(\.description).joined(separator: ", ") + "]"
  }
}

/// A number that may depend on the rows computed at once: `value · batch^power`.
public struct Factor: Hashable, Sendable {
  /// The part that does not depend on the batch.
  public let value: Double
  /// The power of the batch extent.
  public let batchPower: Int

  /// Creates `value · batch^batchPower`.
  public init(_ value: Double, batchPower: Int = 0) {
    self.value = value
    self.batchPower = batchPower
  }

  /// Returns the number for a given number of rows.
  public func resolved(batch: Int) -> Double {
    var result = value
    for _ in 0..<max(batchPower, 0) { result *= Double(batch) }
    for _ in 0..<max(-batchPower, 0) { result /= Double(batch) }
    return result
  }

  /// Returns the product of two factors.
  public static func * (lhs: Factor, rhs: Factor) -> Factor {
    Factor(lhs.value * rhs.value, batchPower: lhs.batchPower + rhs.batchPower)
  }
}

extension Factor: CustomStringConvertible {
  /// The number, and the power of the batch extent where there is one.
  public var description: String {
    switch batchPower {
    case 0: "\(value)"
    case 1: "\(value)·batch"
    case -1: "\(value)/batch"
    default: "\(value)·batch^\(batchPower)"
    }
  }
}

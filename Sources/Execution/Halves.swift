import Kernels
public import Tensors

/// What plans that multiply operands rounded to bfloat16 have in common: the rounded parameters, and room for
/// the other operands.
///
/// A final class with one owner, for the plans over one arena. Parameters are rounded once for all
/// runs with the same parameters; everything else just before the product that takes it.
public final class Halves {
  /// Whether this CPU and the library have products of rounded operands.
  public static var isSupported: Bool { HalfMatmul.isSupported }

  /// The rounded parameters, as they lie in a flat vector; only those that products take are there.
  let parameters: UnsafeMutablePointer<UInt16>
  /// Room for the two operands of a product.
  private(set) var operands: (UnsafeMutablePointer<UInt16>, UnsafeMutablePointer<UInt16>)
  private var operandCount = 1
  private var ranges: [Range<Int>: HalfRounding] = [:]

  /// Makes room for the parameters of a layout.
  public init(layout: FlatLayout) {
    parameters = .allocate(capacity: max(layout.count, 1))
    operands = (.allocate(capacity: 1), .allocate(capacity: 1))
  }

  deinit {
    parameters.deallocate()
    operands.0.deallocate()
    operands.1.deallocate()
  }

  /// Rounds the parameters that products of the plans take; before the first run with these parameters.
  ///
  /// - Parameter vector: The flat vector that the runs are given.
  public func round(_ vector: UnsafePointer<Float>) {
    for (range, rounding) in ranges {
      rounding.run(vector + range.lowerBound, into: parameters + range.lowerBound)
    }
  }

  /// Sees to it that some elements of the parameters are rounded.
  func need(_ range: Range<Int>) throws {
    if ranges[range] == nil { ranges[range] = try HalfRounding(count: range.count) }
  }

  /// Makes room for operands of so many elements.
  func reserve(count: Int) {
    guard count > operandCount else { return }
    operands.0.deallocate()
    operands.1.deallocate()
    operands = (.allocate(capacity: count), .allocate(capacity: count))
    operandCount = count
  }
}

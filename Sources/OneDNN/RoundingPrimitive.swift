import CDNNL

/// A rounding of a fixed number of `Float` to bfloat16: to nearest, ties to even; NaN stays NaN.
///
/// A final class with one owner, used by one thread at a time, after ``prepareThread()`` on each thread that
/// uses it.
public final class RoundingPrimitive {
  private let primitive: Primitive
  private let source: Memory
  private let target: Memory

  /// Compiles the rounding of `count` numbers, at least 1.
  ///
  /// - Throws: ``OneDNNError`` if the library is out of memory.
  public init(count: Int) throws(OneDNNError) {
    let context = try Context()
    let subject = "rounding of \(count) numbers"
    let wide = try Layout([count], dnnl_a, subject)
    let rounded = try Layout([count], dnnl_a, subject, .bfloat16)
    let description = try PrimitiveDescription(copying: wide, to: rounded, context, subject)
    source = try Memory(wide, context)
    target = try Memory(rounded, context)
    primitive = try Primitive(
      description, [(cdnnl_arg_from(), source), (cdnnl_arg_to(), target)], context)
  }

  /// Rounds the numbers.
  ///
  /// - Parameters:
  ///   - values: The numbers.
  ///   - rounded: The memory of the rounded numbers.
  /// - Complexity: 0.2 µs, plus 0.1 ns per number if the numbers are in the caches.
  public func run(_ values: UnsafePointer<Float>, into rounded: UnsafeMutablePointer<UInt16>) {
    source.point(to: values)
    target.point(to: rounded)
    primitive.run()
  }
}

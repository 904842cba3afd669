import CDNNL

/// A matrix product or convolution by itself, to measure the best time of the library.
///
/// Nothing precedes or follows the product, and tensors may be in any layout that the library prefers, so
/// their elements in memory need not be in plain order. A final class with one owner, used by one thread at a
/// time, after ``prepareThread()`` on each thread that uses it.
public final class BarePrimitive {
  /// The layout of tensors in memory.
  public enum Layouts: Hashable, Sendable {
    /// The layouts of the program: matrices row by row, images with channels last; weights of convolutions
    /// as the library prefers.
    case plain
    /// The layouts that the library prefers.
    case preferred
  }

  /// The operation and its shape.
  public enum Work: Hashable, Sendable {
    /// The product `[rows, depth] · [depth, columns]`; operands may be stored transposed.
    case product(rows: Int, columns: Int, depth: Int, transposeLHS: Bool, transposeRHS: Bool)
    /// Forward: y from x, W. Input gradient: x̄ from ȳ, W. Weight gradient: W̄ from x, ȳ.
    case convolution(ConvolutionPrimitive.Kind, ConvolutionPrimitive.Geometry)
  }

  /// The sizes in bytes of the first operand, the second, and the result.
  public let byteCounts: (lhs: Int, rhs: Int, result: Int)

  private let primitive: Primitive
  private let memories: (lhs: Memory, rhs: Memory, result: Memory)

  /// Compiles the work.
  ///
  /// - Parameters:
  ///   - work: The product or convolution, of extents 1 or more; a convolution without a bias.
  ///   - layouts: The layouts of the three tensors.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  /// - Complexity: up to milliseconds if code must be generated.
  public init(_ work: Work, _ layouts: Layouts) throws(OneDNNError) {
    let context = try Context()
    let description: PrimitiveDescription
    let queries: (dnnl_query_t, dnnl_query_t, dnnl_query_t)
    let arguments: (Int32, Int32, Int32)
    switch work {
    case .product(let m, let n, let k, let transposeLHS, let transposeRHS):
      let subject = "product [\(m), \(k)] · [\(k), \(n)]"
      func tag(_ isTransposed: Bool) -> dnnl_format_tag_t {
        layouts == .preferred ? dnnl_format_tag_any : isTransposed ? dnnl_ba : dnnl_ab
      }
      description = try PrimitiveDescription(
        product: try Layout([m, k], tag(transposeLHS), subject),
        try Layout([k, n], tag(transposeRHS), subject),
        into: try Layout([m, n], tag(false), subject),
        context, subject)
      queries = (dnnl_query_src_md, dnnl_query_weights_md, dnnl_query_dst_md)
      arguments = (cdnnl_arg_source(), cdnnl_arg_weights(), cdnnl_arg_destination())
    case .convolution(let kind, let geometry):
      let images = layouts == .preferred ? dnnl_format_tag_any : dnnl_nhwc
      description = try PrimitiveDescription(
        kind, geometry, x: try Layout(geometry.inputExtents, images, geometry.subject),
        y: try Layout(geometry.outputExtents, images, geometry.subject), images: images, context)
      let (all, names) = (kind.queries, kind.arguments)
      switch kind {
      case .forward: (queries, arguments) = ((all.x, all.w, all.y), (names.x, names.w, names.y))
      case .inputGradient:
        (queries, arguments) = ((all.y, all.w, all.x), (names.y, names.w, names.x))
      case .weightGradient:
        (queries, arguments) = ((all.x, all.y, all.w), (names.x, names.y, names.w))
      }
    }
    let lhs = try description.layout(queries.0)
    let rhs = try description.layout(queries.1)
    let result = try description.layout(queries.2)
    byteCounts = (lhs.byteCount, rhs.byteCount, result.byteCount)
    memories = (try Memory(lhs, context), try Memory(rhs, context), try Memory(result, context))
    primitive = try Primitive(
      description,
      [(arguments.0, memories.lhs), (arguments.1, memories.rhs), (arguments.2, memories.result)],
      context)
  }

  /// Computes the result.
  ///
  /// - Parameters:
  ///   - lhs: The first operand.
  ///   - rhs: The second operand.
  ///   - result: The memory of the result; overlaps no operand.
  public func run(
    lhs: UnsafeRawPointer, rhs: UnsafeRawPointer, into result: UnsafeMutableRawPointer
  ) {
    memories.lhs.point(to: lhs)
    memories.rhs.point(to: rhs)
    memories.result.point(to: result)
    primitive.run()
  }
}

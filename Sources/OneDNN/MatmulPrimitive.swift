import CDNNL

/// One matrix product with bias, compiled for one shape.
///
/// `C = op(A)·op(B) + b`, all row-major: `C` is `[m, n]`, `b` is `[n]`, `A` is `[m, k]` or,
/// transposed, `[k, m]`, `B` is `[k, n]` or, transposed, `[n, k]`. A final class with one owner,
/// used by one thread at a time, after ``prepareThread()`` on each thread that uses it.
public final class MatmulPrimitive {
  private let primitive: Primitive
  private let lhs: Memory
  private let rhs: Memory
  private let bias: Memory?
  private let destination: Memory

  /// Compiles the product, or takes it from the library's cache of compiled ones.
  ///
  /// - Parameters:
  ///   - m: Rows of `C`, at least 1.
  ///   - n: Columns of `C`, at least 1.
  ///   - k: Terms of each sum, at least 1.
  ///   - transposeLHS: True if `A` is stored as `[k, m]`.
  ///   - transposeRHS: True if `B` is stored as `[n, k]`.
  ///   - hasBias: True to add `b`.
  ///   - operands: The format of the elements of `A` and `B`; `b` and `C` are `Float`.
  /// - Throws: ``OneDNNError`` if the library refuses the shape or is out of memory.
  /// - Complexity: up to milliseconds if code must be generated.
  public init(
    rows m: Int, columns n: Int, depth k: Int, transposeLHS: Bool, transposeRHS: Bool,
    bias hasBias: Bool, operands: NumberFormat = .float
  ) throws(OneDNNError) {
    let context = try Context()
    let subject = "product [\(m), \(k)] · [\(k), \(n)]"
    let lhs = try Layout([m, k], transposeLHS ? dnnl_ba : dnnl_ab, subject, operands)
    let rhs = try Layout([k, n], transposeRHS ? dnnl_ba : dnnl_ab, subject, operands)
    let bias = try Layout([1, n], dnnl_ab, subject)
    let destination = try Layout([m, n], dnnl_ab, subject)
    let description = try PrimitiveDescription(
      product: lhs, rhs, bias: hasBias ? bias.handle : nil, into: destination, context, subject)
    self.lhs = try Memory(lhs, context)
    self.rhs = try Memory(rhs, context)
    self.bias = hasBias ? try Memory(bias, context) : nil
    self.destination = try Memory(destination, context)
    var roles = [
      (cdnnl_arg_source(), self.lhs), (cdnnl_arg_weights(), self.rhs),
      (cdnnl_arg_destination(), self.destination),
    ]
    if let bias = self.bias { roles.append((cdnnl_arg_bias(), bias)) }
    primitive = try Primitive(description, roles, context)
  }

  /// Computes the product.
  ///
  /// - Parameters:
  ///   - a: The elements of `A`, in the format of operands.
  ///   - b: The elements of `B`, in the format of operands.
  ///   - addend: The elements of `b`, given if and only if the primitive has a bias.
  ///   - c: The memory of `C`; overlaps no operand.
  /// - Complexity: 2·m·n·k operations and 0.2 µs; no allocation on our side.
  public func run(
    lhs a: UnsafeRawPointer, rhs b: UnsafeRawPointer, bias addend: UnsafePointer<Float>?,
    into c: UnsafeMutablePointer<Float>
  ) {
    lhs.point(to: a)
    rhs.point(to: b)
    destination.point(to: c)
    precondition((bias != nil) == (addend != nil), "bias given and announced differ")
    if let addend { bias?.point(to: addend) }
    primitive.run()
  }
}

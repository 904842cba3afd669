import CDNNL

/// Rounds so many `Float` to bfloat16: to nearest, ties to even; what is not a number stays so.
///
/// A final class with one owner, used by one thread at a time, after ``prepareThread()`` on each thread that does.
public final class RoundingPrimitive {
  private let context: Context
  private let primitive: dnnl_primitive_t
  private let source: Memory
  private let target: Memory
  private let arguments: UnsafeMutablePointer<dnnl_exec_arg_t>

  /// Compiles the rounding of `count` numbers, at least 1.
  ///
  /// - Throws: ``OneDNNError`` if the library is out of memory.
  public init(count: Int) throws(OneDNNError) {
    let context = try Context()
    let subject = "rounding of \(count) numbers"
    var wide = try tensor([count], dnnl_a, subject)
    var half = try tensor([count], dnnl_a, subject, .bfloat16)
    var description: dnnl_primitive_desc_t?
    try check(
      dnnl_reorder_primitive_desc_create(
        &description, &wide, context.engine, &half, context.engine, nil),
      "dnnl_reorder_primitive_desc_create", subject)
    defer { dnnl_primitive_desc_destroy(description) }
    let memories = (try Memory(wide, context), try Memory(half, context))
    var primitive: dnnl_primitive_t?
    try check(dnnl_primitive_create(&primitive, description), "dnnl_primitive_create", subject)
    guard let primitive else {
      throw OneDNNError(call: "dnnl_primitive_create", status: "no primitive", subject: subject)
    }
    self.context = context
    self.primitive = primitive
    (source, target) = memories
    arguments = .allocate(capacity: 2)
    arguments[0] = cdnnl_argument(cdnnl_arg_from(), source.handle)
    arguments[1] = cdnnl_argument(cdnnl_arg_to(), target.handle)
  }

  deinit {
    dnnl_primitive_destroy(primitive)
    arguments.deallocate()
  }

  /// Rounds the numbers.
  ///
  /// - Parameters:
  ///   - values: The numbers.
  ///   - halves: Gets the rounded numbers.
  /// - Complexity: 0.2 µs, and 0.1 ns a number while these are in the caches.
  public func run(_ values: UnsafePointer<Float>, into halves: UnsafeMutablePointer<UInt16>) {
    source.point(to: values)
    target.point(to: halves)
    let status = dnnl_primitive_execute(primitive, context.stream, 2, arguments)
    precondition(status == dnnl_success, "dnnl_primitive_execute failed")
  }
}
